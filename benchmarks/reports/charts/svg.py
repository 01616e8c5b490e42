"""Geometry of the bar charts: everything in percent of the width, so that they fit any screen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# Outliers may stretch the scale this far past the slowest p90; what lies further is only counted.
_STRETCH = 1.5
_TICKS = 5
# Samples nearer to each other than this share of the width (in percent) would be drawn as one.
_RUG_STEP = 0.25


@dataclass(frozen=True)
class Bar:
    """One row of a chart; positions are percentages of the width.

    Attributes:
        name: what the row is about.
        qualifiers: what tells it from rows of the same name.
        value: the figure that the bar shows, spelled out.
        length: where the bar ends.
        whisker: from where to where the whisker reaches, if there is one.
        rug: where the individual samples lie.
        mark: where a limit lies, if there is one.
        note: what the drawing leaves out, if anything.
        description: the row in words, for those who cannot see it.
        tone: ``accent``, ``pass`` or ``fail``.
    """

    name: str
    qualifiers: tuple[str, ...]
    value: str
    length: float
    whisker: tuple[float, float] | None = None
    rug: tuple[float, ...] = ()
    mark: float | None = None
    note: str = ""
    description: str = ""
    tone: str = "accent"


@dataclass(frozen=True)
class Chart:
    """Bars on one axis.

    Attributes:
        title: what the bars are of, such as a device; empty where the section says it.
        bars: the rows.
        ticks: position in percent and text of each tick.
    """

    title: str
    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Scale:
    """A linear axis from 0.

    Attributes:
        top: the value at the right end.
        ticks: position in percent and text of each tick.
    """

    top: float
    ticks: tuple[tuple[float, str], ...]

    def position(self, value: float) -> float:
        """Return where a value lies, in percent of the width; past the top it is 100."""
        return round(min(max(value / self.top, 0.0), 1.0) * 100, 2)

    def rug(self, values: Sequence[float]) -> tuple[float, ...]:
        """Return where the values below the top lie, each place once."""
        places = {round(self.position(v) / _RUG_STEP) for v in values if v <= self.top}
        return tuple(place * _RUG_STEP for place in sorted(places))


def linear_scale(largest: float, unit: Callable[[float], tuple[float, str]]) -> Scale:
    """Return an axis from 0 to a round value no smaller than `largest`.

    Args:
        largest: what must fit.
        unit: gives the unit that suits a value: its size and its name.
    """
    largest = largest or 1.0
    factor, name = unit(largest)
    step = _round_step(largest / factor / _TICKS)
    steps = math.ceil(largest / factor / step - 1e-9)
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    texts = ["0", *(f"{i * step:.{places}f}" for i in range(1, steps + 1))]
    texts[-1] += f"\u00a0{name}"
    ticks = tuple((round(100 * i / steps, 2), text) for i, text in enumerate(texts))
    return Scale(steps * step * factor, ticks)


def latency_limit(samples: Sequence[Sequence[float]], p90s: Sequence[float]) -> float:
    """Return how far a latency axis must reach: to the slowest sample, within reason."""
    slowest = max((max(row) for row in samples if row), default=0.0)
    return min(slowest, _STRETCH * max(p90s)) if p90s else slowest


@dataclass(frozen=True)
class LogScale:
    """A logarithmic axis over whole decades.

    Attributes:
        low: exponent of ten at the left end.
        high: exponent of ten at the right end.
    """

    low: int
    high: int

    @property
    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Position in percent and text of each tick."""
        step = 1 if self.high - self.low <= _TICKS else 2
        return tuple(
            (self.position(10.0**exponent), "1" if exponent == 0 else f"1e{exponent}")
            for exponent in range(self.high, self.low - 1, -step)
        )[::-1]

    def position(self, value: float) -> float:
        """Return where a value lies, in percent of the width; what lies outside is at the end."""
        if value <= 0:
            return 0.0
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return round(min(max(share, 0.0), 1.0) * 100, 2)


def log_scale(values: Sequence[float]) -> LogScale:
    """Return an axis whose decades hold all positive values, with room at the left."""
    positive = [value for value in values if value > 0 and math.isfinite(value)]
    if not positive:
        return LogScale(-8, 0)
    low = math.floor(math.log10(min(positive))) - 1
    return LogScale(low, max(math.ceil(math.log10(max(positive)) + 1e-9), low + 3))


def round_up(value: float) -> float:
    """Return the least of 1, 2 and 5 times a power of ten that is no smaller than `value`."""
    return _round_step(value)


def _round_step(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * digit for digit in (1, 2, 5, 10) if power * digit >= value * (1 - 1e-9))
