"""How large a value of a graph became, and the first that is not a finite number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lama_edge.runtimes.base import Array
from lama_edge.runtimes.emulator.execution import Observable


@dataclass(frozen=True)
class NotFinite:
    """A value with NaN or infinite elements.

    Attributes:
        name: the value's name.
        op: the operator that gives it.
        checked: how many values were looked at, this one included.
    """

    name: str
    op: str
    checked: int


def first_not_finite(program: Observable, feeds: Mapping[str, Array]) -> NotFinite | None:
    """Run a graph up to the first value that has NaN or infinite elements.

    Args:
        program: the graph.
        feeds: an array for each of its inputs.

    Returns:
        The value, or None when all are finite.

    Raises:
        ModelError: when the run fails, see `Program.run`.
    """
    checked = 0

    def check(name: str, op: str, value: Array) -> None:
        nonlocal checked
        checked += 1
        if measured(value)[1]:
            raise _FoundError(NotFinite(name, op, checked))

    try:
        program.run(feeds, observe=check)
    except _FoundError as found:
        return found.value
    return None


def measured(value: Array) -> tuple[float, int]:
    """Return the largest magnitude of the finite elements, and how many others there are."""
    if value.size == 0:
        return 0.0, 0
    magnitudes = np.abs(value)
    # As integers they have the same order, NaN at its end; NumPy is slow in float16.
    largest = float(magnitudes.view(f"i{value.itemsize}").max().view(value.dtype))
    if largest < float("inf"):
        return largest, 0
    finite = magnitudes[np.isfinite(magnitudes)]
    return float(finite.max(initial=0)), value.size - finite.size


class _FoundError(Exception):
    """Ends the run early."""

    def __init__(self, value: NotFinite) -> None:
        super().__init__(value.name)
        self.value = value
