"""Figures from samples, and the warnings that say when not to believe them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from lama_edge.benchmarks.bench.summary import (
    BUSY_CORES,
    summarise,
    sustained_ratio,
    warnings_about,
)
from lama_edge.errors import ModelError

QUIET = {"clock_mhz": [3000.0, 800.0], "throttled": 7}


def _round(samples: Any, **changes: Any) -> dict[str, Any]:
    sensors = {"before": dict(QUIET), "after": dict(QUIET)}
    usual = {
        "load_ms": 40.0,
        "first_run_ms": 20.0,
        "samples_ms": list(samples),
        "waited": None,
        "other_load": 0.0,
        "sensors": sensors,
    }
    return {**usual, **changes}


def _noise(centre: float = 10.0, count: int = 60, spread: float = 0.01, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(centre, centre * spread, count)


def _warnings(*rounds: dict[str, Any]) -> list[str]:
    return warnings_about(rounds, summarise(rounds))


def test_samples_of_all_rounds_are_pooled_with_interpolated_percentiles() -> None:
    figures = summarise(
        [
            _round([1, 2, 3, 4, 5, 6], load_ms=30.0),
            _round([7, 8, 9, 10, 11], load_ms=50.0, first_run_ms=60.0),
        ],
        first={"load_ms": 300.0, "run_ms": 20.0},
    )
    assert figures == {
        "count": 11,
        "median_ms": 6.0,
        "mean_ms": 6.0,
        "min_ms": 1.0,
        "max_ms": 11.0,
        "p90_ms": 10.0,
        "p99_ms": pytest.approx(10.9),
        "spread": pytest.approx(5 / 6),
        "cold_load_ms": 40.0,
        "cold_run_ms": 40.0,
        "first_load_ms": 300.0,
        "first_run_ms": 20.0,
        "sustained_ratio": None,
    }


def test_what_was_not_measured_stays_unknown() -> None:
    figures = summarise([_round([1.0])])
    assert figures["first_load_ms"] is figures["first_run_ms"] is figures["sustained_ratio"] is None


def _sustained(latency_ms: Any, seconds: float) -> dict[str, Any]:
    """Runs one after the other; `latency_ms` is told the second at which each begins."""
    at_s, samples = [0.0], [latency_ms(0.0)]
    while (now := at_s[-1] + samples[-1] / 1e3) < seconds:
        at_s.append(now)
        samples.append(latency_ms(now))
    return {"asked_s": seconds, "at_s": at_s, "samples_ms": samples, "watched": []}


@pytest.mark.parametrize(
    ("seconds", "begin_s", "end_s"),
    # The first and the last minute; of less than two minutes, the first and the last fifth.
    [(600.0, 60.0, 540.0), (120.0, 60.0, 60.0), (110.0, 22.0, 88.0), (10.0, 2.0, 8.0)],
)
def test_a_sustained_run_is_judged_by_its_end_over_its_begin(
    seconds: float, begin_s: float, end_s: float
) -> None:
    def latency(now: float) -> float:
        # What lies between must not count.
        return 100.0 if now <= begin_s else 180.0 if now >= end_s else 1000.0

    found = summarise([_round([1.0])], sustained=_sustained(latency, seconds))
    assert found["sustained_ratio"] == 1.8


def test_a_sustained_run_of_one_sample_tells_of_no_change() -> None:
    short = _sustained(lambda now: 5000.0, 1.0)
    assert sustained_ratio(short) is None
    rounds = [_round(_noise())]
    (warning,) = warnings_about(rounds, summarise(rounds, sustained=short), sustained=short)
    assert warning == "only 1 runs in 1 s without a pause: give sustained_s more"
    long = _sustained(lambda now: 100.0, 1.0)
    assert warnings_about(rounds, summarise(rounds, sustained=long), sustained=long) == []


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_times_that_are_no_numbers_are_refused(wrong: float) -> None:
    with pytest.raises(ModelError, match="no finite number"):
        summarise([_round([1.0, wrong])])


@pytest.mark.parametrize("seed", range(20))
def test_a_quiet_run_raises_no_warning(seed: int) -> None:
    assert _warnings(*(_round(_noise(seed=3 * seed + k, spread=0.05)) for k in range(3))) == []


@pytest.mark.parametrize(
    ("rounds", "words"),
    [
        ([_round(_noise(count=9))], "only 9 samples"),
        ([_round([10, 14] * 20)], "spread over 33% of the median"),
        ([_round([*_noise(10), *_noise(11)])], "second half .* 10% slower .*throttling"),
        ([_round([*_noise(11), *_noise(10)])], "second half .* 9% faster .*warm-up"),
        ([_round(_noise() * np.linspace(1, 1.2, 60))], "second half .* slower"),
        ([_round(_noise(count=10) * np.linspace(1, 1.3, 10))], "second half .* slower"),
        ([_round(_noise(10)), _round(_noise(11))], "last round is 10% slower"),
        ([_round(_noise(), other_load=0.0), _round(_noise(), other_load=0.93)], r"0\.93 cores"),
    ],
)
def test_what_disturbs_a_run_is_said(rounds: list[dict[str, Any]], words: str) -> None:
    assert len(_matching(_warnings(*rounds), words)) == 1


def _matching(lines: list[str], words: str) -> list[str]:
    return [line for line in lines if re.search(words, line)]


def test_few_noisy_samples_are_seldom_taken_for_a_drift() -> None:
    """Ten samples with 5 % noise: 9 of these 100 raised it; 28 did where any 5 % counted."""
    warned = 0
    for seed in range(100):
        lines = _warnings(_round(_noise(count=10, spread=0.05, seed=seed)))
        warned += len(_matching(lines, "second half"))
    assert warned <= 15


@pytest.mark.parametrize("load", [None, 0.0, BUSY_CORES])
def test_little_or_unknown_load_of_others_is_no_warning(load: float | None) -> None:
    assert _warnings(_round(_noise(), other_load=load)) == []


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({}, {"clock_mhz": [800.0, 2600.0]}, "clock fell from 3000 to 2600 MHz"),
        ({}, {"throttled": 8}, "throttle counters rose"),
        ({"throttled": None}, {"throttled": True}, "reports that it is throttled"),
    ],
)
def test_throttling_that_the_sensors_saw_is_said(
    before: dict[str, Any], after: dict[str, Any], words: str
) -> None:
    sensors = {"before": {**QUIET, **before}, "after": {**QUIET, **after}}
    [warning] = _warnings(_round(_noise(), sensors=sensors), _round(_noise(), sensors=sensors))
    assert words in warning


@pytest.mark.parametrize(
    "after",
    [
        {"clock_mhz": [2900.0, 400.0]},
        {"clock_mhz": None, "throttled": None},
        {"throttled": 7},
        {"throttled": False},
    ],
)
def test_sensors_that_saw_nothing_are_no_warning(after: dict[str, Any]) -> None:
    sensors = {"before": dict(QUIET), "after": {**QUIET, **after}}
    assert _warnings(_round(_noise(), sensors=sensors)) == []


def _waited(temperature_c: float, *, timed_out: bool) -> dict[str, Any]:
    return {
        "seconds": 300.0,
        "temperature_c": temperature_c,
        "sensor": "cpu",
        "timed_out": timed_out,
    }


def test_rounds_that_began_warm_are_said() -> None:
    cool = _round(_noise(), waited=_waited(34.9, timed_out=False))
    assert _warnings(cool, cool) == []
    late = [_round(_noise(), waited=_waited(at, timed_out=True)) for at in (41.0, 44.2)]
    [warning] = _warnings(cool, *late)
    assert "2 of 3 rounds began before the device had cooled (cpu was at 44.2 °C" in warning
