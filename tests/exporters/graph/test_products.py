"""Spectral transforms as products of rows of channels: the graph computes what it did."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest
from places import DATA

from lama_edge.exporters.formats.onnx.file import finish
from lama_edge.exporters.graph.deploy_graph import GraphOptions, build_deploy_graph
from lama_edge.exporters.graph.layers import Kernels
from lama_edge.models.checkpoint import load_checkpoint
from lama_edge.spec import Size, SizePolicy, io_spec

# Measured 1.1e-6 at most.
LARGEST_DIFFERENCE = 1e-5


def _graph(family: str | None, size: Size | None, kernels: Kernels) -> ir.Model:
    checkpoint = load_checkpoint(None if family is None else DATA / family)
    policy = SizePolicy(size, checkpoint.config.size_multiple, checkpoint.config.min_size)
    options = GraphOptions(io_spec("float", composite=False), policy, kernels=kernels)
    return build_deploy_graph(checkpoint.config, checkpoint.tensors, options)


def _run(model: ir.Model, feeds: dict[str, np.ndarray]) -> np.ndarray:
    data = finish(model).SerializeToString()
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, feeds)[0])


def _kinds(model: ir.Model) -> Counter[str]:
    return Counter(node.op_type for node in model.graph)


# The least bottleneck, odd ones, oblong ones; two pictures at once.
@pytest.mark.parametrize("size", [Size(16, 16), Size(24, 40), Size(72, 104), Size(184, 72)])
@pytest.mark.parametrize("family", [None, "fourier"])
def test_the_whole_graph_computes_the_same(family: str | None, size: Size) -> None:
    rng = np.random.default_rng(1)
    feeds = {
        "image": rng.random((2, 3, size.height, size.width), dtype=np.float32),
        "mask": (rng.random((2, 1, size.height, size.width)) < 0.3).astype(np.float32),
    }
    found, wanted = (
        _run(_graph(family, size, kernels), feeds) for kernels in ("products", "direct")
    )
    assert np.abs(found - wanted).max() <= LARGEST_DIFFERENCE


def test_nothing_is_transposed_between_a_transforms_ends() -> None:
    """Ten transforms, each with its map's channels moved to the end and back."""
    found = _kinds(_graph(None, Size(64, 64), "products"))
    assert (found["Transpose"], found["Gemm"], found["MatMul"]) == (20, 30, 40)


@pytest.mark.parametrize(("family", "size"), [(None, None), ("regular", Size(64, 64))])
def test_other_graphs_are_the_direct_ones(family: str | None, size: Size | None) -> None:
    """Those of any size, and those without a transform."""
    found, wanted = (_graph(family, size, kernels) for kernels in ("products", "direct"))
    assert _kinds(found) == _kinds(wanted)
    assert "Gemm" not in _kinds(found)
