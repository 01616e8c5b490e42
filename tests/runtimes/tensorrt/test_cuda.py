"""CUDA's runtime through the real cuda-python, as far as it goes without a driver."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lama_edge.errors import MissingBackendError, ModelError
from lama_edge.nvidia import current_gpu
from lama_edge.runtimes.tensorrt.cuda import Cuda, DeviceBuffer, PinnedBuffer, captured

no_gpu = pytest.mark.skipif(current_gpu() is not None, reason="looks at a machine without a GPU")
FUNCTIONS = (
    "cudaDriverGetVersion", "cudaFree", "cudaFreeHost", "cudaGetDeviceCount", "cudaGetErrorString",
    "cudaGraphDestroy", "cudaGraphExecDestroy", "cudaGraphInstantiateWithFlags", "cudaGraphLaunch",
    "cudaHostAlloc", "cudaMalloc", "cudaMemGetInfo", "cudaMemcpyAsync", "cudaStreamBeginCapture",
    "cudaStreamCreateWithFlags", "cudaStreamDestroy", "cudaStreamEndCapture",
    "cudaStreamSynchronize", "cudaHostAllocDefault", "cudaStreamNonBlocking",
)  # fmt: skip


@pytest.fixture(scope="module")
def real() -> Cuda:
    pytest.importorskip("cuda.bindings.runtime", reason="cuda-python is not installed")
    return Cuda()


def test_the_real_module_has_all_that_is_called(real: Cuda) -> None:
    sources = Path(str(sys.modules[Cuda.__module__].__file__)).parent.glob("*.py")
    text = "".join(source.read_text(encoding="utf-8") for source in sources)
    assert [name for name in FUNCTIONS if name not in text] == []
    assert [name for name in FUNCTIONS if not hasattr(real.api, name)] == []
    assert real.api.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal == 1
    kinds = real.api.cudaMemcpyKind
    assert (kinds.cudaMemcpyHostToDevice, kinds.cudaMemcpyDeviceToHost) == (1, 2)


@no_gpu
@pytest.mark.parametrize(
    ("function", "arguments"),
    [("cudaMalloc", (100,)), ("cudaGetDeviceCount", ()), ("cudaMemGetInfo", ())],
)
def test_without_a_driver_every_call_says_so(
    real: Cuda, function: str, arguments: tuple[int, ...]
) -> None:
    with pytest.raises(MissingBackendError, match=r"no NVIDIA GPU.*cudaErrorInsufficientDriver"):
        real.call(function, *arguments)
    with pytest.raises(MissingBackendError, match="there is no driver"):
        real.require_device()
    assert real.memory_left() == "how much is free is not known"


def test_the_older_import_name_is_found_and_its_way_to_say_no_driver(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """cuda-python before 12.6 raises where the driver's library is not there (seen with 12.2)."""

    def no_library() -> None:
        raise RuntimeError("Failed to dlopen libcuda.so.1")

    old: Any = ModuleType("cuda.cudart")
    old.cudaDriverGetVersion = no_library
    package: Any = ModuleType("cuda")
    package.__path__ = []
    package.cudart = old
    for name in [name for name in sys.modules if name == "cuda" or name.startswith("cuda.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cuda", package)
    monkeypatch.setitem(sys.modules, "cuda.cudart", old)
    found = Cuda()
    assert found.api is old
    with pytest.raises(MissingBackendError, match=r"Failed to dlopen libcuda\.so\.1; install"):
        found.require_device()


def _real() -> Any:
    return pytest.importorskip("cuda.bindings.runtime", reason="cuda-python is not installed")


def _runtime(**functions: Any) -> Any:
    real = _real()
    names = ("cudaError_t", "cudaGetErrorString", "cudaStreamCaptureMode", "cudaHostAllocDefault")
    cuda: Any = Cuda()
    cuda.api = SimpleNamespace(**{name: getattr(real, name) for name in names}, **functions)
    return cuda


def test_errors_are_told_by_name_and_in_the_runtimes_words() -> None:
    errors = _real().cudaError_t
    cuda = _runtime(
        cudaFree=lambda address: (errors.cudaErrorInvalidValue,),
        cudaMalloc=lambda size: (errors.cudaErrorMemoryAllocation, None),
        cudaMemGetInfo=lambda: (errors.cudaSuccess, 3 << 20, 64 << 20),
    )
    with pytest.raises(ModelError, match=r"cudaFree: invalid argument \(cudaErrorInvalidValue\)"):
        cuda.call("cudaFree", 1)
    with pytest.raises(ModelError, match=r"memory is full.*3 of 64 MiB are free.*smaller"):
        DeviceBuffer(cuda).reserve(1 << 30)


def test_a_buffer_grows_and_never_shrinks() -> None:
    kept: dict[int, Any] = {}
    success = _real().cudaError_t.cudaSuccess

    def allocate(size: int, flags: int) -> tuple[Any, int]:
        memory = np.empty(size, np.uint8)
        kept[memory.ctypes.data] = memory
        return success, memory.ctypes.data

    cuda = _runtime(cudaHostAlloc=allocate, cudaFreeHost=lambda a: (success, kept.pop(a))[:1])
    buffer = PinnedBuffer(cuda)
    large = buffer.view((2, 3, 5), np.dtype(np.float32))
    large[:] = 7
    first = buffer.address
    assert buffer.view((4,), np.dtype(np.uint8)).shape == (4,)
    assert buffer.address == first
    assert kept[first].view(np.float32).tolist() == [7.0] * 30
    buffer.reserve(121)
    assert list(kept) == [buffer.address]
    buffer.free()
    buffer.free()
    assert (kept, buffer.address) == ({}, 0)


def test_a_recording_that_fails_is_ended_and_thrown_away() -> None:
    success = _real().cudaError_t.cudaSuccess
    calls: list[str] = []

    def noted(name: str, *results: Any) -> Any:
        return lambda *arguments: (calls.append(name), (success, *results))[1]

    cuda = _runtime(
        cudaStreamBeginCapture=noted("begin"),
        cudaStreamEndCapture=noted("end", "graph"),
        cudaGraphInstantiateWithFlags=noted("instantiate", "executable"),
        cudaGraphDestroy=noted("destroy"),
    )
    assert captured(cuda, "stream", lambda: calls.append("work")) == "executable"
    assert calls == ["begin", "work", "end", "instantiate", "destroy"]
    calls.clear()

    def fail() -> None:
        raise ModelError("no")

    with pytest.raises(ModelError, match="no"):
        captured(cuda, "stream", fail)
    assert calls == ["begin", "end", "destroy"]
