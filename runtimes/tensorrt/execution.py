"""An engine on the GPU: its context, stream, buffers and CUDA graph."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from lama_edge.engines import Library
from lama_edge.errors import LamaEdgeError, ModelError, one_line, parameter
from lama_edge.runtimes.base import Array, ValueSeen
from lama_edge.runtimes.tensorrt.cuda import (
    Cuda,
    DeviceBuffer,
    OutOfDeviceMemoryError,
    PinnedBuffer,
    captured,
)
from lama_edge.runtimes.tensorrt.runtime_cache import RuntimeCache

_MIB = 1 << 20
_DTYPES = {"FLOAT": "float32", "UINT8": "uint8"}
_OUT_OF_MEMORY = ("out of memory", "outofmemory", "cudaerrormemoryallocation")

_log = logging.getLogger(__name__)


class Execution:
    """A deserialised engine that runs one batch at a time, from host arrays to host arrays.

    Input and output pass through pinned memory. While an engine of one size runs, the copies and
    its kernels are one CUDA graph from the second run on; TensorRT for RTX records its own, which
    knows when its kernels for a size are compiled.

    Attributes:
        inputs: what the engine takes.
        outputs: what it gives.
    """

    def __init__(
        self,
        library: Library,
        data: bytes,
        cuda: Cuda,
        *,
        records: bool,
        cache: Path | None = None,
    ) -> None:
        """Deserialise an engine and take the memory that it works in.

        Args:
            library: the one that built it.
            data: the engine.
            cuda: CUDA's runtime, with a device.
            records: whether to record CUDA graphs: worth it where sizes seldom change.
            cache: the file that keeps what TensorRT for RTX compiles; None keeps nothing.

        Raises:
            ModelError: when the library refuses it.
            OutOfDeviceMemoryError: when the GPU has not enough memory for it.
        """
        self._trt: Any = library.module
        self._library, self._cuda = library, cuda
        self._records = records and library.flavor != "rtx"
        self._errors = _logger(self._trt).errors
        self.inputs: list[ValueSeen] = []
        self.outputs: list[ValueSeen] = []
        self._runtime: Any = None
        self._engine: Any = None
        self._context: Any = None
        self._stream: Any = None
        self._graph: Any = None
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._profile = 0
        self._buffers: dict[str, tuple[PinnedBuffer, DeviceBuffer]] = {}
        self._cache = RuntimeCache(cache)
        try:
            self._open(data)
        except BaseException:
            self.close()
            raise

    def _open(self, data: bytes) -> None:
        self._stream = self._cuda.call(
            "cudaStreamCreateWithFlags", self._cuda.api.cudaStreamNonBlocking
        )
        self._errors.clear()
        self._runtime = self._trt.Runtime(_logger(self._trt))
        self._engine = self._runtime.deserialize_cuda_engine(data)
        if self._engine is None:
            raise self._failed("cannot open the engine")
        if self._library.flavor == "rtx":
            config = self._engine.create_runtime_config()
            config.cuda_graph_strategy = self._trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
            self._cache.attach(config)
            self._context = self._engine.create_execution_context(config)
        else:
            self._context = self._engine.create_execution_context()
        if self._context is None:
            raise self._failed("cannot prepare the engine")
        for index in range(self._engine.num_io_tensors):
            name = self._engine.get_tensor_name(index)
            dtype = self._engine.get_tensor_dtype(name).name
            shape = tuple(self._engine.get_tensor_shape(name))
            is_input = self._engine.get_tensor_mode(name) == self._trt.TensorIOMode.INPUT
            seen = self.inputs if is_input else self.outputs
            seen.append(ValueSeen(name, _DTYPES.get(dtype, dtype.lower()), shape))
            self._buffers[name] = PinnedBuffer(self._cuda), DeviceBuffer(self._cuda)

    def run(self, feeds: Mapping[str, Array], *, profile: int) -> Array:
        """Run the engine once, and wait for its result.

        Args:
            feeds: an array for each input.
            profile: the optimisation profile that their shapes are within.

        Returns:
            The engine's output, an array of its own.

        Raises:
            OutOfDeviceMemoryError: when the GPU's memory is full.
            ModelError: when the engine is closed, refuses the shapes, or fails.
        """
        if self._context is None:
            raise ModelError("the model is closed")
        self._errors.clear()
        shapes = {name: array.shape for name, array in feeds.items()}
        is_new = profile != self._profile or any(
            self._shapes.get(n) != s for n, s in shapes.items()
        )
        if is_new:
            self._prepare(shapes, profile)
        for value in self.inputs:
            np.copyto(self._host(value), feeds[value.name])
        if self._graph is not None:
            self._cuda.call("cudaGraphLaunch", self._graph, self._stream)
        else:
            self._enqueue()
        self._cuda.call("cudaStreamSynchronize", self._stream)
        result: Array = self._host(self.outputs[0]).copy()
        # TensorRT sets things up in the first run of a shape, which cannot be recorded.
        if is_new and self._records:
            self._record()
        return result

    def close(self) -> None:
        """Release the engine and its memory; calling it again does nothing."""
        if self._stream is None:
            return
        if self._context is not None:
            self._cache.save()
        with contextlib.suppress(LamaEdgeError):
            self._forget_graph()
        # In this order: each one refers to the next.
        self._context = None
        self._cache.detach()
        self._engine = None
        self._runtime = None
        # A device that failed gives nothing back, and what it said first is what matters.
        for buffer in (one for pair in self._buffers.values() for one in pair):
            with contextlib.suppress(LamaEdgeError):
                buffer.free()
        self._buffers.clear()
        stream, self._stream = self._stream, None
        with contextlib.suppress(LamaEdgeError):
            self._cuda.call("cudaStreamDestroy", stream)

    def _prepare(self, shapes: Mapping[str, tuple[int, ...]], profile: int) -> None:
        """Tell the engine the inputs' shapes and where inputs and output lie."""
        self._forget_graph()
        # Whatever fails below, the next run starts over.
        self._shapes = {}
        context, stream = self._context, int(self._stream)
        if profile != self._profile:
            if not context.set_optimization_profile_async(profile, stream):
                raise self._failed(f"refuses the profile {profile}")
            self._cuda.call("cudaStreamSynchronize", self._stream)
            self._profile = profile
        for name, shape in shapes.items():
            if not context.set_input_shape(name, shape):
                raise self._failed(f"refuses {name} of shape {shape}")
        found = dict(shapes)
        for value in (*self.inputs, *self.outputs):
            shape = tuple(int(side) for side in context.get_tensor_shape(value.name))
            found[value.name] = shape
            host, device = self._buffers[value.name]
            size_bytes = int(np.prod(shape)) * np.dtype(value.dtype).itemsize
            host.reserve(size_bytes)
            device.reserve(size_bytes)
            if not context.set_tensor_address(value.name, device.address):
                raise self._failed(f"refuses the memory of {value.name}")
        self._shapes = found

    def _host(self, value: ValueSeen) -> Array:
        return self._buffers[value.name][0].view(self._shapes[value.name], np.dtype(value.dtype))

    def _enqueue(self) -> None:
        """Put the copies and the engine's kernels on the stream."""
        kinds = self._cuda.api.cudaMemcpyKind
        for value in self.inputs:
            self._copy(value, kinds.cudaMemcpyHostToDevice)
        if not self._context.execute_async_v3(int(self._stream)):
            raise self._failed("failed")
        for value in self.outputs:
            self._copy(value, kinds.cudaMemcpyDeviceToHost)

    def _copy(self, value: ValueSeen, kind: Any) -> None:
        host, device = self._buffers[value.name]
        ends = host.address, device.address
        if kind == self._cuda.api.cudaMemcpyKind.cudaMemcpyHostToDevice:
            ends = device.address, host.address
        size_bytes = int(np.prod(self._shapes[value.name])) * np.dtype(value.dtype).itemsize
        self._cuda.call("cudaMemcpyAsync", *ends, size_bytes, kind, self._stream)

    def _record(self) -> None:
        try:
            self._graph = captured(self._cuda, self._stream, self._enqueue)
        except LamaEdgeError as error:
            # It only saves time: an engine that cannot be recorded runs all the same.
            self._records = False
            _log.warning("no CUDA graph: %s", one_line(error))

    def _forget_graph(self) -> None:
        if self._graph is not None:
            graph, self._graph = self._graph, None
            self._cuda.call("cudaGraphExecDestroy", graph)

    def _failed(self, what: str) -> ModelError:
        said = " ".join(dict.fromkeys(self._errors)) or "it does not say why"
        self._errors.clear()
        if any(mark in said.lower() for mark in _OUT_OF_MEMORY):
            return OutOfDeviceMemoryError(
                f"the GPU's memory is full: {self._library.title} {what}{self._needs()}, "
                f"{self._cuda.memory_left()}: close other programs, or build an engine of a "
                f"smaller {parameter('size')}"
            )
        return ModelError(f"{self._library.title} {what}: {one_line(said)}")

    def _needs(self) -> str:
        """Say how much the engine works in, where it is open and tells."""
        for name in ("device_memory_size_v2", "device_memory_size"):
            size_bytes = getattr(self._engine, name, None)
            if size_bytes is not None:
                return f" (it works in {size_bytes // _MIB} MiB)"
        return ""


@cache
def _logger(trt: Any) -> Any:
    """Return the library's logger for this process; it takes only one.

    Its `errors` are the messages of errors since they were last cleared.
    """

    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR):
                self.errors.append(one_line(message))
            elif severity == trt.ILogger.Severity.WARNING:
                _log.warning("TensorRT: %s", one_line(message))

    return Logger()
