"""What runs in the local target's processes: describe a model, time it, or run it on pictures.

What this module imports counts in the peak memory that is measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from lama_edge.benchmarks.targets.sensors import Watch, peak_memory_bytes
from lama_edge.benchmarks.targets.stopwatch import Policy
from lama_edge.benchmarks.targets.stopwatch import measure as time_runs
from lama_edge.runtimes.base import Array, Runner, import_runtime, open_runner

Run = Callable[[], Array]


def describe(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Open a model and return what it says of itself.

    Args:
        payload: `model`, `provider`, `threads` and `ignore`, see `open_runner`.

    Returns:
        The fields of `Description`; the `manifest` as JSON text.
    """
    with _open(payload) as runner:
        return {
            "manifest": runner.manifest.to_json(),
            "runtime": runner.runtime.name,
            "version": runner.runtime_version,
            "provider": runner.provider,
            "title": runner.title,
            "parts": list(runner.parts),
        }


def measure(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Load a model and time it on one picture.

    Args:
        payload: as for `describe`, with `inputs`, a file with image and mask, `outputs`, the file
            to write the output to, and `policy`, the fields of `Policy`.

    Returns:
        One of the document's rounds.
    """
    image, mask = load_arrays(Path(payload["inputs"]))

    @contextmanager
    def opened() -> Iterator[Run]:
        with _open(payload) as runner:
            yield lambda: runner.run(image, mask)

    # The user of an app does not wait for Python to import its packages.
    import_runtime(payload["model"], provider=payload["provider"])
    return timed_round(
        opened(),
        Policy(**payload["policy"]),
        keep=lambda output: save_arrays(Path(payload["outputs"]), [output]),
    )


def timed_round(
    opening: AbstractContextManager[Run],
    policy: Policy,
    *,
    keep: Callable[[Array], object] | None = None,
) -> dict[str, Any]:
    """Open something and time it on one picture.

    Args:
        opening: opens it as it is entered, and gives the function that runs it once.
        policy: how long to warm up and to sample.
        keep: called with the output of one more run.

    Returns:
        One of the document's rounds.
    """
    start = time.perf_counter_ns()
    with opening as run_once:
        load_ms = (time.perf_counter_ns() - start) / 1e6
        watch = Watch()
        timings = time_runs(run_once, policy, watch=watch)
        peak = peak_memory_bytes()
        if keep is not None:
            keep(run_once())
    return {
        "load_ms": load_ms,
        "first_run_ms": timings.warmup_ms[0],
        "warmup_ms": list(timings.warmup_ms),
        "samples_ms": list(timings.samples_ms),
        "peak_memory_bytes": peak,
        "other_load": watch.other_load,
        "sensors": {"before": watch.before, "after": watch.after},
    }


def run(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Run a model on pictures.

    Args:
        payload: as for `measure`, without a policy; `inputs` has image and mask of each picture.
    """
    with _open(payload) as runner:
        inputs = load_arrays(Path(payload["inputs"]))
        outputs = [runner.run(image, mask) for image, mask in zip(inputs, inputs, strict=True)]
    save_arrays(Path(payload["outputs"]), outputs)
    return {}


def save_arrays(path: Path, arrays: Iterable[Array]) -> None:
    """Write arrays to a file, to be read by `load_arrays`."""
    np.savez(path, *arrays)


def load_arrays(path: Path) -> Iterator[Array]:
    """Give the arrays of a file in their order, each read when its turn comes."""
    with np.load(path, allow_pickle=False) as file:
        for number in range(len(file.files)):
            yield file[f"arr_{number}"]


def _open(payload: Mapping[str, Any]) -> Runner:
    return open_runner(
        payload["model"],
        provider=payload["provider"],
        threads=payload["threads"],
        ignore=payload.get("ignore", ()),
    )
