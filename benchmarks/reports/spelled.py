"""How a bench page spells what it shows of a run: cells of its tables, and lines beside charts."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from lama_edge.benchmarks.reports import figures
from lama_edge.benchmarks.reports.runs import Run

# The first cells of a row of results, and of a round, are times: those of a run whose parity failed
# are of something else.
TIMES = 6
ROUND_TIMES = 5
_NOT_THROTTLED = ("no", "0×", figures.UNKNOWN)


def cells(run: Run, show_failed: bool) -> list[str]:
    """Spell a run's figures in the order of the columns, without the last one."""
    found = run.statistics or run.withheld
    if found is None:
        return []
    times = [
        figures.duration(found["median_ms"]),
        figures.duration(found["p90_ms"]),
        figures.duration(found["p99_ms"]),
        figures.percent(found["spread"]),
        str(found["count"]),
        figures.ratio(run.ratio),
    ]
    if run.withheld and not show_failed:
        times = [figures.UNKNOWN] * TIMES
    return [
        *times,
        figures.memory(run.data["memory_bytes"]),
        figures.file_size(run.data["model"]["size_bytes"]),
    ]


def starts(run: Run) -> list[str]:
    """Spell the times of a run that begins, beside its warm ones."""
    found = run.statistics
    assert found is not None
    return [
        figures.duration(found["first_load_ms"]),
        figures.duration(found["first_run_ms"]),
        figures.duration(found["cold_load_ms"]),
        figures.duration(found["cold_run_ms"]),
        figures.duration(found["median_ms"]),
        figures.ratio(found["sustained_ratio"]),
    ]


def watched(run: Run) -> str:
    """Say what became of a device while it ran without a pause."""
    sustained, found = run.data["sustained"], run.statistics
    assert found is not None
    told = [f"{figures.count(len(sustained['samples_ms']), 'run')} in a row"]
    if found["sustained_ratio"] is not None:
        told.append(f"{figures.ratio(found['sustained_ratio'])} as long at the end as at the begin")
    if seen := sustained["watched"]:
        before, after = seen[0], seen[-1]
        changes = [
            _change(_clock(before), _clock(after), "MHz"),
            _change(_hottest(before), _hottest(after), "°C"),
        ]
        told += [change for change in changes if change != figures.UNKNOWN]
        if _throttling(before["throttled"], after["throttled"]) not in _NOT_THROTTLED:
            told.append("throttled")
    return ", ".join(told)


def quality(run: Run) -> dict[str, Any]:
    """Spell the parity figures that a model carries, beside how long it takes."""
    found = run.data["quality"]
    sizes = found["sizes"]
    return {
        "median": figures.duration(run.median_ms),
        "psnr": figures.decibels(found["psnr_db"], missing="equal"),
        "least": figures.decibels(found["least_psnr_db"]),
        "snr": figures.decibels(found["snr_db"], missing="equal"),
        "largest": figures.scientific(found["max_abs_diff"]),
        "tolerance": figures.scientific(found["tolerance"]),
        "passed": found["passed"],
        "reference": found["reference"],
        "sizes": figures.size(sizes[0]) if len(sizes) == 1 else f"{len(sizes)} sizes",
    }


def proof(run: Run) -> dict[str, Any]:
    """Spell how far what the timed process gave is from the reference."""
    parity = run.data["parity"]
    return {
        "passed": parity["passed"],
        "reference": parity["reference"],
        "cells": [
            figures.scientific(parity["max_abs_diff"]),
            figures.scientific(parity["tolerance"]),
            figures.decibels(parity["psnr_db"], missing="equal"),
            figures.decibels(parity["least_psnr_db"]),
        ],
    }


def placement(run: Run) -> dict[str, Any]:
    """Spell what ran where, by nodes of the graph."""
    found = run.data["placement"]
    nodes = found["providers"]
    total = sum(nodes.values()) or 1
    return {
        "providers": ", ".join(
            f"{name} {figures.count(count, 'node')} ({figures.percent(count / total)})"
            for name, count in sorted(nodes.items(), key=lambda item: -item[1])
        ),
        "fell_back": found["fell_back"],
    }


def whole(run: Run) -> str | None:
    """Return the provider that ran all of a graph, if one did."""
    found = run.data["placement"]
    if found is None or len(found["providers"]) != 1 or found["fell_back"]:
        return None
    return str(*found["providers"])


def round_cells(data: dict[str, Any]) -> list[str]:
    """Spell one round of a run, and what the device said before and after it."""
    samples, warmup = data["samples_ms"], data["warmup_ms"]
    sensors = data.get("sensors") or {}
    before, after = sensors.get("before") or {}, sensors.get("after") or {}
    load = data.get("other_load")
    return [
        figures.duration(statistics.median(samples)) if samples else figures.UNKNOWN,
        str(len(samples)),
        f"{len(warmup)} in {figures.duration(sum(warmup))}" if warmup else "0",
        figures.duration(data["first_run_ms"]),
        figures.duration(data["load_ms"]),
        _waited(data["waited"]),
        figures.UNKNOWN if load is None else f"{load:.2f}\u00a0cores",
        _change(_clock(before), _clock(after), "MHz"),
        _change(_hottest(before), _hottest(after), "°C"),
        _throttling(before.get("throttled"), after.get("throttled")),
        _power(after) or figures.UNKNOWN,
    ]


def _waited(waited: Mapping[str, Any] | None) -> str:
    """Spell how long a device cooled, and to what."""
    if waited is None:
        return figures.UNKNOWN
    late = "timed out, " if waited["timed_out"] else ""
    reached = f"{waited['temperature_c']:.1f}\u00a0°C ({waited['sensor']})"
    return f"{late}{figures.duration(1000 * waited['seconds'])}, {reached}"


def _power(sensors: dict[str, Any]) -> str:
    """Spell what sets a device's clocks and feeds it."""
    battery, pinned = sensors.get("battery"), sensors.get("clocks_pinned")
    return ", ".join(
        filter(
            None,
            (
                sensors.get("power_mode"),
                sensors.get("governor"),
                None if pinned is None else f"clocks {'' if pinned else 'not '}pinned",
                battery
                and " ".join(filter(None, (f"{battery['percent']:.0f}\u00a0%", battery["status"]))),
            ),
        )
    )


def _throttling(before: bool | int | None, after: bool | int | None) -> str:
    """Spell whether the device throttles now, or how often it did while sampling."""
    if after is None:
        return figures.UNKNOWN
    if isinstance(after, bool):
        return "yes" if after else "no"
    return f"{after - (before or 0)}×"


def _clock(sensors: dict[str, Any]) -> float | None:
    clocks = sensors.get("clock_mhz")
    return statistics.fmean(clocks) if clocks else None


def _hottest(sensors: dict[str, Any]) -> float | None:
    temperatures = sensors.get("temperature_c")
    return max(temperatures.values()) if temperatures else None


def _change(before: float | None, after: float | None, unit: str) -> str:
    if before is None and after is None:
        return figures.UNKNOWN
    both = [figures.UNKNOWN if v is None else f"{v:.0f}" for v in (before, after)]
    return f"{both[0]} → {both[1]}\u00a0{unit}"
