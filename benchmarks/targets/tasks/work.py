"""The tasks: time a model, run it on pictures, see how much memory it takes.

What this module imports counts in the peak memory that is measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from lama_edge.benchmarks.targets.tasks.request import Job
from lama_edge.benchmarks.targets.tasks.sensors import Watch, peak_memory_bytes, read_sensors
from lama_edge.benchmarks.targets.tasks.stopwatch import Policy
from lama_edge.benchmarks.targets.tasks.stopwatch import measure as time_runs
from lama_edge.benchmarks.targets.tasks.stopwatch import sustain as time_without_pause
from lama_edge.errors import ModelError
from lama_edge.runtimes.base import Array, Runner, check_inputs
from lama_edge.spec import Progress, TensorSpec, untold

Run = Callable[[], Array]

# What the host's clock is compared at, see `DeviceTarget`.
SAMPLING, SAMPLED = "sampling", "sampled"
_WATCHED = ("clock_mhz", "temperature_c", "throttled")


def measured(
    runner: Runner, load_ms: float, job: Job, policy: Policy, step: Progress
) -> dict[str, Any]:
    """Time an open model on one picture, and write the output of one more run.

    Returns:
        One of the document's rounds.
    """
    run = _run(runner, job)
    found = timed(run, load_ms, policy, step)
    save(run(), job.output)
    return found


def timed(run: Run, load_ms: float, policy: Policy, step: Progress = untold) -> dict[str, Any]:
    """Time a function on one picture.

    Args:
        run: runs the model once.
        load_ms: what opening it took.
        policy: how long to warm up and to sample.
        step: called with each step.

    Returns:
        One of the document's rounds.
    """
    watch = Watch()
    step("warming up")
    timings = time_runs(run, policy, watch=_sampling(watch, step))
    return {
        "load_ms": load_ms,
        "first_run_ms": timings.warmup_ms[0],
        "warmup_ms": list(timings.warmup_ms),
        "samples_ms": list(timings.samples_ms),
        "other_load": watch.other_load,
        "sensors": {"before": watch.before, "after": watch.after},
    }


def sustained(runner: Runner, job: Job, seconds: float, step: Progress) -> dict[str, Any]:
    """Run an open model on one picture without a pause, after one run that is not counted.

    Returns:
        See `Target.sustain`.
    """
    run = _run(runner, job)
    step("warming up")
    run()
    watched: list[dict[str, Any]] = []

    def look(at_s: float) -> None:
        read = read_sensors()
        watched.append({"at_s": at_s, **{name: read[name] for name in _WATCHED}})

    step(SAMPLING)
    at_s, samples_ms = time_without_pause(run, seconds, look)
    step(SAMPLED)
    return {"asked_s": seconds, "at_s": at_s, "samples_ms": samples_ms, "watched": watched}


def peak_memory(runner: Runner, job: Job, step: Progress) -> int | None:
    """Run an open model twice on one picture and return the most memory that the process had.

    The first run at a size gives its memory back; the second is what a series of them holds.
    """
    step(f"running at {job.height}x{job.width}")
    run = _run(runner, job)
    run()
    run()
    return peak_memory_bytes()


def run(runner: Runner, jobs: Sequence[Job], step: Progress) -> None:
    """Run an open model on pictures and write its outputs."""
    for job in jobs:
        step(f"running at {job.height}x{job.width}")
        save(_run(runner, job)(), job.output)


def slept(sleeps_ms: Sequence[float]) -> dict[str, Any]:
    """Time sleeps, and give what each took by the sleeper's own record, in the wall clock's time.

    Args:
        sleeps_ms: two or more; the first is a warm-up.
    """
    left = iter(sleeps_ms)
    record: list[float] = []

    def sleep() -> None:
        duration_ms = next(left)
        begin = time.time()
        time.sleep(duration_ms / 1e3)
        record.append((time.time() - begin) * 1e3)

    timings = time_runs(sleep, Policy(1, 0, len(sleeps_ms) - 1, 0))
    return {"samples_ms": list(timings.samples_ms), "slept_ms": record[1:]}


def save(output: Array, path: Path) -> None:
    """Write an output's raw values.

    Raises:
        ModelError: when that is not possible.
    """
    try:
        path.write_bytes(output.tobytes())
    except OSError as error:
        raise ModelError(f"cannot write {str(path)!r}: {error.strerror or error}") from error


def _run(runner: Runner, job: Job) -> Run:
    """Read a picture and return what runs the model on it once."""
    io = runner.manifest.io
    image, mask = (
        _read(spec, file, job, io.pictures)
        for spec, file in ((io.image, job.image), (io.mask, job.mask))
    )
    check_inputs(io, runner.manifest.size, image, mask)
    return lambda: runner.run(image, mask)


def _read(spec: TensorSpec, file: Path, job: Job, pictures: int) -> Array:
    shape = spec.shape(job.height, job.width, pictures)
    expected = int(np.prod(shape)) * np.dtype(spec.dtype).itemsize
    try:
        size = file.stat().st_size
        if size != expected:
            raise ModelError(
                f"{spec.name} has {size} bytes; the model takes {expected} at this size"
            )
        values: Array = np.fromfile(file, spec.dtype)
    except OSError as error:
        raise ModelError(f"cannot read {str(file)!r}: {error.strerror or error}") from error
    return values.reshape(shape)


@contextmanager
def _sampling(watch: Watch, step: Progress) -> Iterator[None]:
    """Watch the machine in the block, and tell as its samples begin and have ended."""
    with watch:
        step(SAMPLING)
        yield
        step(SAMPLED)
