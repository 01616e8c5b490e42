"""How large the values of a graph become, and the first that is not a finite number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lama_edge.errors import needs_extra
from lama_edge.runtimes.base import Array
from lama_edge.runtimes.emulator.execution import Observable

with needs_extra("export"):
    import torch


@dataclass(frozen=True)
class Magnitude:
    """How large one value became.

    Attributes:
        name: the value's name.
        op: the operator that gave it.
        largest: the largest magnitude of its finite elements, 0 when it has none.
        not_finite: how many elements were infinite or NaN.
    """

    name: str
    op: str
    largest: float
    not_finite: int

    def passes(self, limit: float) -> bool:
        """Tell whether the value has elements beyond `limit`, or that are no finite numbers."""
        return self.largest > limit or self.not_finite > 0


def survey(program: Observable, feeds: Mapping[str, Array]) -> list[Magnitude]:
    """Run a graph and measure every floating-point output of a node, in the graph's order.

    Args:
        program: the graph.
        feeds: an array for each of its inputs.

    Raises:
        ModelError: when the run fails, see `Program.run`.
    """
    found = []

    def measure(name: str, op: str, value: torch.Tensor) -> None:
        largest, not_finite = measured(value)
        found.append(Magnitude(name, op, largest, not_finite))

    program.run(feeds, observe=measure)
    return found


def largest_by_op(magnitudes: Sequence[Magnitude]) -> dict[str, Magnitude]:
    """Return for each operator its largest value; one with infinite elements comes first."""
    largest: dict[str, Magnitude] = {}
    for each in magnitudes:
        known = largest.setdefault(each.op, each)
        if (each.not_finite > 0, each.largest) > (known.not_finite > 0, known.largest):
            largest[each.op] = each
    return largest


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

    def check(name: str, op: str, value: torch.Tensor) -> None:
        nonlocal checked
        checked += 1
        if measured(value)[1]:
            raise _FoundError(NotFinite(name, op, checked))

    try:
        program.run(feeds, observe=check)
    except _FoundError as found:
        return found.value
    return None


def measured(value: torch.Tensor) -> tuple[float, int]:
    """Return the largest magnitude of the finite elements, and how many others there are."""
    if value.numel() == 0:
        return 0.0, 0
    low, high = (float(bound) for bound in value.aminmax())
    largest = max(-low, high)
    # A NaN among the elements makes both bounds NaN.
    if largest < float("inf"):
        return largest, 0
    finite = value[value.isfinite()]
    kept = float(finite.abs().max()) if finite.numel() else 0.0
    return kept, value.numel() - finite.numel()


class _FoundError(Exception):
    """Ends the run early."""

    def __init__(self, value: NotFinite) -> None:
        super().__init__(value.name)
        self.value = value
