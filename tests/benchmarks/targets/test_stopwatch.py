"""The stopwatch on a clock of the test's own: what was put in must come out."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain, repeat

import numpy as np
import pytest

from lama_edge.benchmarks.bench.summary import summarise
from lama_edge.benchmarks.targets.tasks.stopwatch import Policy, measure
from lama_edge.errors import UsageError

NS = 1_000_000


class FakeTime:
    """A clock that stands still but for the runs, which take the times given, in milliseconds."""

    def __init__(self, durations_ms: Iterator[float]) -> None:
        self.now_ns = 12_345
        self.runs = 0
        self._durations_ms = durations_ms

    def clock(self) -> int:
        return self.now_ns

    def run(self) -> None:
        self.runs += 1
        self.now_ns += round(next(self._durations_ms) * NS)


def _steady(duration_ms: float) -> FakeTime:
    return FakeTime(repeat(duration_ms))


@pytest.mark.parametrize(
    ("duration_ms", "warmups", "samples"),
    [
        (100.0, 3, 30),  # three runs make the warm-up, three seconds the samples
        (1000.0, 3, 10),  # ten runs make the samples
        (10.0, 20, 300),  # 200 ms make the warm-up
    ],
)
def test_both_the_number_of_runs_and_the_time_must_be_reached(
    duration_ms: float, warmups: int, samples: int
) -> None:
    time = _steady(duration_ms)
    timings = measure(time.run, Policy(), clock=time.clock)
    assert timings.warmup_ms == (duration_ms,) * warmups
    assert timings.samples_ms == (duration_ms,) * samples
    assert time.runs == warmups + samples


def test_warm_ups_stay_out_of_the_samples() -> None:
    time = FakeTime(chain([900.0, 400.0, 300.0], repeat(50.0)))
    timings = measure(time.run, Policy(), clock=time.clock)
    assert timings.warmup_ms == (900.0, 400.0, 300.0)
    assert set(timings.samples_ms) == {50.0}


def test_a_known_distribution_comes_out_as_its_known_figures() -> None:
    """Exponential times above 5 ms, of which the quantiles are known in closed form."""
    floor, scale, count = 5.0, 2.0, 10_000
    shares = (np.arange(count) + 0.5) / count
    durations = floor - scale * np.log1p(-shares)
    np.random.default_rng(0).shuffle(durations)
    time = FakeTime(chain(repeat(50.0, 4), durations.tolist()))
    policy = Policy(min_runs=count, min_seconds=0)
    timings = measure(time.run, policy, clock=time.clock)
    figures = summarise(
        [
            {
                "samples_ms": list(timings.samples_ms),
                "load_ms": 1.0,
                "first_run_ms": timings.warmup_ms[0],
                "peak_memory_bytes": None,
            }
        ]
    )
    assert figures["count"] == count
    for name, share in (("median_ms", 0.5), ("p90_ms", 0.9), ("p99_ms", 0.99)):
        assert figures[name] == pytest.approx(floor - scale * np.log(1 - share), rel=2e-3)
    assert figures["mean_ms"] == pytest.approx(floor + scale, rel=2e-3)
    assert figures["min_ms"] == pytest.approx(floor + scale * 0.5 / count, rel=1e-4)
    assert figures["spread"] == pytest.approx(
        scale * np.log(3) / (floor + scale * np.log(2)), rel=2e-3
    )


def test_the_machine_is_watched_while_sampling_only() -> None:
    time = _steady(100.0)
    seen: list[int] = []

    @contextmanager
    def watch() -> Iterator[None]:
        seen.append(time.runs)
        yield
        seen.append(time.runs)

    measure(time.run, Policy(), clock=time.clock, watch=watch())
    assert seen == [3, 33]


@pytest.mark.parametrize("collects", [True, False])
def test_no_garbage_is_collected_during_a_run_and_the_setting_comes_back(collects: bool) -> None:
    before = gc.isenabled()
    seen = set()
    (gc.enable if collects else gc.disable)()
    try:
        measure(lambda: seen.add(gc.isenabled()), Policy(1, 0, 5, 0))
        with pytest.raises(ZeroDivisionError):
            measure(lambda: 1 // 0, Policy(1, 0, 5, 0))
        assert gc.isenabled() is collects
    finally:
        (gc.enable if before else gc.disable)()
    assert seen == {False}


def test_a_result_is_freed_outside_the_timed_part() -> None:
    """Giving a large result's memory back takes time that belongs to no run."""
    events: list[str] = []

    class Result:
        def __del__(self) -> None:
            events.append("freed")

    def clock() -> int:
        events.append("clock")
        return len(events)

    measure(Result, Policy(1, 0, 2, 0), clock=clock)
    sampling = events[events.index("freed") + 1 :]
    assert sampling == ["clock", *["clock", "clock", "freed"] * 2]


@pytest.mark.parametrize(
    "policy",
    [
        lambda: Policy(min_runs=0),
        lambda: Policy(min_warmup_runs=0),
        lambda: Policy(min_seconds=-1),
        lambda: Policy(min_warmup_ms=float("nan")),
        lambda: Policy(min_seconds=float("inf")),
    ],
)
def test_a_policy_that_would_measure_nothing_or_for_ever_is_refused(
    policy: Callable[[], Policy],
) -> None:
    with pytest.raises(UsageError, match=r"min_\w+ is .*; give [01] or more"):
        policy()
