"""Figures from raw samples, and warnings where the samples say that they cannot be trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import ModelError, parameter

Round = Mapping[str, Any]

MIN_SAMPLES = 10
# pyperf warns from a standard deviation of a tenth of the mean. lama-tiny at 256x256 on two cores
# of which others used 1.7 had a spread of 0.18 to 0.29.
WIDE_SPREAD = 0.10
# A clock that fell by a tenth moves a compute-bound model by about as much; a twentieth is what
# is worth knowing when models are compared.
DRIFT = 0.05
_DRIFT_STANDARD_ERRORS = 3.0
BUSY_CORES = 0.1
CLOCK_FALL = 0.10
# Between the begin and the end of a sustained run; of a shorter one, a fifth each.
_MINUTE_S = 60.0
_SHORT_SHARE = 0.2
# A normal distribution's interquartile range, and the standard error of its median, both in
# standard deviations (the latter times the root of the number of samples).
_NORMAL_IQR = 1.349
_MEDIAN_ERROR = 1.253


def summarise(
    rounds: Sequence[Round],
    *,
    first: Mapping[str, float] | None = None,
    sustained: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Reduce the rounds of one model at one size to the document's `statistics`.

    Samples of all rounds are pooled. Percentiles are interpolated linearly between order
    statistics (Hyndman and Fan 1996, type 7, numpy's default). `spread` is the interquartile
    range over the median. Cold loading and cold run, each in a fresh process, are medians over
    the rounds.

    Args:
        rounds: one or more of the document's rounds, with at least one sample each.
        first: the document's ``first``: the very first loading and run on the target.
        sustained: the document's ``sustained``.

    Raises:
        ModelError: when a time is not a finite number.
    """
    samples = np.concatenate([_samples(one) for one in rounds])
    low, median, high, p90, p99 = np.percentile(samples, (25, 50, 75, 90, 99))
    figures = {
        "median_ms": median,
        "mean_ms": samples.mean(),
        "min_ms": samples.min(),
        "max_ms": samples.max(),
        "p90_ms": p90,
        "p99_ms": p99,
        "spread": (high - low) / median if median else 0.0,
        "cold_load_ms": np.median([one["load_ms"] for one in rounds]),
        "cold_run_ms": np.median([one["first_run_ms"] for one in rounds]),
    }
    return {
        "count": int(samples.size),
        **{name: float(value) for name, value in figures.items()},
        "first_load_ms": None if first is None else first["load_ms"],
        "first_run_ms": None if first is None else first["run_ms"],
        "sustained_ratio": None if sustained is None else sustained_ratio(sustained),
    }


def sustained_ratio(sustained: Mapping[str, Any]) -> float | None:
    """Return how much slower a sustained run ended than it began.

    Args:
        sustained: the document's ``sustained``.

    Returns:
        The median of the runs of the last minute over that of the first minute; of runs for less
        than two minutes, of the last fifth over the first. None where both are the same run.

    Raises:
        ModelError: when a time is not a finite number.
    """
    samples, at_s = _samples(sustained), np.asarray(sustained["at_s"], dtype=np.float64)
    end_s = at_s[-1] + samples[-1] / 1e3
    span_s = _MINUTE_S if end_s >= 2 * _MINUTE_S else _SHORT_SHARE * end_s
    # A run belongs to the part in which it began; the first and the last one always count.
    begin, end = samples[at_s <= span_s], samples[at_s >= min(end_s - span_s, at_s[-1])]
    if samples.size == 1 or np.median(begin) <= 0:
        return None
    return float(np.median(end) / np.median(begin))


def warnings_about(
    rounds: Sequence[Round],
    statistics: Mapping[str, Any],
    *,
    sustained: Mapping[str, Any] | None = None,
) -> list[str]:
    """Say, one line each, why a result should not be trusted; an empty list is a good result.

    Args:
        rounds: the document's rounds.
        statistics: what `summarise` made of them.
        sustained: the document's ``sustained``.
    """
    found = [
        _few(statistics["count"]),
        _wide(statistics["spread"]),
        _drifted([_samples(one) for one in rounds]),
        _between_rounds([_samples(one) for one in rounds]),
        _disturbed([one["other_load"] for one in rounds]),
        *(dict.fromkeys(line for one in rounds for line in _throttled(one["sensors"]))),
        _still_warm([one.get("waited") for one in rounds]),
        _short(sustained),
    ]
    return [line for line in found if line is not None]


