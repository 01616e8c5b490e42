"""Measuring the magnitudes in a graph, and naming the first value that is not finite."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from lama_edge.runtimes.emulator.program import Program
from lama_edge.runtimes.emulator.survey import (
    NotFinite,
    first_not_finite,
    measured,
)


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
    growing.run(
        _feeds(0.5, -1), observe=lambda *seen: found.append((*seen[:2], *measured(seen[2])))
    )
    assert found == [
        ("once", "Mul", 200, 0),
        ("twice", "Mul", 40000, 0),
        ("thrice", "Mul", 0, 2),
        ("none", "Sub", 0, 2),
        ("y", "Where", 1, 0),
    ]


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ([], (0, 0)),
        ([1, -3, 2], (3, 0)),
        ([float("inf"), -3, float("nan"), float("-inf")], (3, 3)),
        ([float("nan")], (0, 1)),
    ],
)
def test_infinite_elements_are_counted_and_left_out(
    elements: list[float], expected: tuple[float, int]
) -> None:
    assert measured(np.array(elements, np.float16)) == expected
