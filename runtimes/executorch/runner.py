"""Runs exported ExecuTorch programs in ExecuTorch's own runtime."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any
from weakref import WeakSet

from lama_edge.errors import (
    MissingBackendError,
    ModelError,
    UsageError,
    naming,
    needs_extra,
    one_line,
    parameter,
    without_remarks,
)
from lama_edge.manifest import Manifest
from lama_edge.runtimes.base import Array, Runner, ValueSeen, check_inputs, read_manifest
from lama_edge.runtimes.executorch.facts import manifest_of
from lama_edge.runtimes.executorch.record import EXECUTORCH
from lama_edge.runtimes.greeting import Greeting
from lama_edge.runtimes.inpainting.memory import trim_heap

# ExecuTorch imports torchao, and it and torch remark on what is not here and on each other.
with without_remarks("torchao", "torch.utils._pytree"), needs_extra("executorch"):
    import torch
    from executorch.extension.pybindings.portable_lib import (
        _threadpool_get_thread_count,
        _unsafe_reset_threadpool,
    )
    from executorch.runtime import Runtime

_METHOD = "forward"
# By the number of torch's ScalarType.
_DTYPES = {0: "uint8", 6: "float32"}
# The name in manifests -> ExecuTorch's own.
_BACKENDS = {"xnnpack": "XnnpackBackend", "coreml": "CoreMLBackend", "vulkan": "VulkanBackend"}
# What it read of the processor.
_GREETING = Greeting()
# Programs go on with the threads that they were opened with: the process dies when those are
# replaced under an open one.
_OPEN: WeakSet[ExecutorchRunner] = WeakSet()
_OPENING = threading.Lock()


class ExecutorchRunner(Runner):
    """A program open in ExecuTorch; see `Runner`."""

    runtime = EXECUTORCH

    def __init__(self, path: Path, *, provider: str = "auto", threads: int | None = None) -> None:
        """Open a program that lama-edge exported.

        Args:
            path: the ``.pte`` file.
            provider: ``cpu``, the only one; ``auto`` is it.
            threads: threads that work on one operation, of the whole process; None leaves them as
                they are, at first as many as ExecuTorch thinks right.

        Raises:
            MissingBackendError: when the file is for a backend that this ExecuTorch has not.
            ModelError: when the file cannot be opened, carries no manifest or another model's.
            UsageError: when a program is open with another number of threads.
        """
        manifest, runtime = manifest_of(path), Runtime.get()
        backend = str(manifest.format.get("backend"))
        if not runtime.backend_registry.is_available(_BACKENDS.get(backend, backend)):
            raise MissingBackendError(
                f"{str(path)!r} is for ExecuTorch's backend {backend!r}, which is not part of the "
                "ExecuTorch installed here: run it in an app, or export it with "
                f"{parameter('backend', 'xnnpack')}"
            )
        with _OPENING:
            try:
                with _GREETING.unheard():
                    _set_threads(threads)
                    program = runtime.load_program(path)
                    method = _loaded(path, program)
                self.manifest = _checked(path, manifest, method.metadata)
            except RuntimeError as error:
                raise ModelError(
                    f"ExecuTorch cannot open {str(path)!r}: {one_line(error)}"
                ) from error
            self.provider = "cpu"
            self.runtime_version = version("executorch")
            # The program owns what the method runs on.
            self._program, self._method = program, method
            # Its tensors are its own: between a run's inputs and its result nobody else may come.
            self._lock = threading.Lock()
            _OPEN.add(self)

    def run(self, image: Array, mask: Array) -> Array:
        """See `Runner.run`."""
        io = self.manifest.io
        check_inputs(io, self.manifest.size, image, mask)
        # Torch takes no array that is read backwards, and warns of those that cannot be written.
        inputs = [torch.from_numpy(array.copy()) for array in (image, mask)]
        with self._lock, naming(self.runtime.title):
            if self._method is None:
                raise ModelError("the model is closed")
            (output,) = self._method.execute(inputs)
        found: Array = output.numpy()
        return found

    def close(self) -> None:
        """See `Runner.close`."""
        with self._lock:
            self._program = self._method = None
        _OPEN.discard(self)
        trim_heap()


def _loaded(path: Path, program: Any) -> Any:
    try:
        return program.load_method(_METHOD)
    except KeyError as error:
        raise ModelError(
            f"{str(path)!r} has no method {_METHOD!r}: it is no program of lama-edge's; export it "
            "again"
        ) from error


def _set_threads(threads: int | None) -> None:
    """Give the process's programs a number of threads, while none is open."""
    now = _threadpool_get_thread_count()
    if not threads or threads == now:
        return
    if _OPEN:
        raise UsageError(
            f"threads={threads} cannot be had while another program is open with {now}, which are "
            "the whole process's in ExecuTorch: close it first, or ask for as many"
        )
    with Greeting().unheard():  # ExecuTorch reports every new pool
        _unsafe_reset_threadpool(threads)


def _checked(path: Path, manifest: Manifest, method: Any) -> Manifest:
    """Compare a manifest with what a method takes and gives, which has places and no names."""
    io = manifest.io
    inputs = _seen([io.image.name, io.mask.name], method.num_inputs(), method.input_tensor_meta)
    outputs = _seen([io.output.name], method.num_outputs(), method.output_tensor_meta)
    return read_manifest(path, manifest.to_json(), inputs=inputs, outputs=outputs)


def _seen(names: Sequence[str], count: int, meta_at: Callable[[int], Any]) -> list[ValueSeen]:
    """Describe values; those beyond the names have their places for names."""
    metas = [meta_at(at) for at in range(count)]
    return [
        ValueSeen(name, _DTYPES.get(kind, f"torch's number {kind}"), tuple(meta.sizes()))
        for name, meta in zip([*names, *map(str, range(len(names), count))], metas, strict=False)
        for kind in [meta.dtype()]
    ]
