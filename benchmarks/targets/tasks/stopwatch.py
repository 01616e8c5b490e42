"""The stopwatch: warm-up, then samples; the loop holds the run and two clock reads."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from lama_edge.errors import UsageError

# A clock that only goes forward, in nanoseconds.
Clock = Callable[[], int]
_NS_PER_MS = 1e6
# How often the machine is looked at between runs without a pause.
_LOOK_SECONDS = 5


@dataclass(frozen=True)
class Policy:
    """How long to warm up and to sample; the figures of `trtexec` and its three seconds.

    Attributes:
        min_warmup_runs: warm-up lasts at least this many runs, one or more …
        min_warmup_ms: … and at least this long, in milliseconds.
        min_runs: sampling lasts at least this many runs, one or more …
        min_seconds: … and at least this long, in seconds.
    """

    min_warmup_runs: int = 3
    min_warmup_ms: float = 200.0
    min_runs: int = 10
    min_seconds: float = 3.0

    def __post_init__(self) -> None:
        for name in ("min_warmup_runs", "min_runs"):
            if not getattr(self, name) >= 1:
                raise UsageError(f"{name} is {getattr(self, name)}; give 1 or more")
        for name in ("min_warmup_ms", "min_seconds"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise UsageError(f"{name} is {getattr(self, name)}; give 0 or more")


@dataclass(frozen=True)
class Timings:
    """Raw times in milliseconds, in the order in which they were taken.

    Attributes:
        warmup_ms: the runs before sampling; the first is the very first run.
        samples_ms: the runs that count.
    """

    warmup_ms: tuple[float, ...]
    samples_ms: tuple[float, ...]


def measure(
    run: Callable[[], object],
    policy: Policy,
    *,
    clock: Clock = time.perf_counter_ns,
    watch: AbstractContextManager[object] | None = None,
) -> Timings:
    """Call `run` again and again and time each call.

    Args:
        run: does the work and returns when it is done; what it returns is dropped after the
            clock was read.
        policy: how long to warm up and to sample.
        clock: nanoseconds from any origin.
        watch: entered after the warm-up and left after the last sample, to look at the machine
            meanwhile.

    Returns:
        The raw times, warm-up apart from samples.
    """
    warmup = _repeat(run, policy.min_warmup_runs, policy.min_warmup_ms * _NS_PER_MS, clock)
    with watch or nullcontext():
        samples = _repeat(run, policy.min_runs, policy.min_seconds * 1e9, clock)
    return Timings(
        tuple(time_ns / _NS_PER_MS for time_ns in warmup),
        tuple(time_ns / _NS_PER_MS for time_ns in samples),
    )


def sustain(
    run: Callable[[], object],
    seconds: float,
    look: Callable[[float], object],
    *,
    clock: Clock = time.perf_counter_ns,
) -> tuple[list[float], list[float]]:
    """Call `run` without a pause and time each call.

    Args:
        run: as for `measure`.
        seconds: for how long; a run that has begun is waited for, and one is always made.
        look: called between runs, before the first, after the last and every 5 s, with the time
            since the first began in seconds.
        clock: nanoseconds from any origin.

    Returns:
        When each run began, in seconds after the first, and how long it took, in milliseconds.
    """
    at_s: list[float] = []
    samples_ms: list[float] = []
    look(0.0)
    with _no_collection():
        begin = looked = clock()
        end = begin + seconds * 1e9
        while True:
            start = clock()
            result = run()
            stop = clock()
            del result
            at_s.append((start - begin) / 1e9)
            samples_ms.append((stop - start) / _NS_PER_MS)
            if stop >= end:
                break
            if stop - looked >= _LOOK_SECONDS * 1e9:
                look((stop - begin) / 1e9)
                gc.collect()
                looked = stop
    look((stop - begin) / 1e9)
    return at_s, samples_ms


def _repeat(run: Callable[[], object], runs: int, duration_ns: float, clock: Clock) -> list[int]:
    """Time runs in nanoseconds until there are enough of them and enough time has passed."""
    times: list[int] = []
    with _no_collection():
        begin = clock()
        while True:
            start = clock()
            result = run()
            stop = clock()
            # Freed here, so that giving its memory back is not part of the next run's time.
            del result
            times.append(stop - start)
            if len(times) >= runs and stop - begin >= duration_ns:
                return times


@contextmanager
def _no_collection() -> Iterator[None]:
    """Collect garbage before the block and none in it: it would be charged to the run it meets."""
    collects = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
