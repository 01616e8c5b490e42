"""Weights in few bits: which are, how well they are kept, and what is left alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("coremltools")

import coremltools as ct
from coremltools.converters.mil import Builder
from coremltools.converters.mil.mil import Function

from lama_edge.exporters.formats.coreml.palettes import palette_of
from lama_edge.exporters.formats.coreml.weights import weight_store
from lama_edge.judging.cases import seeded_cases
from lama_edge.judging.judge import judge, raw_outputs
from lama_edge.judging.tolerances import Tolerance
from lama_edge.runtimes.coreml.emulated_runner import CoremlEmulatedRunner
from lama_edge.runtimes.torch.runner import TorchRunner
from lama_edge.spec import Size

SIZE = Size(64, 64)
# Measured, fourier and regular: 53.2 and 53.4 dB; 41.7 and 40.8; 32.5 and 30.0.
LEAST_PSNR_DB = {"w8": 45, "pal6": 35, "pal4": 28}

# The palette itself is rounded to fp16, whose steps here are below 2^-9.
ROUNDING = 0.01


@pytest.mark.parametrize("precision", LEAST_PSNR_DB)
@pytest.mark.parametrize("family", ["fourier", "regular"])
def test_small_weights_keep_the_picture(packaged: Any, family: str, precision: str) -> None:
    package = packaged(family, SIZE, precision=precision)
    with (
        CoremlEmulatedRunner(package.path) as model,
        TorchRunner(package.checkpoint, composite=False) as reference,
    ):
        cases = seeded_cases(model.manifest.size)
        wanted = raw_outputs(reference, cases)
        figures = judge(model, cases, wanted, reference_name="t", tolerance=Tolerance(1))
    assert figures.psnr_db is not None
    assert figures.psnr_db >= LEAST_PSNR_DB[precision]


def _kinds(package: Any) -> dict[str, str]:
    program = package.spec.mlProgram.functions["main"]
    operations = program.block_specializations[program.opset].operations
    return {operation.outputs[0].name: operation.type for operation in operations}


def test_every_layer_and_no_matrix_of_the_dft_is_stored_as_int8(packaged: Any) -> None:
    kinds = _kinds(packaged("fourier", SIZE, precision="w8"))
    weights = {name: kind for name, kind in kinds.items() if name.endswith("_weight")}
    assert weights
    assert set(weights.values()) == {"constexpr_affine_dequantize"}
    _assert_left_alone(kinds)


@pytest.mark.parametrize(("precision", "entries"), [("pal6", 64), ("pal4", 16)])
def test_palettes_are_of_the_layers_and_never_of_the_dft(
    packaged: Any, precision: str, entries: int
) -> None:
    package = packaged("fourier", SIZE, precision=precision)
    kinds = _kinds(package)
    palettes = [name for name, kind in kinds.items() if kind == "constexpr_lut_to_dense"]
    assert palettes
    assert all("conv" in name or "weight" in name for name in palettes)
    for operation in package.operations():
        if operation.type == "constexpr_lut_to_dense":
            lut = operation.attributes["lut"].type.tensorType
            assert [axis.constant.size for axis in lut.dimensions] == [entries]
            assert lut.dataType == 10  # fp16, as the arithmetic
    _assert_left_alone(kinds)


def _assert_left_alone(kinds: dict[str, str]) -> None:
    for matrix in ("row", "row_inverse", "column_re", "column_im", "column_inverse"):
        assert kinds[f"dft_{matrix}"] == "const"
    assert {kind for name, kind in kinds.items() if name.endswith("_bias")} == {"const"}


@settings(derandomize=True, deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 2**31),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 3)),
    bits=st.sampled_from([4, 6]),
)
def test_a_palette_loses_no_more_than_an_even_one(
    seed: int, shape: tuple[int, int, int], bits: int
) -> None:
    rng = np.random.default_rng(seed)
    outputs, inputs, side = shape
    weight = rng.standard_normal((outputs, inputs, side, side)).astype(np.float16)
    palette, entries = palette_of(weight, 2**bits)
    assert palette.shape == (2**bits,)
    assert palette.dtype == np.float16
    assert (np.diff(palette.astype(float)) >= 0).all()
    assert entries.shape == (weight.size,)
    assert entries.dtype == np.uint8
    even = np.linspace(weight.min(), weight.max(), 2**bits)
    nearest, spread = (
        np.abs(weight.astype(float).ravel()[:, None] - one.astype(float)).min(axis=1)
        for one in (palette, even)
    )
    assert np.square(nearest).sum() <= np.square(spread).sum() * (1 + ROUNDING) + 1e-9


def test_neighbouring_taps_make_up_for_each_others_errors() -> None:
    weight = np.random.default_rng(3).standard_normal((8, 8, 7, 7)).astype(np.float16)
    palette, entries = palette_of(weight, 16)
    exact = weight.astype(float)
    nearest = np.abs(exact.ravel()[:, None] - palette.astype(float)).argmin(axis=1)
    drift = [
        np.abs((palette[one].astype(float).reshape(exact.shape) - exact).sum(axis=(2, 3))).mean()
        for one in (entries, nearest)
    ]
    assert drift[0] < drift[1] / 3


@pytest.mark.parametrize("largest", [1e-6, 1e-4, 0.1, 100.0])
def test_int8_weights_with_the_smallest_scales_keep_their_digits(largest: float) -> None:
    """127 of an fp16 scale below its least normal number are far from the channel's largest."""
    store = weight_store("w8")
    assert store is not None
    rng = np.random.default_rng(1)
    weight = (rng.uniform(-1, 1, (2, 3, 3, 3)) * largest).astype(np.float16)
    placeholder = Builder.placeholder(shape=(1, 3, 8, 8))
    with Function({"x": placeholder}, opset_version=ct.target.iOS16):
        stored = store("w", weight).op
    exact = weight.astype(float)
    restored = stored.quantized_data.val.astype(float) * stored.scale.val.astype(float).reshape(
        -1, 1, 1, 1
    )
    step = np.maximum(stored.scale.val.astype(float), 2.0**-24).reshape(-1, 1, 1, 1)
    # A diffused error is at most a step away from its own, half a step each.
    assert (np.abs(restored - exact) <= 1.5 * step).all()
