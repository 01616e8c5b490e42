"""Runs exported LiteRT files in LiteRT's interpreter."""

from __future__ import annotations

import os
import threading
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from lama_edge.errors import ModelError, naming, needs_extra, one_line
from lama_edge.runtimes.base import Array, Runner, check_inputs
from lama_edge.runtimes.greeting import Greeting
from lama_edge.runtimes.inpainting.memory import trim_heap
from lama_edge.runtimes.litert.reading import read_manifest_of
from lama_edge.runtimes.litert.record import LITERT

with needs_extra("litert"):
    from ai_edge_litert.interpreter import Interpreter

# That XNNPACK is used.
_GREETING = Greeting()


class LitertRunner(Runner):
    """A file open in LiteRT; see `Runner`. Its XNNPACK kernels run on the processor."""

    runtime = LITERT

    def __init__(self, path: Path, *, provider: str = "auto", threads: int | None = None) -> None:
        """Open a file that lama-edge exported.

        Args:
            path: the ``.tflite`` file.
            provider: ``cpu``, the only one; ``auto`` is it.
            threads: threads that work on one operation; None is one for each processor that this
                process may use, since LiteRT by itself takes one.

        Raises:
            ModelError: when the file cannot be opened or carries no manifest.
        """
        manifest = read_manifest_of(path)
        try:
            with _GREETING.unheard():
                interpreter = Interpreter(str(path), num_threads=threads or _processors())
                interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"LiteRT cannot open {str(path)!r}: {one_line(error)}") from error
        self.provider = "cpu"
        self.manifest = manifest
        self.runtime_version = version("ai-edge-litert")
        self._interpreter: Any = interpreter
        # Its tensors are its own: between a run's inputs and its result nobody else may come.
        self._lock = threading.Lock()
        self._inputs = {one["name"]: one["index"] for one in interpreter.get_input_details()}
        (output,) = interpreter.get_output_details()
        self._output: int = output["index"]
        trim_heap()

    def run(self, image: Array, mask: Array) -> Array:
        """See `Runner.run`; runs of several threads wait for each other."""
        io = self.manifest.io
        check_inputs(io, self.manifest.size, image, mask)
        arrays = ((io.image, np.ascontiguousarray(image)), (io.mask, np.ascontiguousarray(mask)))
        with self._lock, naming(self.runtime.title):
            if self._interpreter is None:
                raise ModelError("the model is closed")
            for spec, array in arrays:
                self._interpreter.set_tensor(self._inputs[spec.name], array)
            self._interpreter.invoke()
            output: Array = self._interpreter.get_tensor(self._output)
        return output

    def close(self) -> None:
        """See `Runner.close`."""
        with self._lock:
            self._interpreter = None
        trim_heap()


def _processors() -> int:
    """Return how many processors this process may use."""
    count = os.cpu_count() or 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else count
