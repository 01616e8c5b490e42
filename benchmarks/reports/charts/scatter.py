"""Geometry of the scatter charts: cost across in percent, closeness up in px."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lama_edge.benchmarks.reports.charts.svg import linear_scale

HEIGHT_PX = 260
# Room above the highest decibels, for what is equal to the reference.
_EQUAL_PX = 12.0
_TOP_PX = 52.0
_STEP_DB = 10
_LABEL_PX = 17.0
_RIGHT_SIDE = 60.0


@dataclass(frozen=True)
class Weighed:
    """One precision's cost and closeness.

    Attributes:
        name: the precision.
        cost: bytes or milliseconds.
        psnr_db: None where it is equal to the reference.
        tone: ``pass``, ``fail`` or ``base``.
        hollow: whether the cost is not to be trusted.
        text: the figures, in words.
    """

    name: str
    cost: float
    psnr_db: float | None
    tone: str
    hollow: bool
    text: str


@dataclass(frozen=True)
class Dot:
    """Where one precision lies.

    Attributes:
        of: the precision.
        x: percent from the left.
        y: pixels from the top.
        label_y: where the label stands, in pixels from the top.
        left: whether the label stands to the left.
    """

    of: Weighed
    x: float
    y: float
    label_y: float
    left: bool


@dataclass(frozen=True)
class Scatter:
    """A chart of closeness against one cost.

    Attributes:
        title: what the cost is.
        description: the chart in words.
        dots: the precisions.
        rows: position in pixels and text of each grid line.
        ticks: position in percent and text of each tick across.
        height: of the drawing, in pixels.
    """

    title: str
    description: str
    dots: tuple[Dot, ...]
    rows: tuple[tuple[float, str], ...]
    ticks: tuple[tuple[float, str], ...]
    height: int = HEIGHT_PX


def scatter(
    title: str, weighed: Sequence[Weighed], unit: Callable[[float], tuple[float, str]]
) -> Scatter:
    """Draw closeness against a cost: the better a precision, the further up and left it is.

    Args:
        title: what the cost is.
        weighed: the precisions, one at least.
        unit: gives the unit that suits a cost: its size and its name.
    """
    across = linear_scale(max(one.cost for one in weighed), unit)
    decibels = [one.psnr_db for one in weighed if one.psnr_db is not None]
    low = _STEP_DB * math.floor(min(decibels, default=0.0) / _STEP_DB - 1e-9)
    high = max(_STEP_DB * math.ceil(max(decibels, default=0.0) / _STEP_DB), low + _STEP_DB)
    step = _STEP_DB * math.ceil((high - low) / _STEP_DB / 5)

    def height_of(psnr_db: float | None) -> float:
        if psnr_db is None:
            return _EQUAL_PX
        share = (high - psnr_db) / (high - low)
        return round(_TOP_PX + share * (HEIGHT_PX - _TOP_PX), 1)

    dots: list[Dot] = []
    for one in sorted(weighed, key=lambda one: height_of(one.psnr_db)):
        x, y = across.position(one.cost), height_of(one.psnr_db)
        left = x > _RIGHT_SIDE
        taken = [d.label_y for d in dots if abs(d.x - x) < _RIGHT_SIDE / 2]
        label_y = max([y, *(place + _LABEL_PX for place in taken if place + _LABEL_PX > y)])
        dots.append(Dot(one, x, y, label_y, left))
    rows = [(height_of(float(db)), f"{db}") for db in range(low, high + 1, step)]
    return Scatter(
        title=title,
        description=f"{title} against PSNR: " + "; ".join(one.text for one in weighed),
        dots=tuple(dots),
        rows=((_EQUAL_PX, "equal"), *reversed(rows)),
        ticks=across.ticks,
    )
