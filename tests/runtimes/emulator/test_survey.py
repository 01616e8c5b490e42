"""Naming the first value that is not finite."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from lama_edge.runtimes.emulator.program import Program
from lama_edge.runtimes.emulator.survey import NotFinite, first_not_finite


@pytest.fixture(scope="module")
def growing() -> Program:
    """A float16 graph that multiplies by 200 again and again; the last takes NaN out again."""
    nodes = [
        helper.make_node("Mul", ["x", "gain"], ["once"]),
        helper.make_node("Mul", ["once", "gain"], ["twice"]),
        helper.make_node("Mul", ["twice", "gain"], ["thrice"]),
        helper.make_node("Sub", ["thrice", "thrice"], ["none"]),
        helper.make_node("Equal", ["none", "none"], ["sound"]),
        helper.make_node("Where", ["sound", "none", "x"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "growing",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT16, (2,))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT16, (2,))],
        [numpy_helper.from_array(np.array(200, np.float16), "gain")],
    )
    return Program.load(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]))


def _feeds(*x: float) -> dict[str, np.ndarray]:
    return {"x": np.array(x, np.float16)}


def test_the_first_value_that_is_not_finite_is_named_with_its_operator(growing: Program) -> None:
    assert first_not_finite(growing, _feeds(0, -0.001)) is None
    assert first_not_finite(growing, _feeds(0, -1)) == NotFinite("thrice", "Mul", 3)
    assert first_not_finite(growing, _feeds(0, 2)) == NotFinite("twice", "Mul", 2)
    assert first_not_finite(growing, _feeds(float("nan"), 0)) == NotFinite("once", "Mul", 1)


def test_every_float_is_shown_with_its_operator_in_the_graphs_order(growing: Program) -> None:
    found = []
    growing.run(_feeds(0.5, -1), observe=lambda *seen: found.append((*seen[:2], *seen[2].tolist())))
    assert str(found) == str(
        [
            ("once", "Mul", 100.0, -200.0),
            ("twice", "Mul", 20000.0, -40000.0),
            ("thrice", "Mul", float("inf"), float("-inf")),
            ("none", "Sub", float("nan"), float("nan")),
            ("y", "Where", 0.5, -1.0),
        ]
    )


@pytest.mark.parametrize("dtype", [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE])
@pytest.mark.parametrize(
    ("elements", "is_finite"),
    [
        ([], True),
        ([1, -3, -0.0], True),
        ([1, float("nan"), 2], False),
        ([-float("nan"), 2], False),
        ([-3, float("inf")], False),
        ([float("-inf"), 3], False),
    ],
)
def test_values_that_are_not_finite_are_found_among_others(
    dtype: int, elements: list[float], is_finite: bool
) -> None:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Neg", ["x"], ["z"])],
        "both",
        [helper.make_tensor_value_info("x", dtype, (None,))],
        [helper.make_tensor_value_info("z", dtype, (None,))],
    )
    program = Program.load(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]))
    feeds = {"x": np.array(elements, helper.tensor_dtype_to_np_dtype(dtype))}
    assert (first_not_finite(program, feeds) is None) is is_finite