def _samples(one: Round) -> NDArray[np.float64]:
    samples = np.asarray(one["samples_ms"], dtype=np.float64)
    if not np.isfinite(samples).all():
        raise ModelError("a measured time is no finite number: measure again")
    return samples


def _few(count: int) -> str | None:
    if count >= MIN_SAMPLES:
        return None
    return f"only {count} samples: give {parameter('min_runs', MIN_SAMPLES)} or more"


def _short(sustained: Mapping[str, Any] | None) -> str | None:
    if sustained is None or len(sustained["samples_ms"]) >= MIN_SAMPLES:
        return None
    return (
        f"only {len(sustained['samples_ms'])} runs in {sustained['asked_s']:g} s without a pause: "
        f"give {parameter('sustained_s')} more"
    )


def _wide(spread: float) -> str | None:
    if spread <= WIDE_SPREAD:
        return None
    return (
        f"the middle half of the samples is spread over {spread:.0%} of the median "
        f"(more than {WIDE_SPREAD:.0%}): something disturbed the runs"
    )


def _drifted(rounds: Sequence[NDArray[np.float64]]) -> str | None:
    early = np.concatenate([one[: one.size // 2] for one in rounds])
    late = np.concatenate([one[(one.size + 1) // 2 :] for one in rounds])
    shift = _shift(early, late)
    if shift is None:
        return None
    if shift > 1:
        return (
            f"the second half of the samples is {shift - 1:.0%} slower than the first: "
            f"the device may be throttling; give {parameter('cool_down_s')}"
        )
    return (
        f"the second half of the samples is {1 - shift:.0%} faster than the first: "
        "the warm-up was too short"
    )


def _between_rounds(rounds: Sequence[NDArray[np.float64]]) -> str | None:
    shift = _shift(rounds[0], rounds[-1]) if len(rounds) > 1 else None
    if shift is None:
        return None
    how = f"{shift - 1:.0%} slower" if shift > 1 else f"{1 - shift:.0%} faster"
    return f"the last round is {how} than the first: the machine changed meanwhile"


def _shift(before: NDArray[np.float64], after: NDArray[np.float64]) -> float | None:
    """Return after over before, of the medians, when they differ by more than chance explains."""
    if min(before.size, after.size) < 2:
        return None
    centres = np.median(before), np.median(after)
    if min(centres) <= 0:
        return None
    variance = sum(
        (_MEDIAN_ERROR * float(np.subtract(*np.percentile(part, (75, 25)))) / _NORMAL_IQR) ** 2
        / part.size
        for part in (before, after)
    )
    ratio = float(centres[1] / centres[0])
    moved = abs(float(centres[1] - centres[0]))
    if abs(ratio - 1) <= DRIFT or moved <= _DRIFT_STANDARD_ERRORS * math.sqrt(variance):
        return None
    return ratio


def _disturbed(loads: Sequence[float | None]) -> str | None:
    worst = max((load for load in loads if load is not None), default=0.0)
    if worst <= BUSY_CORES:
        return None
    return (
        f"other processes used {worst:.2f} cores while sampling: "
        "close them, or compare only what ran beside them in the same rounds"
    )


def _throttled(sensors: Mapping[str, Any]) -> list[str]:
    before, after = sensors["before"], sensors["after"]
    lines = []
    if before["clock_mhz"] and after["clock_mhz"]:
        # The fastest core is the one that worked; idle ones clock down and mean nothing.
        start, end = max(before["clock_mhz"]), max(after["clock_mhz"])
        if end < start * (1 - CLOCK_FALL):
            lines.append(f"the clock fell from {start:.0f} to {end:.0f} MHz while sampling")
    if isinstance(after["throttled"], bool):
        if after["throttled"]:
            lines.append("the device reports that it is throttled")
    elif after["throttled"] is not None and after["throttled"] > (before["throttled"] or 0):
        lines.append("the processor's throttle counters rose while sampling: it got too hot")
    return lines


def _still_warm(waits: Sequence[Mapping[str, Any] | None]) -> str | None:
    late = [wait for wait in waits if wait is not None and wait["timed_out"]]
    if not late:
        return None
    worst = max(late, key=lambda wait: float(wait["temperature_c"]))
    return (
        f"{len(late)} of {len(waits)} rounds began before the device had cooled "
        f"({worst['sensor']} was at {worst['temperature_c']:.1f} °C after "
        f"{worst['seconds']:.0f} s): give {parameter('cool_timeout_s')} more"
    )
