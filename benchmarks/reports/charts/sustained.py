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


def sustained_chart(name: str, sustained: Mapping[str, Any]) -> Curves:
    """Draw the median and the 90th percentile of each window.

    Args:
        name: what was run.
        sustained: the document's.
    """
    at_s, samples = sustained["at_s"], sustained["samples_ms"]
    end_s = at_s[-1] + samples[-1] / 1e3
    windows: dict[int, list[float]] = {}
    for begin_s, sample in zip(at_s, samples, strict=True):
        windows.setdefault(min(int(_WINDOWS * begin_s / end_s), _WINDOWS - 1), []).append(sample)
    medians = {window: median(found) for window, found in windows.items()}
    p90s = {window: _p90(found) for window, found in windows.items()}
    values, times = (
        linear_scale(top, figures.duration_unit) for top in (max(p90s.values()), 1e3 * end_s)
    )

    def points(found: Mapping[int, float]) -> list[tuple[float, float]]:
        return [
            (
                times.position(1e3 * end_s * (window + 0.5) / _WINDOWS),
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
        places=tuple((at, text, "end" if at == 100 else "") for at, text in times.ticks),
        height=_HEIGHT_PX,
    )


def _p90(samples: Sequence[float]) -> float:
    """Return the 90th percentile, interpolated linearly between the two nearest samples."""
    if len(samples) == 1:
        return samples[0]
    return quantiles(samples, n=_TENTHS, method="inclusive")[-1]
