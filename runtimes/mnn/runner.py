"""Runs exported MNN files."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np

from lama_edge.containers.mnn import quiet
from lama_edge.errors import ModelError, naming, needs_extra
from lama_edge.manifest import Manifest
from lama_edge.runtimes.base import Array, Runner, ValueSeen, check_inputs, read_manifest
from lama_edge.runtimes.mnn.reading import manifest_of
from lama_edge.runtimes.mnn.record import MNN as RECORD

with needs_extra("mnn"), quiet():
    import MNN

# MNN's own default, more than some machines have.
_MOST_THREADS = 4
# In MNN's `Interpreter::HintMode` the memory for Winograd's way to convolve, of which 0 is none.
_WINOGRAD_MEMORY = 3
_DTYPES = {"float32": MNN.numpy.float32, "uint8": MNN.numpy.uint8}


class MnnRunner(Runner):
    """An MNN file that is open; see `Runner`."""

    runtime = RECORD
    runtime_version = MNN.version()

    def __init__(self, path: Path, *, provider: str = "auto", threads: int | None = None) -> None:
        """Open a file that lama-edge exported.

        MNN's own settings, but for two: fp32 is computed without Winograd's convolutions, which
        lose digits (on lama-tiny 9e-5 instead of 3e-6), and fp16 in fp16 where the processor can.

        Args:
            path: the ``.mnn`` file.
            provider: ``cpu``, the only one; ``auto`` is the same.
            threads: threads that work on one operation; None is 4, or as many as there are
                processors if those are fewer.

        Raises:
            ModelError: when the file cannot be opened, carries no manifest, or is not as it was
                exported.
        """
        self.provider = "cpu"
        # A module keeps what it computes between its operations: threads that share it take turns.
        self._lock = threading.Lock()
        manifest = manifest_of(path)
        self._net: Any = _open(path, manifest, threads or min(_MOST_THREADS, os.cpu_count() or 1))
        known = self._net.get_info()
        self.manifest = read_manifest(
            path,
            manifest.to_json(),
            inputs=[
                ValueSeen(name, _dtype(value), [None if n < 0 else n for n in value.shape])
                for name, value in zip(known["inputNames"], known["inputs"], strict=True)
            ],
            # MNN does not tell of what type they are.
            outputs=[
                ValueSeen(name, manifest.io.output.dtype, None) for name in known["outputNames"]
            ],
        )

    def run(self, image: Array, mask: Array) -> Array:
        """See `Runner.run`."""
        check_inputs(self.manifest.io, self.manifest.size, image, mask)
        with self._lock, naming(self.runtime.title):
            if self._net is None:
                raise ModelError("the model is closed")
            output = _array(self._net.forward([_variable(image), _variable(mask)]))
        if output is None or output.shape != image.shape or output.dtype != image.dtype:
            found = "nothing" if output is None else f"{output.dtype} {output.shape}"
            raise ModelError(f"MNN failed: it gave {found} for an image of {image.shape}")
        return output

    def close(self) -> None:
        """See `Runner.close`."""
        with self._lock:
            self._net = None


def _open(path: Path, manifest: Manifest, threads: int) -> Any:
    """Open a file in MNN, which raises plain errors and prints why."""
    precision = "low" if manifest.precision == "fp16" else "high"
    settings = {"backend": "CPU", "precision": precision, "numThread": threads}
    io = manifest.io
    with quiet() as said:
        try:
            manager = MNN.nn.create_runtime_manager((settings,))
            if manifest.precision == "fp32":
                manager.set_hint(_WINOGRAD_MEMORY, 0)
            return MNN.nn.load_module_from_file(
                str(path), [io.image.name, io.mask.name], [io.output.name], runtime_manager=manager
            )
        except Exception as error:
            failed = error
    reason = said[-1] if said else "no message"
    raise ModelError(f"MNN cannot open {str(path)!r}: {reason}") from failed


def _variable(array: Array) -> Any:
    """Return an input of MNN's; a layout of bytes is none of its own, and passed as it is."""
    array = np.ascontiguousarray(array)
    return MNN.expr.const(array, list(array.shape), MNN.expr.NCHW, _DTYPES[str(array.dtype)])


def _array(results: list[Any]) -> Array | None:
    """Return a copy of the only result; None where there is none."""
    if not results:
        return None
    return np.array(MNN.expr.convert(results[0], MNN.expr.NCHW).read())


def _dtype(value: Any) -> str:
    """Return an input's element type by NumPy's name."""
    return next((name for name, own in _DTYPES.items() if own == value.dtype), str(value.dtype))
