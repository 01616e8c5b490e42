"""Runs exported ExecuTorch programs in ExecuTorch's own runtime."""

from __future__ import annotations

import threading
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lama_edge.errors import MissingBackendError, ModelError, needs_extra, one_line
from lama_edge.manifest import Manifest
from lama_edge.runtimes.base import Array, Runner, ValueSeen, check_inputs, read_manifest
from lama_edge.runtimes.executorch.facts import manifest_of
from lama_edge.runtimes.executorch.record import EXECUTORCH
from lama_edge.runtimes.greeting import Greeting
from lama_edge.runtimes.inpainting.memory import trim_heap

with needs_extra("executorch"):
    import torch
    from executorch.extension.pybindings.portable_lib import _unsafe_reset_threadpool
    from executorch.runtime import Runtime

_METHOD = "forward"
# By the number of torch's ScalarType.
_DTYPES = {0: "uint8", 6: "float32"}
# The name in manifests -> ExecuTorch's own.
_BACKENDS = {"xnnpack": "XnnpackBackend", "coreml": "CoreMLBackend", "vulkan": "VulkanBackend"}
# What it read of the processor.
_GREETING = Greeting()


class ExecutorchRunner(Runner):
    """A program open in ExecuTorch; see `Runner`."""

    runtime = EXECUTORCH

    def __init__(self, path: Path, *, provider: str = "auto", threads: int | None = None) -> None:
        """Open a program that lama-edge exported.

        Args:
            path: the ``.pte`` file.
            provider: ``cpu``, the only one; ``auto`` is it.
            threads: threads that work on one operation, of the whole process; None leaves it to
                ExecuTorch.

        Raises:
            MissingBackendError: when the file is for a backend that this ExecuTorch has not.
            ModelError: when the file cannot be opened or carries no manifest.
        """
        manifest, runtime = manifest_of(path), Runtime.get()
        backend = str(manifest.format.get("backend"))
        if not runtime.backend_registry.is_available(_BACKENDS.get(backend, backend)):
            raise MissingBackendError(
                f"{str(path)!r} is for ExecuTorch's backend {backend!r}, which is not part of the "
                "ExecuTorch installed here: run it in an app, or export it with --backend xnnpack"
            )
        try:
            with _GREETING.unheard():
                if threads is not None:
                    _unsafe_reset_threadpool(threads)
                program = runtime.load_program(path)
                method: Any = program.load_method(_METHOD)
        except RuntimeError as error:
            raise ModelError(f"ExecuTorch cannot open {str(path)!r}: {one_line(error)}") from error
        self.provider = "cpu"
        self.runtime_version = version("executorch")
        self.manifest = _checked(path, manifest, method.metadata)
        # The program owns what the method runs on.
        self._program, self._method = program, method
        # Its tensors are its own: between a run's inputs and its result nobody else may come.
        self._lock = threading.Lock()

    def run(self, image: Array, mask: Array) -> Array:
        """See `Runner.run`."""
        io = self.manifest.io
        check_inputs(io, self.manifest.size, image, mask)
        # Torch takes no array that is read backwards, and warns of those that cannot be written.
        inputs = [torch.from_numpy(array.copy()) for array in (image, mask)]
        with self._lock:
            if self._method is None:
                raise ModelError("the model is closed")
            try:
                (output,) = self._method.execute(inputs)
            except RuntimeError as error:
                raise ModelError(f"ExecuTorch failed: {one_line(error)}") from error
        found: Array = output.numpy()
        return found

    def close(self) -> None:
        """See `Runner.close`."""
        with self._lock:
            self._program = self._method = None
        trim_heap()


def _checked(path: Path, manifest: Manifest, method: Any) -> Manifest:
    """Compare a manifest with what a method takes and gives, which has places and no names."""
    io = manifest.io
    inputs = [
        _seen(spec.name, method.input_tensor_meta(at))
        for at, spec in enumerate((io.image, io.mask))
    ]
    outputs = [_seen(io.output.name, method.output_tensor_meta(0))]
    return read_manifest(path, manifest.to_json(), inputs=inputs, outputs=outputs)


def _seen(name: str, meta: Any) -> ValueSeen:
    kind = meta.dtype()
    return ValueSeen(name, _DTYPES.get(kind, f"torch's number {kind}"), tuple(meta.sizes()))
