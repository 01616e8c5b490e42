"""How large the values of a graph become over calibration pictures, and what that is too much for.

Values are grouped by the layer and the branch that their names tell: ``block03.conv1.local`` is
of the local branch of the first convolution in the fourth block.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

PERCENTILES = (50.0, 99.0, 99.9, 99.99)

FP16_LARGEST = 65504.0
# Where Apple's Neural Engine is reported to saturate.
NEURAL_ENGINE_LARGEST = 32752.0
FP16_LEAST_NORMAL = 2.0**-14

Branch = Literal["whole", "local", "global", "spectrum", "matrices"]
BRANCHES: tuple[Branch, ...] = get_args(Branch)
Mark = Literal["not finite", "over fp16", "over neural engine", "subnormal in fp16"]
MARKS: tuple[Mark, ...] = get_args(Mark)

_DFT_SCOPE = "dft"
_SPECTRAL_SCOPE = "spectral"
_BLOCK_PREFIX = "block"
# Operators whose results hold what other values hold.
_COPIES = (
    *("Concat", "DepthToSpace", "Gather", "Pad", "Reshape"),
    *("Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"),
)


@dataclass(frozen=True)
class ValueRange:
    """What one floating-point value of a graph reached.

    Attributes:
        name: the value's name, such as ``block03.conv1.local_to_local``.
        op: the operator that gives it.
        low: float32 [C], the smallest element of each channel (axis 1); [1] for a value that is
            not of four axes.
        high: float32 [C], the largest.
        percentiles: of the elements' magnitudes, in the order of `PERCENTILES`.
        by_size: picture size, as ``HEIGHTxWIDTH``, to the largest magnitude at that size.
        not_finite: how many elements were infinite or NaN; the other figures leave them out.
    """

    name: str
    op: str
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    percentiles: tuple[float, ...]
    by_size: Mapping[str, float]
    not_finite: int = 0

    @property
    def largest(self) -> float:
        """The largest magnitude."""
        return float(max(-self.low.min(), self.high.max()))

    @property
    def marks(self) -> tuple[Mark, ...]:
        """What is remarkable about the largest magnitude, see `marks_of`."""
        return marks_of(self.largest, self.not_finite)

    def to_dict(self) -> dict[str, Any]:
        """Return the range as plain data, ready for JSON, without the channels."""
        return {
            "name": self.name,
            "op": self.op,
            "low": float(self.low.min()),
            "high": float(self.high.max()),
            "largest": self.largest,
            "percentiles": {
                f"{percent:g}": value
                for percent, value in zip(PERCENTILES, self.percentiles, strict=True)
            },
            "by_size": dict(self.by_size),
            "not_finite": self.not_finite,
        }


@dataclass(frozen=True)
class Ranges:
    """The ranges of a graph's floating-point values.

    Attributes:
        values: by name, in the graph's order.
        pictures: number of calibration pictures.
    """

    values: Mapping[str, ValueRange]
    pictures: int


@dataclass(frozen=True)
class LayerRange:
    """What the values of one branch of one layer reached.

    Attributes:
        layer: such as ``stem``, ``block03.conv1``, or ``block03`` for the sums at its end.
        branch: ``local``, ``global`` or ``spectrum`` (all between the global branch's two 1x1
            convolutions); ``whole`` where a map is not divided; ``matrices`` for the DFT's own.
        values: the ranges of what it computes, in the graph's order.
    """

    layer: str
    branch: Branch
    values: tuple[ValueRange, ...]

    @property
    def peak(self) -> ValueRange:
        """The value with the largest magnitude, the first of several."""
        return max(self.values, key=lambda value: value.largest)

    @property
    def by_size(self) -> dict[str, float]:
        """Picture size to the largest magnitude of a value at that size."""
        found: dict[str, float] = {}
        for value in self.values:
            for size, largest in value.by_size.items():
                found[size] = max(found.get(size, 0.0), largest)
        return found

    @property
    def marks(self) -> tuple[Mark, ...]:
        """The marks of any value, in the order of `MARKS`."""
        found = {mark for value in self.values for mark in value.marks}
        return tuple(mark for mark in MARKS if mark in found)

    def to_dict(self) -> dict[str, Any]:
        """Return the group as plain data, ready for JSON; its percentiles are the peak's."""
        peak = self.peak.to_dict()
        return {
            "layer": self.layer,
            "branch": self.branch,
            "peak": peak["name"],
            "op": peak["op"],
            "largest": peak["largest"],
            "percentiles": peak["percentiles"],
            "by_size": self.by_size,
            "not_finite": sum(value.not_finite for value in self.values),
            "marks": list(self.marks),
            "values": len(self.values),
        }


def marks_of(largest: float, not_finite: int = 0) -> tuple[Mark, ...]:
    """Return what is remarkable about a value.

    Args:
        largest: its largest finite magnitude.
        not_finite: how many of its elements were infinite or NaN.

    Returns:
        ``not finite``; ``over fp16`` above 65504, or ``over neural engine`` above 32752 alone;
        ``subnormal in fp16`` where all of it lies below 2^-14 and keeps few digits.
    """
    found: list[Mark] = ["not finite"] if not_finite else []
    if largest > FP16_LARGEST:
        found.append("over fp16")
    elif largest > NEURAL_ENGINE_LARGEST:
        found.append("over neural engine")
    elif 0 < largest < FP16_LEAST_NORMAL:
        found.append("subnormal in fp16")
    return tuple(found)


def layer_of(name: str) -> str:
    """Return the layer that a value's name tells."""
    parts = name.split(".")
    if parts[0].startswith(_BLOCK_PREFIX) and len(parts) > 2:
        return ".".join(parts[:2])
    return parts[0]


def branch_of(name: str) -> Branch:
    """Return the branch that a value's name tells."""
    *scopes, role = name.split(".")
    if _DFT_SCOPE in scopes:
        return "matrices"
    if _SPECTRAL_SCOPE in scopes:
        return "spectrum"
    # What flows from one branch to another belongs to the sum that it ends in.
    words = role.rpartition("_to_")[2].split("_")
    if "local" in words:
        return "local"
    return "global" if "global" in words else "whole"


def layer_ranges(values: Iterable[ValueRange]) -> list[LayerRange]:
    """Group ranges by layer and branch, layers in the order of their appearance.

    What only copies other values (padding, concatenation and the like) is left out.
    """
    groups: dict[tuple[str, Branch], list[ValueRange]] = {}
    for value in values:
        if value.op not in _COPIES:
            groups.setdefault((layer_of(value.name), branch_of(value.name)), []).append(value)
    order = {layer: number for number, layer in enumerate(dict.fromkeys(k[0] for k in groups))}
    return [
        LayerRange(*key, tuple(groups[key]))
        for key in sorted(groups, key=lambda key: (order[key[0]], BRANCHES.index(key[1])))
    ]
