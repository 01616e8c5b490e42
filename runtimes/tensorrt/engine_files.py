"""An engine and its manifest: do they belong together, and can the engine run here."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from lama_edge.engines import (
    FLAVOR_TITLES,
    FLAVORS,
    EngineBuild,
    Flavor,
    Library,
    load_library,
)
from lama_edge.errors import MissingBackendError, ModelError, shown
from lama_edge.files import beside
from lama_edge.manifest import Manifest
from lama_edge.nvidia import Gpu

_AMPERE = (8, 0)


@dataclass(frozen=True)
class EngineFile:
    """An engine that is what its manifest says.

    Attributes:
        path: where it lies.
        data: its bytes.
        text: its manifest, as JSON.
        manifest: the same, read.
        build: the manifest's record of how it was built.
    """

    path: Path
    data: bytes
    text: str
    manifest: Manifest
    build: EngineBuild


def read_engine_file(path: Path) -> EngineFile:
    """Read an engine and the manifest beside it.

    Raises:
        ModelError: when one of them is missing, damaged, or belongs to another.
    """
    record = beside(path)
    try:
        text = record.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ModelError(
            f"the engine {str(path)!r} lies without its manifest {record.name!r}: put that beside "
            "it, or build it again with: lama-edge export tensorrt"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"the manifest {str(record)!r} cannot be read: {error}") from error
    manifest = Manifest.from_json(text)
    if manifest.engine is None:
        raise ModelError(
            f"the manifest {str(record)!r} describes a model of format "
            f"{shown(manifest.format.get('name'))}, not an engine: build it again with: "
            "lama-edge export tensorrt"
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"the engine {str(path)!r} cannot be read: {error}") from error
    _check_belongs(path, data, manifest.engine)
    return EngineFile(path, data, text, manifest, manifest.engine)


def _check_belongs(path: Path, data: bytes, build: EngineBuild) -> None:
    again = "copy both files again, or build it again with: lama-edge export tensorrt"
    if len(data) < build.engine_bytes:
        raise ModelError(
            f"the engine {str(path)!r} is cut short: it has {len(data)} of the "
            f"{build.engine_bytes} bytes that its manifest says; {again}"
        )
    found = hashlib.sha256(data).hexdigest()
    if found != build.engine_sha256:
        raise ModelError(
            f"the engine {str(path)!r} is not the one that its manifest describes (sha256 "
            f"{found[:12]}…, the manifest says {build.engine_sha256[:12]}…); {again}"
        )


def library_for(file: EngineFile) -> Library:
    """Import the library that built an engine.

    Raises:
        MissingBackendError: when it is not installed; if the other one is, the message says so.
    """
    wanted = file.build.flavor
    try:
        return load_library(wanted)
    except MissingBackendError as error:
        other = _installed_other(wanted)
        if other is None:
            raise
        raise MissingBackendError(
            f"the engine {str(file.path)!r} was built with {FLAVOR_TITLES[wanted]} "
            f"{file.build.tensorrt_version}, and here is only {other.title}, which does not open "
            f"it: rebuild it with: {_rebuild(file, other.flavor)}"
        ) from error


def check_runs_here(file: EngineFile, library: Library, gpu: Gpu | None) -> None:
    """Refuse an engine that was built for another version of the library or another GPU.

    TensorRT's engines run with the very version that built them, unless built version-compatible,
    and on the compute capabilities that they were built for, unless built hardware-compatible.
    See https://docs.nvidia.com/deeplearning/tensorrt/latest/inference-library/advanced.html.

    Args:
        file: the engine.
        library: the one that will run it.
        gpu: the one that it will run on; None looks at the version alone.

    Raises:
        ModelError: naming what it was built for, what is here, and how to rebuild it.
    """
    build = file.build
    if _version_fits(build, library.version) and (gpu is None or _gpu_fits(build, gpu)):
        return
    title = FLAVOR_TITLES[build.flavor]
    built_for = " and ".join(build.compute_capabilities) or "unnamed GPUs"
    here = "" if gpu is None else f"SM {gpu.compute_capability} with "
    raise ModelError(
        f"the engine {str(file.path)!r} was built for SM {built_for} with {title} "
        f"{build.tensorrt_version}, this is {here}{library.title}: rebuild it here with: "
        f"{_rebuild(file, build.flavor)}"
    )


def _installed_other(flavor: Flavor) -> Library | None:
    for other in FLAVORS:
        if other != flavor:
            try:
                return load_library(other)
            except MissingBackendError:
                continue
    return None


def _rebuild(file: EngineFile, flavor: Flavor) -> str:
    sizes = " ".join(f"--size {profile}" for profile in file.build.profiles)
    precision = file.manifest.precision
    # Manifests call fp32 graphs whose products may be computed in TF32 so.
    way = "fp32 --tf32" if precision == "tf32" else precision
    return (
        f"lama-edge export tensorrt CHECKPOINT -o {file.path.name} {sizes} --precision {way} "
        f"--io {file.manifest.io.form} --flavor {flavor} --overwrite"
    )


def _version_fits(build: EngineBuild, version: str) -> bool:
    if build.tensorrt_version == version:
        return True
    if not build.version_compatible:
        return False
    # Within one major version, and forwards only.
    built, here = _numbers(build.tensorrt_version), _numbers(version)
    return built[:1] == here[:1] and built <= here


def _gpu_fits(build: EngineBuild, gpu: Gpu) -> bool:
    if not build.compute_capabilities or gpu.compute_capability in build.compute_capabilities:
        return True
    return (
        build.hardware_compatibility == "ampere_plus"
        and _numbers(gpu.compute_capability) >= _AMPERE
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if re.fullmatch("[0-9]{1,9}", part))
