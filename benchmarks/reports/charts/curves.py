"""Geometry of the line charts: places across in percent, so that they fit any screen, down in px.

Magnitudes stand on an axis of powers of two, since that is what number formats are made of.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

HEIGHT_PX = 340
_MAX_ROWS = 9
_FEWEST_OCTAVES = 4
# Labels of places nearer to each other than this, in percent, would run into each other; on a
# phone, where only every other one is shown, half as many fit.
_LABEL_STEP = 7.0
_LABEL_EDGE = 95.0
_LONGEST_STEP = 4.0
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_MARKERS = {
    "whole": "M-3.5 0L0 -3.5L3.5 0L0 3.5Z",
    "local": "M-3.4 -3.4H3.4V3.4H-3.4Z",
    "global": "M0 -4.2L4.2 3.4H-4.2Z",
    "spectrum": "M-3.9 0A3.9 3.9 0 1 0 3.9 0A3.9 3.9 0 1 0 -3.9 0Z",
}


@dataclass(frozen=True)
class Curve:
    """One series.

    Attributes:
        name: what it is of; its colour and marker go by it.
        marker: the SVG path of its marker, around (0, 0).
        points: its places: percent from the left, pixels from the top, and what each is, in words.
        lines: from place to place, as (x1, y1, x2, y2).
        low_lines: the same of a second, lower figure of each place.
    """

    name: str
    marker: str
    points: tuple[tuple[float, float, str], ...]
    lines: tuple[tuple[float, float, float, float], ...]
    low_lines: tuple[tuple[float, float, float, float], ...] = ()


@dataclass(frozen=True)
class Curves:
    """A line chart.

    Attributes:
        description: the chart in words.
        curves: its series.
        rows: position in pixels and text of each grid line.
        places: position in percent, text, and its style: ``between`` where a narrow screen
            leaves it out, ``end`` at the right edge, else empty.
        limits: position in pixels, text, and where its text stands from it, in pixels.
        height: of the drawing, in pixels.
    """

    description: str
    curves: tuple[Curve, ...]
    rows: tuple[tuple[float, str], ...]
    places: tuple[tuple[float, str, str], ...]
    limits: tuple[tuple[float, str, float], ...] = ()
    height: int = HEIGHT_PX


@dataclass(frozen=True)
class Octaves:
    """An axis of powers of two.

    Attributes:
        low: exponent of two at the bottom.
        high: exponent of two at the top.
        height: in pixels.
    """

    low: int
    high: int
    height: int = HEIGHT_PX

    @property
    def rows(self) -> tuple[tuple[float, str], ...]:
        """Position in pixels and text of each grid line."""
        step = math.ceil((self.high - self.low) / (_MAX_ROWS - 1))
        first = -(-self.low // step) * step
        return tuple(
            (self.position(2.0**power), f"2{str(power).translate(_SUPERSCRIPTS)}")
            for power in range(first, self.high + 1, step)
        )

    def position(self, value: float) -> float:
        """Return where a value lies, in pixels from the top; what lies outside is at the end."""
        if value <= 0:
            return float(self.height)
        share = (self.high - math.log2(value)) / (self.high - self.low)
        return round(min(max(share, 0.0), 1.0) * self.height, 1)


def octaves(values: Sequence[float], *, height: int = HEIGHT_PX) -> Octaves:
    """Return an axis that holds all positive values."""
    positive = [value for value in values if value > 0 and math.isfinite(value)] or [1.0]
    low = math.floor(math.log2(min(positive)))
    high = math.ceil(math.log2(max(positive)) + 1e-9)
    return Octaves(low, max(high, low + _FEWEST_OCTAVES), height)


def curve(
    name: str,
    places: Sequence[float],
    values: Sequence[float],
    texts: Sequence[str],
    axis: Octaves,
    low_values: Sequence[float] = (),
) -> Curve:
    """Draw one series.

    Args:
        name: ``whole``, ``local``, ``global`` or ``spectrum``.
        places: percent from the left, ascending.
        values: the figure at each place.
        texts: what each place is, in words.
        axis: where values lie.
        low_values: a second figure at each place, or none at all.
    """
    heights = [axis.position(value) for value in values]
    lows = [axis.position(value) for value in low_values]
    return Curve(
        name,
        _MARKERS[name],
        tuple(zip(places, heights, texts, strict=True)),
        joined(list(zip(places, heights, strict=True))),
        joined(list(zip(places, lows, strict=False))),
    )


def marker_of(name: str) -> str:
    """Return the SVG path of a series' marker."""
    return _MARKERS[name]


def spread_places(count: int) -> list[float]:
    """Return `count` places at equal distances, in percent, with room at both ends."""
    return [round(100 * (index + 0.5) / count, 3) for index in range(count)]


def labelled(starts: Mapping[str, float]) -> tuple[tuple[float, str, str], ...]:
    """Choose which places get their labels, see `Curves.places`.

    Args:
        starts: label to its place in percent, ascending.
    """
    chosen: list[tuple[float, str]] = []
    for text, place in starts.items():
        if not chosen or place - chosen[-1][0] >= _LABEL_STEP:
            chosen.append((place, text))
    return tuple(
        (place, text, "end" if place > _LABEL_EDGE else "between" if index % 3 else "")
        for index, (place, text) in enumerate(chosen)
    )


def joined(
    points: Sequence[tuple[float, float]],
) -> tuple[tuple[float, float, float, float], ...]:
    """Join neighbours; where a series pauses for several places, so does its line.

    Args:
        points: percent from the left, ascending, and pixels from the top.
    """
    usual = min((x2 - x1 for (x1, _), (x2, _) in pairwise(points)), default=0.0)
    return tuple(
        (x1, y1, x2, y2)
        for (x1, y1), (x2, y2) in pairwise(points)
        if x2 - x1 < _LONGEST_STEP * usual
    )
