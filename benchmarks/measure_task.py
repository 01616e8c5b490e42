"""What runs in the measuring process: describe a model, or time it once through."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.benchmarks.model_files import manifest_facts
from lama_edge.benchmarks.sensors import Watch, peak_memory_bytes
from lama_edge.benchmarks.stopwatch import Policy, measure
from lama_edge.errors import ModelError
from lama_edge.manifest import Manifest
from lama_edge.runtimes.base import Runner, import_runtime, open_runner
from lama_edge.runtimes.forms import from_model, to_model
from lama_edge.spec import Size

DESCRIBE = "lama_edge.benchmarks.measure_task:describe_model"
MEASURE = "lama_edge.benchmarks.measure_task:measure_model"
HOLE_SHARE = 0.25
_SEED = 20222


def describe_model(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Open a model and return what it says of itself.

    Args:
        payload: `model` (see `open_runner`), `provider` and `threads`.

    Returns:
        `facts` (the document's ``model`` as far as the manifest tells), `quality`, `runtime`,
        `provider` (the one in use), and `size` (`SizePolicy.to_dict`).
    """
    with _open(payload) as runner:
        manifest = runner.manifest
        return {
            "facts": manifest_facts(manifest),
            "quality": _quality(manifest),
            "runtime": f"{runner.runtime.name} {runner.runtime_version}",
            "provider": runner.provider,
            "size": manifest.size.to_dict(),
        }


def measure_model(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Load a model and time it on a seeded picture.

    Args:
        payload: `model`, `provider` and `threads` as there, `size` (height and
            width), `policy` (the fields of `Policy`), and `output`, a ``.npy`` file to write the
            result to as uint8 [H,W,3], or None.

    Returns:
        One of the document's rounds.

    Raises:
        ModelError: when the result has values that are not finite.
    """
    # The user of an app does not wait for Python to import its packages.
    import_runtime(payload["model"], provider=payload["provider"])
    start = time.perf_counter_ns()
    with _open(payload) as runner:
        load_ms = (time.perf_counter_ns() - start) / 1e6
        io = runner.manifest.io
        inputs = to_model(io, *measured_picture(Size(*payload["size"])))
        # The tensors as an app would hand them over, not as views with strides.
        image, mask = (np.ascontiguousarray(array) for array in inputs)
        watch = Watch()
        timings = measure(lambda: runner.run(image, mask), Policy(**payload["policy"]), watch=watch)
        peak = peak_memory_bytes()
        output = from_model(io, runner.run(image, mask))
    if not np.isfinite(output).all():
        raise ModelError("the model returned NaN or infinite values; its times mean nothing")
    if payload["output"] is not None:
        np.save(Path(payload["output"]), np.clip(np.rint(output), 0, 255).astype(np.uint8))
    return {
        "load_ms": load_ms,
        "first_run_ms": timings.warmup_ms[0],
        "warmup_ms": list(timings.warmup_ms),
        "samples_ms": list(timings.samples_ms),
        "peak_memory_bytes": peak,
        "other_load": watch.other_load,
        "sensors": {"before": watch.before, "after": watch.after},
    }


def _open(payload: Mapping[str, Any]) -> Runner:
    return open_runner(payload["model"], provider=payload["provider"], threads=payload["threads"])


def measured_picture(size: Size) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the picture that models are timed on, the same for every model of a size.

    Returns:
        The picture, uint8 [H,W,3]: periodic patterns in smooth colours. The hole, bool [H,W]:
        blobs that cover a quarter of it and touch its borders.
    """
    rng = np.random.default_rng(_SEED)
    # Single precision, and one channel at a time: this must not be what sets the peak memory.
    rows = np.linspace(0, 2 * np.pi, size.height, endpoint=False, dtype=np.float32)[:, None]
    columns = np.linspace(0, 2 * np.pi, size.width, endpoint=False, dtype=np.float32)[None, :]

    def wave(cycles: float) -> NDArray[np.float32]:
        angle, phase = rng.uniform(0, 2 * np.pi, 2).tolist()
        along = rows * (cycles * math.sin(angle)) + columns * (cycles * math.cos(angle))
        return np.asarray(np.sin(along + phase), dtype=np.float32)

    pattern = 0.5 + 0.12 * np.sign(wave(9)) + 0.12 * wave(14)
    image = np.empty((size.height, size.width, 3), dtype=np.uint8)
    for channel in range(3):
        image[:, :, channel] = np.clip(np.rint((pattern + 0.2 * wave(0.7)) * 255), 0, 255)
    blobs = wave(1.5)
    for cycles in (2, 2.5, 3, 4, 5):
        blobs += wave(cycles)
    return image, blobs > np.quantile(blobs, 1 - HOLE_SHARE)


_QUALITY = (
    "reference", "max_abs_diff", "tolerance", "psnr_db", "least_psnr_db", "snr_db", "passed",
)  # fmt: skip


def _quality(manifest: Manifest) -> dict[str, Any] | None:
    parity = manifest.parity
    if parity is None:
        return None
    return {**{name: getattr(parity, name) for name in _QUALITY}, "sizes": list(parity.sizes)}
