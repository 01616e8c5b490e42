"""Exported graphs in the emulator: float32 against ONNX Runtime, float16 against the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from places import DATA

from lama_edge.exporters.formats.onnx.file import build_onnx
from lama_edge.exporters.graph.bands import ends as ends_in_bands
from lama_edge.exporters.graph.bands import extents as bands
from lama_edge.exporters.graph.deploy_graph import GraphOptions
from lama_edge.models.checkpoint import load_checkpoint
from lama_edge.runtimes.emulator.program import Program
from lama_edge.spec import Size, SizePolicy, io_spec

Array = NDArray[Any]

# Measured: 1.3e-6 with matrix products, 3.3e-6 with the DFT operator.
LARGEST_DIFFERENCE = 1e-5
# In float16, of the largest element of a node's output. The reference evaluator rounds a
# convolution's sum before it adds the bias, and each step of the sigmoid: measured 9.6e-4 and
# 6.0e-4. A product may come out as the neighbouring float16, as if its sum were added in another
# order: seen once on an EPYC, never on a Xeon. All other operators agree exactly.
LARGEST_HALF_DIFFERENCE = {"Conv": 2**-9, "Sigmoid": 2**-9, "MatMul": 2**-10}
FAMILIES = ("fourier", "regular", "dilated")
SIDES = Size(80, 96)


def _graph(
    name: str, *, form: Literal["float", "uint8"] = "float", fixed: bool = True, **options: Any
) -> onnx.ModelProto:
    checkpoint = load_checkpoint(DATA / name)
    config = checkpoint.config
    policy = SizePolicy(SIDES if fixed else None, config.size_multiple, config.min_size)
    io = io_spec(form, composite=True)
    return build_onnx(config, checkpoint.tensors, GraphOptions(io, policy, **options))


def _feeds(model: onnx.ModelProto) -> dict[str, Array]:
    rng = np.random.default_rng(0)
    image, mask = rng.random((1, 3, *_sides())), rng.random((1, 1, *_sides())) < 0.5
    if model.graph.input[0].type.tensor_type.elem_type == TensorProto.UINT8:
        levels = (image * 255).astype(np.uint8)
        return {
            "image": levels.transpose(0, 2, 3, 1),
            "mask": mask.transpose(0, 2, 3, 1).astype(np.uint8),
        }
    return {"image": image.astype(np.float32), "mask": mask.astype(np.float32)}


def _sides() -> tuple[int, int]:
    return SIDES.height, SIDES.width


def _difference(model: onnx.ModelProto) -> float:
    feeds = _feeds(model)
    ours = Program.load(model).run(feeds)["inpainted"]
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    (theirs,) = session.run(None, feeds)
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    return float(np.abs(ours.astype(np.float64) - theirs).max())


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("fixed", [True, False])
def test_float32_is_what_onnx_runtime_gives(name: str, fixed: bool) -> None:
    assert _difference(_graph(name, fixed=fixed)) <= LARGEST_DIFFERENCE


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize(("dft", "opset"), [("op", 17), ("op", 20), ("op", 23), ("matmul", 23)])
def test_every_form_of_the_dft_runs(fixed: bool, dft: str, opset: int) -> None:
    model = _graph("fourier", fixed=fixed, dft=dft, opset=opset)
    assert _difference(model) <= LARGEST_DIFFERENCE


@pytest.mark.parametrize("form", ["float", "uint8"])
@pytest.mark.parametrize("fixed", [True, False])
def test_loops_over_bands_are_what_onnx_runtime_gives(
    form: Literal["float", "uint8"], fixed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As small as these maps are, they would be one band each.
    monkeypatch.setattr(bands, "_BEST_TILES", 3)
    monkeypatch.setattr(bands, "_BEST_LINES", 24)
    monkeypatch.setattr(ends_in_bands, "_BEST_PIXELS", 1 << 9)
    model = _graph("fourier", form=form, fixed=fixed, kernels="bands")
    assert "Scan" in {node.op_type for node in model.graph.node}
    assert _difference(model) <= (LARGEST_DIFFERENCE if form == "float" else 1)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_uint8_form_differs_where_a_level_is_rounded_at_most(name: str) -> None:
    assert _difference(_graph(name, form="uint8", fixed=False)) <= 1


def test_the_embedded_model_is_what_onnx_runtime_gives() -> None:
    checkpoint = load_checkpoint(None)
    policy = SizePolicy(SIDES, checkpoint.config.size_multiple, checkpoint.config.min_size)
    options = GraphOptions(io_spec("float", composite=True), policy)
    model = build_onnx(checkpoint.config, checkpoint.tensors, options)
    assert _difference(model) <= LARGEST_DIFFERENCE


@pytest.mark.parametrize("name", FAMILIES)
def test_float16_is_what_the_reference_evaluator_gives_node_by_node(
    name: str, as_half: Callable[[onnx.ModelProto], onnx.ModelProto]
) -> None:
    model = as_half(_graph(name))
    feeds = {key: array.astype(np.float16) for key, array in _feeds(_graph(name)).items()}
    del model.graph.output[:]
    model.graph.output.extend(
        helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT16, None)
        for node in model.graph.node
    )
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    values |= {**feeds, **Program.load(model).run(feeds)}
    for node in model.graph.node:
        given = {name: values[name] for name in node.input}
        theirs = np.asarray(ReferenceEvaluator(node).run(None, given)[0]).astype(np.float64)
        ours = values[node.output[0]].astype(np.float64)
        allowed = LARGEST_HALF_DIFFERENCE.get(node.op_type, 0) * np.abs(theirs).max()
        assert np.abs(ours - theirs).max() <= allowed, node.name
