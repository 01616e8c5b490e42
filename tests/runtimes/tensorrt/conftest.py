"""Engines: real ones of TensorRT for RTX, and ones that run on a GPU made of the host's memory."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import onnx
import pytest

from lama_edge.engines import EngineBuild, Library, ProfileSizes
from lama_edge.files import beside
from lama_edge.manifest import METADATA_KEY, Manifest
from lama_edge.nvidia import Gpu
from lama_edge.runtimes.tensorrt import cuda as cuda_module
from lama_edge.runtimes.tensorrt import engine_files
from lama_edge.runtimes.tensorrt import runner as tensorrt_runner
from lama_edge.runtimes.tensorrt.runner import TensorrtRunner
from lama_edge.spec import Size

SMALL = Size(64, 72)
RANGE = ProfileSizes(Size(16, 16), Size(64, 64), Size(128, 128))
CAPABILITIES = ("8.6", "8.9")


def _host_gpu() -> ModuleType:
    path = Path(__file__).with_name("host_gpu.py")
    spec = importlib.util.spec_from_file_location("host_gpu", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def onnx_models(exported: Callable[..., Path]) -> dict[str, Path]:
    """The golden checkpoint as ONNX: `fixed` and `uint8` of size `SMALL`, and of `any` size."""
    return {
        "fixed": exported("fourier", SMALL),
        "uint8": exported("fourier", SMALL, io="uint8"),
        "any": exported(),
    }


def engine_manifest(
    model: Path, data: bytes, profiles: tuple[ProfileSizes, ...], **changes: Any
) -> Manifest:
    """The manifest of an engine that was built from an ONNX file."""
    metadata = {entry.key: entry.value for entry in onnx.load(model).metadata_props}
    build = EngineBuild(
        flavor="rtx",
        tensorrt_version="1.7.1",
        compute_capabilities=CAPABILITIES,
        hardware_compatibility="none",
        version_compatible=False,
        optimisation_level=3,
        tf32=False,
        workspace_bytes=None,
        profiles=profiles,
        source_sha256=hashlib.sha256(model.read_bytes()).hexdigest(),
        engine_sha256=hashlib.sha256(data).hexdigest(),
        engine_bytes=len(data),
    )
    manifest = Manifest.from_json(metadata[METADATA_KEY])
    return replace(
        manifest,
        format={"name": "tensorrt"},
        io=replace(manifest.io, batch=None),
        engine=replace(build, **changes),
    )


def write_engine(path: Path, data: bytes, manifest: Manifest) -> Path:
    path.write_bytes(data)
    beside(path).write_text(manifest.to_json(), encoding="utf-8")
    return path


@dataclass(frozen=True)
class RealEngine:
    """An engine that TensorRT for RTX built here, and the model it was built from."""

    path: Path
    data: bytes
    manifest: Manifest
    model: Path


@pytest.fixture(scope="session")
def real_engine(
    onnx_models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> RealEngine:
    trt: Any = pytest.importorskip("tensorrt_rtx", reason="TensorRT for RTX is not installed")
    model = onnx_models["fixed"]
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    network = builder.create_network(0)
    assert trt.OnnxParser(network, logger).parse_from_file(str(model))
    config = builder.create_builder_config()
    config.num_compute_capabilities = len(CAPABILITIES)
    for index, capability in enumerate((trt.ComputeCapability.SM86, trt.ComputeCapability.SM89)):
        config.set_compute_capability(capability, index)
    profile = builder.create_optimization_profile()
    for name, channels in (("image", 3), ("mask", 1)):
        profile.set_shape(name, *[(1, channels, SMALL.height, SMALL.width)] * 3)
    config.add_optimization_profile(profile)
    data = bytes(builder.build_serialized_network(network, config))
    profiles = (ProfileSizes(SMALL, SMALL, SMALL),)
    manifest = engine_manifest(model, data, profiles, tensorrt_version=trt.__version__)
    path = tmp_path_factory.mktemp("engine") / "golden.engine"
    return RealEngine(write_engine(path, data, manifest), data, manifest, model)


@dataclass(frozen=True)
class HostRun:
    """A runner on the host's GPU, and what it runs on."""

    runner: TensorrtRunner
    cuda: Any
    library: Any


@pytest.fixture
def open_on_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., HostRun]:
    """Opens an engine that is an ONNX file on a GPU that is the host's memory.

    Its arguments are the file, the profiles, and optionally the flavor, the GPU's memory in bytes
    and another file whose manifest the engine gets.
    """
    host = _host_gpu()
    monkeypatch.setenv("LAMA_EDGE_CACHE", str(tmp_path / "cache"))

    def opened(
        model: Path,
        *profiles: ProfileSizes,
        flavor: str = "tensorrt",
        memory_bytes: int = 1 << 30,
        described: Path | None = None,
    ) -> HostRun:
        data = b"an engine"
        manifest = engine_manifest(described or model, data, profiles, flavor=flavor)
        path = write_engine(tmp_path / "host.engine", data, manifest)
        cuda = host.HostCuda(memory_bytes)
        name = "tensorrt" if flavor == "tensorrt" else "tensorrt_rtx"
        module = host.host_library(name, "1.7.1", cuda, model, manifest.engine)
        library = Library(flavor, module, "1.7.1")
        monkeypatch.setattr(engine_files, "load_library", lambda choice: library)
        monkeypatch.setattr(tensorrt_runner, "current_gpu", lambda: Gpu("host", "8.6"))
        monkeypatch.setattr(cuda_module, "_import_runtime", lambda: cuda)
        return HostRun(TensorrtRunner(path), cuda, module)

    return opened
