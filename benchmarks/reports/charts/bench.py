"""The charts of a benchmark: latencies with their spread, peak memory and file size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from lama_edge.benchmarks.reports import figures
from lama_edge.benchmarks.reports.charts.svg import (
    Bar,
    Chart,
    Scale,
    latency_limit,
    linear_scale,
)
from lama_edge.benchmarks.reports.runs import Run

# Where the slowest device is this many times slower than the fastest, one scale would shrink the
# fast device's bars to nothing.
_COMMON_SCALE_RATIO = 25


def has_common_scale(by_device: Sequence[Sequence[Run]]) -> bool:
    """Say whether the latencies of all devices can be read on one scale."""
    slowest = [max((r.median_ms or 0.0 for r in runs), default=0.0) for runs in by_device]
    positive = [value for value in slowest if value > 0]
    return not positive or max(positive) <= _COMMON_SCALE_RATIO * min(positive)


def latency_charts(by_device: Sequence[Sequence[Run]]) -> list[Chart]:
    """Draw one chart of latencies for each device."""
    measured = [[run for run in runs if run.statistics is not None] for runs in by_device]
    everything = [run for runs in measured for run in runs]
    common = _latency_scale(everything) if has_common_scale(by_device) else None
    charts = []
    for runs in measured:
        if runs:
            scale = common or _latency_scale(runs)
            bars = tuple(_latency_bar(run, scale) for run in runs)
            charts.append(Chart(runs[0].device, bars, scale.ticks))
    return charts


def _latency_scale(runs: Sequence[Run]) -> Scale:
    known = [run.statistics for run in runs if run.statistics is not None]
    p90s = [max(found["p90_ms"], found["median_ms"]) for found in known]
    limit = max(latency_limit([r.samples_ms for r in runs], p90s), max(p90s, default=0.0))
    return linear_scale(limit, figures.duration_unit)


def _latency_bar(run: Run, scale: Scale) -> Bar:
    found = run.statistics
    assert found is not None
    beyond = [sample for sample in run.samples_ms if sample > scale.top]
    note = ""
    if beyond:
        note = f"{figures.count(len(beyond), 'sample')} beyond the scale, up to "
        note += figures.duration(max(beyond))
    low, median, high = found["min_ms"], found["median_ms"], found["p90_ms"]
    return Bar(
        name=run.name,
        qualifiers=run.qualifiers,
        value=figures.duration(median),
        length=scale.position(median),
        whisker=(scale.position(low), scale.position(high)) if found["count"] > 1 else None,
        rug=scale.rug(run.samples_ms),
        note=note,
        description=f"{run.name}: median {figures.duration(median)}, fastest "
        f"{figures.duration(low)}, p90 {figures.duration(high)}",
    )


def cost_charts(runs: Sequence[Run]) -> list[Chart]:
    """Draw peak memory and file size."""
    memory = [
        (run, run.data["memory_bytes"])
        for run in runs
        if run.statistics and run.data["memory_bytes"] is not None
    ]
    by_file = {(r.data["model"].get("sha256") or r.name): r for r in reversed(runs)}
    sizes = [(run, run.data["model"]["size_bytes"]) for run in reversed(by_file.values())]
    several = len({run.device for run in runs}) > 1
    return [
        *_amounts("Peak memory", memory, figures.memory_unit, figures.memory, several),
        *_amounts("File size", sizes, figures.file_unit, figures.file_size, False),
    ]


def _amounts(
    title: str,
    values: Sequence[tuple[Run, float]],
    unit: Callable[[float], tuple[float, str]],
    spell: Callable[[float | None], str],
    with_device: bool,
) -> Iterator[Chart]:
    if not values:
        return
    scale = linear_scale(max(value for _, value in values), unit)
    bars = tuple(
        Bar(
            name=run.name,
            qualifiers=_amount_qualifiers(run, title, with_device),
            value=spell(value),
            length=scale.position(value),
            description=f"{run.name}: {title.lower()} {spell(value)}",
        )
        for run, value in values
    )
    yield Chart(title, bars, scale.ticks)


def _amount_qualifiers(run: Run, title: str, with_device: bool) -> tuple[str, ...]:
    if title == "File size":
        return tuple(filter(None, (run.data["model"].get("precision"),)))
    return (*run.qualifiers, run.device) if with_device else run.qualifiers
