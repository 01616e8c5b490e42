"""Finds the first value of a graph that is not a finite number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lama_edge.runtimes.base import Array
from lama_edge.runtimes.emulator.execution import StepwiseProgram


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


def first_not_finite(program: StepwiseProgram[Any], feeds: Mapping[str, Array]) -> NotFinite | None:
    """Run a graph up to the first value that has NaN or infinite elements.

    Args:
        program: the graph.
        feeds: an array for each of its inputs.

    Returns:
        The value, or None when all are finite.

    Raises:
        ModelError: when the run fails, see `StepwiseProgram.run`.
    """
    checked = 0

    def check(name: str, op: str, value: Array) -> None:
        nonlocal checked
        checked += 1
        if not _is_finite(value):
            raise _FoundError(NotFinite(name, op, checked))

    try:
        program.run(feeds, observe=check)
    except _FoundError as found:
        return found.value
    return None


def _is_finite(value: Array) -> bool:
    # As integers magnitudes have the same order, NaN at its end; NumPy is slow in float16.
    magnitudes = np.abs(value).view(f"i{value.itemsize}")
    return bool(np.isfinite(magnitudes.max(initial=0).view(value.dtype)))


class _FoundError(Exception):
    """Ends the run early."""

    def __init__(self, value: NotFinite) -> None:
        super().__init__(value.name)
        self.value = value
