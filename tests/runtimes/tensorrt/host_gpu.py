"""A GPU made of the host's memory: CUDA's calls and TensorRT's objects, computed by ONNX Runtime.

It stands in where no GPU is, so that what the runner does with memory, shapes, streams and graphs
can be seen to be right. It is as strict as the real ones in what it checks: unknown addresses,
copies beyond an allocation, freed memory, shapes outside a profile, work that cannot be recorded.
"""

from __future__ import annotations

import ctypes
import enum
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime as ort

from lama_edge.engines import EngineBuild

Work = Callable[[], None]


class cudaError_t(enum.IntEnum):  # noqa: N801
    cudaSuccess = 0  # noqa: N815
    cudaErrorInvalidValue = 1  # noqa: N815
    cudaErrorMemoryAllocation = 2  # noqa: N815
    cudaErrorStreamCaptureUnsupported = 900  # noqa: N815


class _Kind(enum.IntEnum):
    cudaMemcpyHostToDevice = 1  # noqa: N815
    cudaMemcpyDeviceToHost = 2  # noqa: N815


OK = cudaError_t.cudaSuccess


class _Stream:
    def __init__(self, number: int) -> None:
        self.number = number
        self.waiting: list[Work] = []
        self.recorded: list[Work] | None = None

    def __int__(self) -> int:
        return self.number


