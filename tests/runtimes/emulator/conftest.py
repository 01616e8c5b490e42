"""One-node models run by the emulator and by ONNX's own reference evaluator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from lama_edge.runtimes.emulator.program import Program

Array = NDArray[Any]
Agrees = Callable[..., list[Array]]


def one_node_model(
    op: str, arrays: Sequence[Array | None], opset: int, attributes: dict[str, Any]
) -> onnx.ModelProto:
    """Return a model of one node whose inputs are those of the graph; None leaves one out."""
    names = ["" if array is None else f"x{index}" for index, array in enumerate(arrays)]
    inputs = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
        )
        for name, array in zip(names, arrays, strict=True)
        if array is not None
    ]
    # The element type of an output is not read by either; it is checked on what comes out.
    declared = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    node = helper.make_node(op, names, ["y"], name="only", **attributes)
    graph = helper.make_graph([node], "one node", inputs, [declared])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def units_apart(ours: Array, theirs: Array) -> int:
    """Return the largest distance in units in the last place; NaN agrees with NaN only."""
    assert np.array_equal(np.isnan(ours), np.isnan(theirs))
    whole = np.int32 if ours.dtype == np.float32 else np.int16
    lined_up = []
    for array in (ours, theirs):
        bits = np.array(np.where(np.isnan(array), array.dtype.type(0), array)).view(whole)
        integers = bits.astype(np.int64)
        # Negative numbers count down from minus zero.
        lined_up.append(np.where(integers < 0, np.iinfo(whole).min - integers, integers))
    return int(np.abs(lined_up[0] - lined_up[1]).max(initial=0))


@pytest.fixture(scope="session")
def as_half() -> Callable[[onnx.ModelProto], onnx.ModelProto]:
    """Turn a float32 model into one that is float16 throughout, inputs and outputs included."""

    def convert(model: onnx.ModelProto) -> onnx.ModelProto:
        half = onnx.ModelProto()
        half.CopyFrom(model)
        del half.graph.value_info[:]
        for tensor in half.graph.initializer:
            if tensor.data_type == TensorProto.FLOAT:
                array = numpy_helper.to_array(tensor).astype(np.float16)
                tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
        for value in (*half.graph.input, *half.graph.output):
            if value.type.tensor_type.elem_type == TensorProto.FLOAT:
                value.type.tensor_type.elem_type = TensorProto.FLOAT16
        for node in half.graph.node:
            for attribute in node.attribute:
                if attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                    attribute.i = TensorProto.FLOAT16
        return half

    return convert


@pytest.fixture(scope="session")
def emulate() -> Callable[..., Array]:
    """Run a node in the emulator and return its output."""

    def run(op: str, *arrays: Array | None, opset: int = 17, **attributes: Any) -> Array:
        model = one_node_model(op, arrays, opset, attributes)
        feeds = {f"x{index}": array for index, array in enumerate(arrays) if array is not None}
        return Program.load(model).run(feeds)["y"]

    return run


@pytest.fixture(scope="session")
def agrees() -> Agrees:
    """Run a node in both, assert that they agree, and return the emulator's outputs."""

    def check(
        op: str,
        *arrays: Array | None,
        opset: int = 17,
        units: int = 0,
        **attributes: Any,
    ) -> list[Array]:
        model = one_node_model(op, arrays, opset, attributes)
        feeds = {f"x{index}": array for index, array in enumerate(arrays) if array is not None}
        ours = list(Program.load(model).run(feeds).values())
        with np.errstate(all="ignore"):
            theirs = ReferenceEvaluator(model).run(None, feeds)
        assert len(ours) == len(theirs) == 1
        for mine, other in zip(ours, map(np.asarray, theirs), strict=True):
            assert (mine.dtype, mine.shape) == (other.dtype, other.shape)
            if mine.dtype.kind == "f":
                assert units_apart(mine, other) <= units
            else:
                assert np.array_equal(mine, other)
        return ours

    return check
