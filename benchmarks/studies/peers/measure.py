"""What runs in a measuring process: open one entry's file in its runtime and time it."""

from __future__ import annotations

import contextlib
import importlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from lama_edge.benchmarks.bench.measured_picture import measured_picture
from lama_edge.benchmarks.studies.peers.picture import (
    Array,
    channels_first,
    generator_input,
    image_and_mask,
)
from lama_edge.benchmarks.targets.tasks.sensors import peak_memory_bytes
from lama_edge.benchmarks.targets.tasks.stopwatch import Policy
from lama_edge.benchmarks.targets.tasks.work import Run, timed
from lama_edge.errors import ModelError, needs_extra
from lama_edge.forms import to_model
from lama_edge.judging.metrics import differences
from lama_edge.judging.tolerances import Tolerance
from lama_edge.judging.verdict import Verdict
from lama_edge.runtimes.base import import_runtime, open_runner
from lama_edge.spec import Size

# Between fp32 implementations of one generator; the matrices built at run time, whose angles
# lose digits in float32, differ by 3e-5 at 512x512 in big-lama's shape. Weights that nobody trained
# come to 24 dB in int8 there (docs/explanation/precision.md), so that figure is no measure of the
# precision: it only shows that a generator ran.
TOLERANCES = {"fp32": Tolerance(1e-3), "int8": Tolerance(1.0, psnr_db=18)}
_PROVIDER = "cpu"


@dataclass(frozen=True)
class Opened:
    """A file that is open in a runtime.

    Attributes:
        run: runs it once on the measured picture.
        runtime: name and version of what runs it.
    """

    run: Run
    runtime: str


def measure_entry(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Open a file and time it on the measured picture.

    Args:
        payload: `runtime` (a key of `OPENERS`), `model` (path), `precision` (of the file), `size`
            (height and width), `threads`, `policy` (the fields of `Policy`), and `reference`, a
            ``.npy`` file with the expected output, float32 [1,3,H,W], or None.

    Returns:
        A round as the bench documents have it, with `peak_memory_bytes` of this process, `runtime`
        (name and version), and `max_abs_diff` and `psnr_db` from the reference inside the hole, or
        None.

    Raises:
        ModelError: when the result is not finite, or is not what the generator computes.
    """
    path, runtime = Path(payload["model"]), payload["runtime"]
    # The user of an app does not wait for Python to import its packages; what fails here fails
    # again, with advice, when the model is opened.
    with contextlib.suppress(ImportError):
        if runtime in _PACKAGES:
            importlib.import_module(_PACKAGES[runtime])
        else:
            import_runtime(path, provider=_PROVIDER)
    size, reference = Size(*payload["size"]), payload["reference"]
    start = time.perf_counter_ns()
    with OPENERS[runtime](path, size, payload["threads"]) as opened:
        load_ms = (time.perf_counter_ns() - start) / 1e6
        found = timed(opened.run, load_ms, Policy(**payload["policy"]))
        peak = peak_memory_bytes()
        output = None if reference is None else opened.run()
    apart: tuple[float | None, float | None] = (None, None)
    if output is not None:
        apart = distance(output, reference, size, TOLERANCES[payload["precision"]])
    return {
        **found,
        "peak_memory_bytes": peak,
        "runtime": opened.runtime,
        **dict(zip(("max_abs_diff", "psnr_db"), apart, strict=True)),
    }


def distance(
    output: Array, reference: str, size: Size, tolerance: Tolerance
) -> tuple[float, float | None]:
    """Return how far an output is from the reference inside the hole.

    Args:
        output: float32 [1,3,H,W] or [1,H,W,3], 0 to 1.
        reference: the ``.npy`` file.
        size: of the picture.
        tolerance: how far it may be.

    Returns:
        The largest difference, and the PSNR with peak 1 in dB, None where all are equal.

    Raises:
        ModelError: when there are values that are not finite, or it is farther than that.
    """
    output = channels_first(output)
    hole = np.broadcast_to(image_and_mask(size)[1] > 0, output.shape)
    if not np.isfinite(output[hole]).all():
        raise ModelError("the result has NaN or infinite values: its times mean nothing")
    levels = (np.asarray(each[hole] * np.float32(255)) for each in (np.load(reference), output))
    found = differences(*levels, rounded_sides=0)
    verdict = Verdict(found.max_abs_diff, tolerance.max_abs_diff, found.psnr_db, tolerance.psnr_db)
    if not verdict.passed:
        raise ModelError(f"the result is not the generator's: {verdict}; its times mean nothing")
    return found.max_abs_diff, found.psnr_db


@contextmanager
def _onnxruntime(path: Path, size: Size, threads: int) -> Iterator[Opened]:
    from lama_edge.runtimes.onnxruntime.library import ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    feeds = {session.get_inputs()[0].name: generator_input(size)}
    yield Opened(lambda: session.run(None, feeds)[0], f"onnxruntime {ort.__version__}")


@contextmanager
def _lama_edge(path: Path, size: Size, threads: int) -> Iterator[Opened]:
    with open_runner(path, provider=_PROVIDER, threads=threads) as runner:
        image, mask = to_model(runner.manifest.io, *measured_picture(size))
        runtime = f"{runner.runtime.name} {runner.runtime_version}"
        yield Opened(lambda: runner.run(image, mask), runtime)


@contextmanager
def _torch(path: Path, size: Size, threads: int) -> Iterator[Opened]:
    with needs_extra("torch"):
        import torch

        from lama_edge.models.checkpoint import load_checkpoint
        from lama_edge.models.torch_modules import build_generator

    torch.set_num_threads(threads)
    generator = build_generator(load_checkpoint(path))
    tensor = torch.from_numpy(generator_input(size))
    with torch.inference_mode():
        yield Opened(lambda: generator(tensor).numpy(), _torch_version())


@contextmanager
def _torchscript(path: Path, size: Size, threads: int) -> Iterator[Opened]:
    with needs_extra("torch"):
        import torch

    torch.set_num_threads(threads)
    jit: Any = torch.jit
    generator = jit.load(str(path))
    tensor = torch.from_numpy(generator_input(size)).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        yield Opened(lambda: generator(tensor).numpy(), _torch_version())


def _torch_version() -> str:
    return f"torch {version('torch').partition('+')[0]}"


# What is imported before the clock starts, where lama-edge does not do it.
_PACKAGES = {"onnxruntime": "onnxruntime", "torch": "torch", "torchscript": "torch"}
Opener = Callable[[Path, Size, int], AbstractContextManager[Opened]]
# Runtime -> how a file is opened in it.
OPENERS: dict[str, Opener] = {
    "onnxruntime": _onnxruntime,
    "lama-edge": _lama_edge,
    "torch": _torch,
    "torchscript": _torchscript,
}