class HostCuda:
    """CUDA's runtime functions, as cuda-python gives them, over the host's memory.

    Attributes:
        memory_bytes: how much "device" memory there is.
        live: what is allocated and not freed, by address.
        launches: how many graphs were launched.
    """

    cudaError_t = cudaError_t  # noqa: N815
    cudaMemcpyKind = _Kind  # noqa: N815
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal=1)  # noqa: N815
    cudaHostAllocDefault = 0  # noqa: N815
    cudaStreamNonBlocking = 1  # noqa: N815

    def __init__(self, memory_bytes: int = 1 << 30) -> None:
        self.memory_bytes = memory_bytes
        self.live: dict[int, tuple[str, Any]] = {}
        self.streams: dict[int, _Stream] = {}
        self.graphs: set[int] = set()
        self.launches = 0
        self.records = True

    def used_bytes(self) -> int:
        return sum(len(memory) for kind, memory in self.live.values() if kind == "device")

    def cudaDriverGetVersion(self) -> tuple[Any, int]:  # noqa: N802
        return OK, 12060

    def cudaGetDeviceCount(self) -> tuple[Any, int]:  # noqa: N802
        return OK, 1

    def cudaGetErrorString(self, error: Any) -> tuple[Any, bytes]:  # noqa: N802
        return OK, f"text of {error.name}".encode()

    def cudaMemGetInfo(self) -> tuple[Any, int, int]:  # noqa: N802
        return OK, self.memory_bytes - self.used_bytes(), self.memory_bytes

    def cudaMalloc(self, size: int) -> tuple[Any, int | None]:  # noqa: N802
        if self.used_bytes() + size > self.memory_bytes:
            return cudaError_t.cudaErrorMemoryAllocation, None
        return OK, self._allocate("device", size)

    def cudaHostAlloc(self, size: int, flags: int) -> tuple[Any, int]:  # noqa: N802
        return OK, self._allocate("host", size)

    def cudaFree(self, address: int) -> tuple[Any]:  # noqa: N802
        return self._free("device", address)

    def cudaFreeHost(self, address: int) -> tuple[Any]:  # noqa: N802
        return self._free("host", address)

    def cudaStreamCreateWithFlags(self, flags: int) -> tuple[Any, _Stream]:  # noqa: N802
        stream = _Stream(0x5000 + len(self.streams))
        self.streams[stream.number] = stream
        return OK, stream

    def cudaStreamDestroy(self, stream: _Stream) -> tuple[Any]:  # noqa: N802
        del self.streams[stream.number]
        return (OK,)

    def cudaStreamSynchronize(self, stream: _Stream) -> tuple[Any]:  # noqa: N802
        assert stream.recorded is None
        for work in stream.waiting:
            work()
        stream.waiting.clear()
        return (OK,)

    def cudaMemcpyAsync(  # noqa: N802
        self, to: int, source: int, size: int, kind: _Kind, stream: _Stream
    ) -> tuple[Any]:
        wanted = ("device", "host") if kind == _Kind.cudaMemcpyHostToDevice else ("host", "device")
        for address, where in zip((to, source), wanted, strict=True):
            if address not in self.live or self.live[address][0] != where:
                return (cudaError_t.cudaErrorInvalidValue,)
            if size > len(self.live[address][1]):
                return (cudaError_t.cudaErrorInvalidValue,)
        self.put(stream.number, lambda: ctypes.memmove(to, source, size))
        return (OK,)

    def cudaStreamBeginCapture(self, stream: _Stream, mode: int) -> tuple[Any]:  # noqa: N802
        stream.recorded = []
        return (OK,)

    def cudaStreamEndCapture(self, stream: _Stream) -> tuple[Any, list[Work]]:  # noqa: N802
        recorded, stream.recorded = stream.recorded, None
        assert recorded is not None
        return OK, recorded

    def cudaGraphInstantiateWithFlags(  # noqa: N802
        self, graph: list[Work], flags: int
    ) -> tuple[Any, tuple[Work, ...]]:
        executable = tuple(graph)
        self.graphs.add(id(executable))
        return OK, executable

    def cudaGraphDestroy(self, graph: list[Work]) -> tuple[Any]:  # noqa: N802
        return (OK,)

    def cudaGraphLaunch(  # noqa: N802
        self, executable: tuple[Work, ...], stream: _Stream
    ) -> tuple[Any]:
        assert id(executable) in self.graphs
        self.launches += 1
        stream.waiting += executable
        return (OK,)

    def cudaGraphExecDestroy(self, executable: tuple[Work, ...]) -> tuple[Any]:  # noqa: N802
        self.graphs.remove(id(executable))
        return (OK,)

    def put(self, number: int, work: Work) -> None:
        stream = self.streams[number]
        (stream.waiting if stream.recorded is None else stream.recorded).append(work)

    def is_recording(self, number: int) -> bool:
        return self.streams[number].recorded is not None

    def array(self, address: int, shape: tuple[int, ...], dtype: Any) -> Any:
        """The allocation at an address as an array; freed memory and short ones fail."""
        where, memory = self.live[address]
        assert where == "device"
        flat = np.ctypeslib.as_array(memory)[: int(np.prod(shape)) * np.dtype(dtype).itemsize]
        return flat.view(dtype).reshape(shape)

    def _allocate(self, where: str, size: int) -> int:
        memory = (ctypes.c_uint8 * size)()
        address = ctypes.addressof(memory)
        self.live[address] = where, memory
        return address

    def _free(self, where: str, address: int) -> tuple[Any]:
        if self.live.get(address, ("",))[0] != where:
            return (cudaError_t.cudaErrorInvalidValue,)
        del self.live[address]
        return (OK,)


def host_library(name: str, version: str, cuda: HostCuda, model: Path, build: EngineBuild) -> Any:
    """A TensorRT module whose engine is an ONNX file in ONNX Runtime.

    Args:
        name: the module's.
        version: the library's.
        cuda: where its engine's memory lies.
        model: the file, of one fixed or of any size.
        build: the engine's record, which names its profiles.

    Returns:
        The module. Its `contexts` are those made so far; what is put in `fails` is said through
        the logger the next time that an engine runs, and that run fails; without `records` no run
        can be recorded.
    """

    class Logger:
        class Severity(enum.IntEnum):
            INTERNAL_ERROR = 0
            ERROR = 1
            WARNING = 2

    session = ort.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    module: Any = ModuleType(name)
    module.__version__ = version
    module.ILogger = Logger
    module.TensorIOMode = enum.Enum("TensorIOMode", ["INPUT", "OUTPUT"])
    module.CudaGraphStrategy = enum.Enum("CudaGraphStrategy", ["DISABLED", "WHOLE_GRAPH_CAPTURE"])
    module.contexts, module.fails, module.records = [], [], True
    module.Runtime = lambda logger: SimpleNamespace(
        deserialize_cuda_engine=lambda data: _Engine(module, cuda, session, build, logger)
    )
    return module


