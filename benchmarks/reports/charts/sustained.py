"""The chart of a sustained run: latency over time, as the device warms up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median, quantiles
from typing import Any

from lama_edge.benchmarks.reports import figures
from lama_edge.benchmarks.reports.charts.curves import Curve, Curves, joined
from lama_edge.benchmarks.reports.charts.svg import linear_scale

_HEIGHT_PX = 200
# Runs are drawn in windows of equal time: that many fit a phone's screen.
_WINDOWS = 100
_TENTHS = 10
# A text this far to the right, in percent, stands before its place.
_EDGE = 95.0


def sustained_chart(name: str, sustained: Mapping[str, Any]) -> Curves:
    """Draw the median and the 90th percentile of each window.

    Args:
        name: what was run.
        sustained: the document's.
    """
    at_s, samples = sustained["at_s"], sustained["samples_ms"]
    # Of a stranger's document neither that time passed nor as many of one as of the other is sure.
    end_s = at_s[-1] + samples[-1] / 1e3 or 1.0
    windows: dict[int, list[float]] = {}
    for begin_s, sample in zip(at_s, samples, strict=False):
        windows.setdefault(min(int(_WINDOWS * begin_s / end_s), _WINDOWS - 1), []).append(sample)
    medians = {window: median(found) for window, found in windows.items()}
    p90s = {window: _p90(found) for window, found in windows.items()}
    values = linear_scale(max(p90s.values()), figures.duration_unit)

    def points(found: Mapping[int, float]) -> list[tuple[float, float]]:
        return [
            (
                round(100 * (window + 0.5) / _WINDOWS, 2),
                _HEIGHT_PX * (1 - values.position(value) / 100),
            )
            for window, value in sorted(found.items())
        ]

    first, last = (medians[window] for window in (min(medians), max(medians)))
    return Curves(
        description=f"{name}: latency over {figures.duration(1e3 * end_s)} without a pause, "
        f"{figures.duration(first)} at the begin and {figures.duration(last)} at the end",
        curves=(Curve("local", "", (), joined(points(medians)), joined(points(p90s))),),
        rows=tuple((_HEIGHT_PX * (1 - at / 100), text) for at, text in values.ticks),
        places=_times(end_s),
        height=_HEIGHT_PX,
    )


def _times(end_s: float) -> tuple[tuple[float, str, str], ...]:
    """Return the axis of times, which ends where the run did; see `Curves.places`."""
    scale = linear_scale(1e3 * end_s, figures.duration_unit)
    within = [(at * scale.top / (1e3 * end_s), text) for at, text in scale.ticks]
    *others, (place, text) = [(at, text) for at, text in within if at <= 100.5]
    if text != scale.ticks[-1][1]:  # which has the unit
        text += f"\u00a0{figures.duration_unit(1e3 * end_s)[1]}"
    at_edge = "end" if place > _EDGE else ""
    return (*((at, word, "") for at, word in others), (min(place, 100.0), text, at_edge))


def _p90(samples: Sequence[float]) -> float:
    """Return the 90th percentile, interpolated linearly between the two nearest samples."""
    if len(samples) == 1:
        return samples[0]
    return quantiles(samples, n=_TENTHS, method="inclusive")[-1]
