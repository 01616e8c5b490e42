"""Arithmetic written into a graph, against the same on arrays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest

from lama_edge.exporters.graph.builder import GraphBuilder
from lama_edge.exporters.graph.expressions import Expression, best_divisor, extent, stacked

RunLayer = Callable[[Callable[[GraphBuilder, ir.Value], ir.Value], np.ndarray], np.ndarray]


@pytest.fixture
def compute(run_layer: RunLayer) -> Callable[..., np.ndarray]:
    """Compute what is made of a number that only the graph's input tells."""

    def compute(write: Callable[[GraphBuilder, Expression], Expression], n: int) -> np.ndarray:
        def flat(b: GraphBuilder, x: ir.Value) -> ir.Value:
            result = write(b, extent(b, x, 0))
            return result.as_type("float32").shaped(1, 1, 1, -1).value

        return run_layer(flat, np.zeros((n, 1, 1, 1), np.float32)).ravel()

    return compute


Compute = Callable[[Callable[[GraphBuilder, Expression], Expression], int], np.ndarray]


@pytest.mark.parametrize("length", [2, 3, 5, 8])
def test_positions_beyond_either_end_are_reflected(compute: Compute, length: int) -> None:
    beyond = length - 1
    found = compute(lambda b, n: ((n + 2 * beyond).steps() - beyond).reflected(n), length)
    assert np.array_equal(found, np.pad(np.arange(length), beyond, mode="reflect"))


def test_positions_too_far_to_be_reflected_are_still_on_the_axis(compute: Compute) -> None:
    found = compute(lambda b, n: ((n + 9).steps() - 3).reflected(n), 2)
    assert set(found) <= {0, 1}


def test_tiles_cover_what_there_is(compute: Compute) -> None:
    found = compute(lambda b, n: n.steps().tiles(4), 12)
    assert found.tolist() == [0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3]


@pytest.mark.parametrize(
    ("costs", "divisor"),
    [
        ([3, 1, 2, 0, 1, 5, 1, 1, 0, 1, 1, 4], 4),
        # What does not divide 12 is no choice, however cheap.
        ([3, 2, 2, 2, -9, 1, -9, -9, -9, -9, -9, 4], 6),
        # The first of several that cost the same.
        ([3, 1, 1, 1, 0, 1, 0, 0, 0, 0, 0, 1], 2),
        ([1] * 12, 1),
        ([12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1], 12),
    ],
)
def test_the_best_divisor_costs_least(compute: Compute, costs: list[int], divisor: int) -> None:
    def write(b: GraphBuilder, n: Expression) -> Expression:
        cost = Expression(b, b.constant("costs", np.array(costs, np.float32)), "float32")
        return best_divisor(n, cost, n.steps() + 1)

    assert compute(write, 12) == [divisor]


@pytest.mark.parametrize("axis", [0, 1])
def test_stacked_parts_have_an_axis_of_their_own(compute: Compute, axis: int) -> None:
    found = compute(lambda b, n: stacked([n.steps(), -n.steps(), n.steps() * 3], axis), 5)
    steps = np.arange(5)
    assert np.array_equal(found, np.stack([steps, -steps, steps * 3], axis).ravel())


def test_rests_choices_and_orders_are_those_of_arrays(compute: Compute) -> None:
    picked = compute(lambda b, n: (n.steps() * 2 % 5).where((n.steps() % 2).equals(0), 9), 6)
    assert picked.tolist() == [0, 9, 4, 9, 3, 9]
    divided = compute(lambda b, n: (n.steps() + 7) // 3, 6)
    assert divided.tolist() == [2, 2, 3, 3, 3, 4]
    halves = compute(lambda b, n: n.steps().as_type("float32") / 2.0 - 1.0, 4)
    assert halves.tolist() == [-1.0, -0.5, 0.0, 0.5]
    moved = compute(lambda b, n: n.steps().shaped(2, n // 2).moved(1, 0), 6)
    assert moved.tolist() == [0, 3, 1, 4, 2, 5]


def test_one_formula_can_be_written_twice(compute: Compute) -> None:
    """Every node gets a name of its own."""
    assert compute(lambda b, n: (n.tiles(4) + 1) * (n.tiles(4) + 1), 9) == [16]