class _Engine:
    device_memory_size_v2 = 3 << 20

    def __init__(
        self, module: Any, cuda: HostCuda, session: Any, build: EngineBuild, logger: Any
    ) -> None:
        self.module, self.cuda, self.session, self.build = module, cuda, session, build
        self.logger = logger
        self.values = [*session.get_inputs(), *session.get_outputs()]
        self.num_io_tensors = len(self.values)

    def value(self, name: str) -> Any:
        return next(value for value in self.values if value.name == name)

    def get_tensor_name(self, index: int) -> str:
        return str(self.values[index].name)

    def get_tensor_mode(self, name: str) -> Any:
        is_input = name in {value.name for value in self.session.get_inputs()}
        return self.module.TensorIOMode.INPUT if is_input else self.module.TensorIOMode.OUTPUT

    def get_tensor_dtype(self, name: str) -> Any:
        names = {"tensor(float)": "FLOAT", "tensor(uint8)": "UINT8"}
        return SimpleNamespace(name=names[self.value(name).type])

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        shape = self.value(name).shape
        return (1, *(side if isinstance(side, int) else -1 for side in shape[1:]))

    def create_runtime_config(self) -> Any:
        return _RuntimeConfig()

    def create_execution_context(self, config: Any = None) -> Any:
        context = _Context(self, config)
        self.module.contexts.append(context)
        return context


class _RuntimeConfig:
    cuda_graph_strategy: Any = None
    cache: Any = None

    def create_runtime_cache(self) -> Any:
        return _RuntimeCache()

    def set_runtime_cache(self, cache: Any) -> bool:
        self.cache = cache
        return True


class _RuntimeCache:
    def __init__(self) -> None:
        self.shapes: set[str] = set()
        self.compiled = 0

    def serialize(self) -> bytes:
        return "\n".join(sorted(self.shapes)).encode()

    def deserialize(self, blob: bytes) -> bool:
        self.shapes = set(blob.decode().splitlines())
        return True


class _Context:
    def __init__(self, engine: _Engine, config: Any) -> None:
        self.engine, self.config = engine, config
        self.profile = 0
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.addresses: dict[str, int] = {}
        self.runs = 0

    def set_optimization_profile_async(self, index: int, stream: int) -> bool:
        self.profile, self.shapes = index, {}
        return index < len(self.engine.build.profiles)

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        known = self.engine.get_tensor_shape(name)
        sides = [s for s, k in zip(shape[1:], known[1:], strict=True) if s > 4 or k == -1]
        if shape[0] != 1 or not self.engine.build.profiles[self.profile].takes(*sides[:2]):
            return False
        self.shapes[name] = tuple(shape)
        return True

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        # The output is as large as the picture.
        return self.shapes.get(name, self.shapes["image"])

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return address in self.engine.cuda.live

    def execute_async_v3(self, stream: int) -> bool:
        module, cuda = self.engine.module, self.engine.cuda
        if module.fails:
            self.engine.logger.log(module.ILogger.Severity.ERROR, module.fails.pop())
            return False
        if cuda.is_recording(stream) and not module.records:
            self.engine.logger.log(module.ILogger.Severity.ERROR, "cannot be captured")
            return False
        # As a kernel does, it works at the addresses that it was started with.
        shapes, addresses = dict(self.shapes), dict(self.addresses)
        cuda.put(stream, lambda: self._compute(shapes, addresses))
        if self.config is not None and self.config.cache is not None:
            self.config.cache.shapes.add(str(shapes))
        return True

    def _compute(self, shapes: dict[str, tuple[int, ...]], addresses: dict[str, int]) -> None:
        self.runs += 1
        cuda, session = self.engine.cuda, self.engine.session
        dtypes = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}
        feeds = {
            name: cuda.array(addresses[name], shape, dtypes[self.engine.value(name).type])
            for name, shape in shapes.items()
        }
        (output,) = session.get_outputs()
        (result,) = session.run([output.name], feeds)
        cuda.array(addresses[output.name], result.shape, result.dtype)[:] = result
