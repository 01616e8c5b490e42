"""What runs in the local target's processes: describe a model, time it, or run it on pictures.

What this module imports counts in the peak memory that is measured.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lama_edge.benchmarks.targets.sensors import Watch, peak_memory_bytes
from lama_edge.benchmarks.targets.stopwatch import Policy
from lama_edge.benchmarks.targets.stopwatch import measure as time_runs
from lama_edge.runtimes.base import Array, Runner, import_runtime, open_runner


def describe(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Open a model and return what it says of itself.

    Args:
        payload: `model`, `provider` and `threads`, see `open_runner`.

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
    # The user of an app does not wait for Python to import its packages.
    import_runtime(payload["model"], provider=payload["provider"])
    start = time.perf_counter_ns()
    with _open(payload) as runner:
        load_ms = (time.perf_counter_ns() - start) / 1e6
        image, mask = load_arrays(Path(payload["inputs"]))
        watch = Watch()
        timings = time_runs(
            lambda: runner.run(image, mask), Policy(**payload["policy"]), watch=watch
        )
        peak = peak_memory_bytes()
        save_arrays(Path(payload["outputs"]), [runner.run(image, mask)])
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
    return open_runner(payload["model"], provider=payload["provider"], threads=payload["threads"])
