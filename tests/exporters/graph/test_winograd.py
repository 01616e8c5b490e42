"""Winograd's form: the convolution it stands for, in layers, whole graphs and exports."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from places import DATA
from torch.nn import functional

from lama_edge.cli import main
from lama_edge.errors import UsageError
from lama_edge.exporters.formats.onnx.file import finish
from lama_edge.exporters.formats.record import Export
from lama_edge.exporters.graph.bands.extents import bands_of
from lama_edge.exporters.graph.bands.winograd import (
    TILE,
    results,
    transformed_pixels,
    transformed_weights,
    transforms,
    weights_matrix,
)
from lama_edge.exporters.graph.builder import GraphBuilder
from lama_edge.exporters.graph.deploy_graph import GraphOptions, build_deploy_graph
from lama_edge.models.checkpoint import Checkpoint, load_checkpoint
from lama_edge.models.config import FfcResnetConfig
from lama_edge.pipeline import export_model
from lama_edge.runtimes.base import open_runner
from lama_edge.spec import Size, SizePolicy, io_spec

RunLayer = Callable[[Callable[[GraphBuilder, ir.Value], ir.Value], np.ndarray], np.ndarray]
CHANNELS = st.integers(1, 5)
SIDE = st.integers(2, 13)
# Sums of 9 to 45 products of order 1; measured at most 1.3e-5.
LARGEST_DIFFERENCE = 5e-5
# Of lama-tiny's fill, 0 to 1, from the graph with direct convolutions: measured at most 8.0e-7.
LARGEST_GRAPH_DIFFERENCE = 5e-6


def _normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_the_transforms_convolve_exactly_but_for_rounding() -> None:
    rng = np.random.default_rng(5)
    pixels, kernel = rng.normal(size=(TILE + 2, TILE + 2)), rng.normal(size=(3, 3))
    matrices = transforms()
    products = (matrices.pixels @ pixels.ravel()) * (matrices.weights @ kernel.ravel())
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (3, 3))
    expected = np.einsum("yxkl,kl->yx", windows, kernel)
    assert np.abs((matrices.results @ products).reshape(TILE, TILE) - expected).max() < 1e-13


@settings(max_examples=30, deadline=None, derandomize=True)
@given(batch=st.integers(1, 2), inputs=CHANNELS, outputs=CHANNELS, height=SIDE, width=SIDE)
def test_a_layer_is_the_sum_of_its_convolutions_with_reflected_edges(
    run_layer: RunLayer, batch: int, inputs: int, outputs: int, height: int, width: int
) -> None:
    x = _normal(1, batch, 1, height, width, inputs)
    weights = [_normal(seed, outputs, inputs, 3, 3) for seed in (2, 4)]

    def write(b: GraphBuilder, value: ir.Value) -> ir.Value:
        bands, matrix = bands_of(b, value), weights_matrix(b, value)
        pixels = b.op("Reshape", "pixels", value, b.integers(-1, inputs))
        kernels = [
            transformed_weights(b, f"conv{n}", weight, matrix) for n, weight in enumerate(weights)
        ]

        def band(seen: ir.Value) -> Sequence[ir.Value]:
            tiles = transformed_pixels(b, "of", pixels, seen, inputs)
            first, second = (
                b.op("MatMul", f"product{n}", tiles, kernel) for n, kernel in enumerate(kernels)
            )
            total = b.op("Add", "sum", first, second)
            return (results(b, "result", total, bands.place, outputs),)

        (result,) = b.scan("bands_of_rows", (bands.seen,), (), band)
        shape = b.extents("shape", -1, bands.height, bands.width, outputs)
        return b.op("Transpose", "out", b.op("Reshape", "map", result, shape), perm=[0, 3, 1, 2])

    planar = torch.from_numpy(np.moveaxis(x[:, 0], -1, 1))
    padded = functional.pad(planar, (1, 1, 1, 1), mode="reflect")
    expected = functional.conv2d(padded, torch.from_numpy(weights[0] + weights[1])).numpy()
    result = run_layer(write, x)
    assert result.shape == expected.shape
    assert np.abs(result - expected).max() <= LARGEST_DIFFERENCE


@pytest.fixture(scope="module")
def tiny() -> Checkpoint:
    return load_checkpoint(None)


# Bottlenecks of 2 x 2 pixels, of sides that are and are not multiples of a tile, of a prime number
# of rows, oblong ones, and one of two bands of 31 rows and three groups of 17 frequencies: all
# others are one band and one group.
@pytest.mark.parametrize(
    "size",
    [Size(16, 16), Size(24, 40), Size(64, 64), Size(136, 200), Size(184, 72), Size(496, 800)],
)
def test_the_whole_graph_computes_the_same(tiny: Checkpoint, size: Size) -> None:
    rng = np.random.default_rng(1)
    feeds = {
        "image": rng.random((2, 3, size.height, size.width), dtype=np.float32),
        "mask": (rng.random((2, 1, size.height, size.width)) < 0.3).astype(np.float32),
    }
    wanted = _run(tiny, size, feeds, kernels="direct")
    for fixed in (size, None):
        difference = np.abs(_run(tiny, fixed, feeds, kernels="bands") - wanted).max()
        assert difference <= LARGEST_GRAPH_DIFFERENCE


@pytest.mark.parametrize("n_downsampling", [1, 2, 4])
def test_other_depths_compute_the_same(
    make_checkpoint: Callable[..., Checkpoint], n_downsampling: int
) -> None:
    """One halving has its ends whole, more have them in bands."""
    checkpoint = make_checkpoint(FfcResnetConfig(ngf=4, n_blocks=1, n_downsampling=n_downsampling))
    size = Size(96, 32)
    rng = np.random.default_rng(4)
    feeds = {
        "image": rng.random((1, 3, 96, 32), dtype=np.float32),
        "mask": (rng.random((1, 1, 96, 32)) < 0.3).astype(np.float32),
    }
    wanted = _run(checkpoint, size, feeds, kernels="direct")
    found = _run(checkpoint, None, feeds, kernels="bands")
    assert np.abs(found - wanted).max() <= LARGEST_GRAPH_DIFFERENCE


def _run(checkpoint: Checkpoint, size: Size | None, feeds: Any, **options: Any) -> np.ndarray:
    policy = SizePolicy(size, 8, 16)
    chosen = GraphOptions(io_spec("float", composite=False), policy, **options)
    model = finish(build_deploy_graph(checkpoint.config, checkpoint.tensors, chosen))
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, feeds)[0])


@pytest.mark.parametrize("batch", [None, 1])
def test_nobody_can_fold_the_weights(tiny: Checkpoint, tmp_path: Path, batch: int | None) -> None:
    """Transformed they are four times as large; ONNX Runtime would keep them all."""
    io = io_spec("float", batch=batch)
    options = GraphOptions(io, SizePolicy(Size(64, 64), 8, 16), kernels="bands")
    model = finish(build_deploy_graph(tiny.config, tiny.tensors, options))
    session_options = ort.SessionOptions()
    session_options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    ort.InferenceSession(
        model.SerializeToString(), session_options, providers=["CPUExecutionProvider"]
    )
    assert (tmp_path / "optimised.onnx").stat().st_size < 1.1 * model.ByteSize()


def test_an_export_says_so_runs_in_tiles_and_is_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, plain = tmp_path / "w.onnx", tmp_path / "d.onnx"
    assert main(["export", "onnx", "-o", str(path), "--convolutions", "winograd", "--json"]) == 0
    manifest = json.loads(capsys.readouterr().out)["manifest"]
    assert manifest["format"]["kernels"] == "bands"
    assert manifest["parity"]["max_abs_diff"] <= LARGEST_GRAPH_DIFFERENCE
    assert main(["export", "onnx", "-o", str(plain), "--no-parity"]) == 0
    rng = np.random.default_rng(2)
    image = rng.random((1, 3, 136, 200), dtype=np.float32)
    mask = np.zeros((1, 1, 136, 200), dtype=np.float32)
    mask[..., 20:110, :90] = 1
    with open_runner(path) as whole, whole.tiled(32) as tiled:
        filled = whole.run(image, mask)
        assert np.abs(tiled.run(image, mask) - filled).max() <= 1e-5
    with open_runner(plain) as direct:
        assert np.abs(direct.run(image, mask) - filled).max() <= LARGEST_GRAPH_DIFFERENCE


@pytest.mark.parametrize("precision", ["fp16", "w8", "int8"])
def test_reduced_precisions_are_refused(tmp_path: Path, precision: Any) -> None:
    job = Export(
        "onnx", None, tmp_path / "x.onnx", precision=precision, options={"kernels": "bands"}
    )
    with pytest.raises(UsageError, match="bands are for fp32"):
        export_model(job)


def test_generators_without_fourier_units_are_refused(tmp_path: Path) -> None:
    folder = DATA / "regular"
    job = Export("onnx", folder, tmp_path / "x.onnx", options={"kernels": "bands"})
    with pytest.raises(UsageError, match="this is a pix2pixhd_global"):
        export_model(job)
