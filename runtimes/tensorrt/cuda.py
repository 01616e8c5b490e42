"""CUDA's runtime as far as an engine needs it, through cuda-python under both its names."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import LamaEdgeError, MissingBackendError, ModelError, one_line, parameter

# cuda-python 12.6 and later; the name before, which JetPack's age of packages has, gone in 13.
_MODULES = ("cuda.bindings.runtime", "cuda.cudart")
_OUT_OF_MEMORY = "cudaErrorMemoryAllocation"
_NO_DEVICE = {
    "cudaErrorCompatNotSupportedOnDevice",
    "cudaErrorDevicesUnavailable",
    "cudaErrorInitializationError",
    "cudaErrorInsufficientDriver",
    "cudaErrorNoDevice",
    "cudaErrorOperatingSystem",
    "cudaErrorStubLibrary",
    "cudaErrorSystemDriverMismatch",
    "cudaErrorSystemNotReady",
}
_MIB = 1 << 20


class OutOfDeviceMemoryError(ModelError):
    """The GPU has not the memory that a model or a picture takes."""


class Cuda:
    """CUDA's runtime functions, called by name, their error codes turned into errors.

    The device is the process's current one, the first that ``CUDA_VISIBLE_DEVICES`` shows.
    """

    def __init__(self) -> None:
        """Import cuda-python; no driver is needed for that.

        Raises:
            MissingBackendError: when it is not installed.
        """
        self.api = _import_runtime()

    def call(self, function: str, *arguments: object) -> Any:
        """Call a function of the runtime.

        Args:
            function: its name, such as ``cudaMalloc``.
            arguments: as cuda-python takes them.

        Returns:
            None, its one result, or a tuple of its results.

        Raises:
            MissingBackendError: when there is no driver or no device.
            OutOfDeviceMemoryError: when the device's memory is full.
            ModelError: when it fails otherwise.
        """
        try:
            status, *results = getattr(self.api, function)(*arguments)
        except RuntimeError as error:
            # The older cuda-python raises where the driver's library is not there.
            raise MissingBackendError(_no_device(one_line(error))) from error
        if status != self.api.cudaError_t.cudaSuccess:
            raise self._error(function, status)
        return results[0] if len(results) == 1 else tuple(results) or None

    def require_device(self) -> None:
        """See to it that there is a GPU to work on.

        Raises:
            MissingBackendError: when there is no driver, none that is new enough, or no device.
        """
        version = self.call("cudaDriverGetVersion")
        if version == 0:
            raise MissingBackendError(_no_device("there is no driver"))
        self.call("cudaGetDeviceCount")

    def memory_left(self) -> str:
        """Say how much of the device's memory is free, for messages."""
        # Not through `call`, which comes here when memory is full.
        try:
            status, free, total = self.api.cudaMemGetInfo()
        except RuntimeError:
            status = None
        if status != self.api.cudaError_t.cudaSuccess:
            return "how much is free is not known"
        return f"{free // _MIB} of {total // _MIB} MiB are free"

    def _error(self, function: str, status: Any) -> LamaEdgeError:
        name = getattr(status, "name", str(status))
        text = self._text(status)
        if name in _NO_DEVICE:
            return MissingBackendError(_no_device(f"{text} ({name})"))
        if name == _OUT_OF_MEMORY:
            return OutOfDeviceMemoryError(
                f"the GPU's memory is full ({self.memory_left()}): close other programs, use a "
                f"smaller picture, or an engine of a smaller {parameter('size')}"
            )
        return ModelError(f"CUDA failed in {function}: {text} ({name})")

    def _text(self, status: Any) -> str:
        try:
            return one_line(self.api.cudaGetErrorString(status)[1].decode(errors="replace"))
        except RuntimeError:
            return "no message"


class Buffer(ABC):
    """Memory that grows when more is asked for; its contents are lost then.

    Attributes:
        address: where it begins; 0 while there is none.
        size_bytes: how much there is.
    """

    def __init__(self, cuda: Cuda) -> None:
        """Start with no memory."""
        self._cuda = cuda
        self.address = 0
        self.size_bytes = 0

    def reserve(self, size_bytes: int) -> None:
        """See to it that there are at least so many bytes; growing moves the buffer.

        Raises:
            OutOfDeviceMemoryError: when there are not as many.
        """
        if size_bytes > self.size_bytes:
            self.free()
            self.address = self._allocate(size_bytes)
            self.size_bytes = size_bytes

    def free(self) -> None:
        """Give the memory back; calling it again does nothing."""
        if self.address:
            address, self.address, self.size_bytes = self.address, 0, 0
            self._release(address)

    @abstractmethod
    def _allocate(self, size_bytes: int) -> int: ...

    @abstractmethod
    def _release(self, address: int) -> None: ...


class DeviceBuffer(Buffer):
    """Memory of the GPU."""

    def _allocate(self, size_bytes: int) -> int:
        return int(self._cuda.call("cudaMalloc", size_bytes))

    def _release(self, address: int) -> None:
        self._cuda.call("cudaFree", address)


class PinnedBuffer(Buffer):
    """Memory of the host that stays where it is, so that the GPU can copy without waiting."""

    def view(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return the buffer's beginning as an array, valid until it grows or is freed."""
        size_bytes = int(np.prod(shape)) * dtype.itemsize
        self.reserve(size_bytes)
        memory = (ctypes.c_uint8 * size_bytes).from_address(self.address)
        return np.ctypeslib.as_array(memory).view(dtype).reshape(shape)

    def _allocate(self, size_bytes: int) -> int:
        return int(
            self._cuda.call("cudaHostAlloc", size_bytes, self._cuda.api.cudaHostAllocDefault)
        )

    def _release(self, address: int) -> None:
        self._cuda.call("cudaFreeHost", address)


def captured(cuda: Cuda, stream: Any, work: Callable[[], None]) -> Any:
    """Record what `work` puts on a stream as a CUDA graph, which launches it all at once.

    See https://docs.nvidia.com/cuda/cuda-c-programming-guide/#creating-a-graph-using-stream-capture.

    Args:
        cuda: the runtime.
        stream: the stream; nothing runs on it meanwhile.
        work: puts the work on the stream; it must not wait for it.

    Returns:
        What ``cudaGraphLaunch`` takes; to be released with ``cudaGraphExecDestroy``.

    Raises:
        ModelError: when something in the work cannot be recorded; the stream is usable again.
    """
    # Other threads may go on allocating meanwhile.
    mode = cuda.api.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
    cuda.call("cudaStreamBeginCapture", stream, mode)
    try:
        work()
    except LamaEdgeError:
        with contextlib.suppress(LamaEdgeError):
            cuda.call("cudaGraphDestroy", cuda.call("cudaStreamEndCapture", stream))
        raise
    graph = cuda.call("cudaStreamEndCapture", stream)
    try:
        return cuda.call("cudaGraphInstantiateWithFlags", graph, 0)
    finally:
        cuda.call("cudaGraphDestroy", graph)


def _no_device(why: str) -> str:
    return (
        f"no NVIDIA GPU can be used here: {why}; install NVIDIA's driver, or run this where a GPU "
        "is"
    )


def _import_runtime() -> Any:
    for name in _MODULES:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    raise MissingBackendError(
        "the package 'cuda-python' is not installed; install it with: "
        'pip install "lama-edge[tensorrt]"'
    )
