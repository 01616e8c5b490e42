"""What runs in a measuring process: open one entry's file in its runtime and time it."""

from __future__ import annotations

import contextlib
import importlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from lama_edge.benchmarks.studies.peers.picture import Array, generator_input, image_and_mask
from lama_edge.benchmarks.targets.tasks.sensors import peak_memory_bytes
from lama_edge.benchmarks.targets.tasks.stopwatch import Policy
from lama_edge.benchmarks.targets.tasks.work import Run, timed
from lama_edge.errors import ModelError, needs_extra
from lama_edge.runtimes.base import open_runner
from lama_edge.spec import Size

# Between fp32 implementations of one generator; the matrices built at run time, whose angles
# lose digits in float32, differ by 3e-5 at 512x512 in big-lama's shape.
MAX_DIFFERENCE = 1e-3


def measure_entry(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Open a file and time it on the measured picture.

    Args:
        payload: `runtime` (a key of `OPENERS`), `model` (path), `size` (height and width),
            `threads`, `policy` (the fields of `Policy`), and `reference`, a ``.npy`` file with
            the expected output, float32 [1,3,H,W], or None.

    Returns:
        A round as the bench documents have it, with `peak_memory_bytes` of this process, `runtime`
        (name and version) and `max_abs_diff`, the largest difference from the reference inside the
        hole, or None.

    Raises:
        ModelError: when the result is not finite, or is not what the generator computes.
    """
    module, opener = OPENERS[payload["runtime"]]
    # The user of an app does not wait for Python to import its packages; what fails here fails
    # again, with advice, when the model is opened.
    with contextlib.suppress(ImportError):
        importlib.import_module(module)
    size, reference = Size(*payload["size"]), payload["reference"]
    start = time.perf_counter_ns()
    with opener(Path(payload["model"]), size, payload["threads"]) as run:
        load_ms = (time.perf_counter_ns() - start) / 1e6
        found = timed(run, load_ms, Policy(**payload["policy"]))
        peak = peak_memory_bytes()
        output = None if reference is None else run()
    return {
        **found,
        "peak_memory_bytes": peak,
        "runtime": f"{module} {importlib.import_module(module).__version__.split('-')[0]}",
        "max_abs_diff": None if output is None else difference(output, reference, size),
    }


def difference(output: Array, reference: str, size: Size) -> float:
    """Return the largest difference from the reference inside the hole.

    Raises:
        ModelError: when there are values that are not finite, or it is over `MAX_DIFFERENCE`.
    """
    hole = np.broadcast_to(image_and_mask(size)[1] > 0, output.shape)
    largest = float(np.abs(output - np.load(reference))[hole].max())
    if not largest <= MAX_DIFFERENCE:
        raise ModelError(
            f"the result differs from the generator's by {largest:.1e}, over "
            f"{MAX_DIFFERENCE:.0e}: its times mean nothing"
        )
    return largest


@contextmanager
def _onnxruntime(path: Path, size: Size, threads: int) -> Iterator[Run]:
    from lama_edge.runtimes.onnxruntime.library import ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    feeds = {session.get_inputs()[0].name: generator_input(size)}
    yield lambda: session.run(None, feeds)[0]


@contextmanager
def _lama_edge(path: Path, size: Size, threads: int) -> Iterator[Run]:
    image, mask = image_and_mask(size)
    with open_runner(path, provider="cpu", threads=threads) as runner:
        yield lambda: runner.run(image, mask)


@contextmanager
def _torch(path: Path, size: Size, threads: int) -> Iterator[Run]:
    with needs_extra("torch"):
        import torch

        from lama_edge.models.checkpoint import load_checkpoint
        from lama_edge.models.torch_modules import build_generator

    torch.set_num_threads(threads)
    generator = build_generator(load_checkpoint(path))
    tensor = torch.from_numpy(generator_input(size))
    with torch.inference_mode():
        yield lambda: generator(tensor).numpy()


@contextmanager
def _torchscript(path: Path, size: Size, threads: int) -> Iterator[Run]:
    with needs_extra("torch"):
        import torch

    torch.set_num_threads(threads)
    jit: Any = torch.jit
    generator = jit.load(str(path))
    tensor = torch.from_numpy(generator_input(size)).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        yield lambda: generator(tensor).numpy()


@contextmanager
def _openvino(path: Path, size: Size, threads: int) -> Iterator[Run]:
    # An optional package that nothing else here needs; the entry is left out where it is absent.
    openvino: Any = importlib.import_module("openvino")
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
    }
    image, mask = image_and_mask(size)
    compiled = openvino.Core().compile_model(str(path), "CPU", settings)
    request = compiled.create_infer_request()
    feeds = {"image": image, "mask": mask}

    def run() -> Array:
        result: Array = request.infer(feeds, share_inputs=True)[0]
        return result

    yield run


Opener = Callable[[Path, Size, int], AbstractContextManager[Run]]
# Runtime -> its package, and how a file is opened in it.
OPENERS: dict[str, tuple[str, Opener]] = {
    "onnxruntime": ("onnxruntime", _onnxruntime),
    "lama-edge": ("onnxruntime", _lama_edge),
    "torch": ("torch", _torch),
    "torchscript": ("torch", _torchscript),
    "openvino": ("openvino", _openvino),
}
