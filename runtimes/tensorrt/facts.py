"""What there is to say of a TensorRT engine from its files, without a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lama_edge.engines import FLAVOR_TITLES, EngineBuild
from lama_edge.errors import LamaEdgeError
from lama_edge.nvidia import current_gpu
from lama_edge.runtimes.base import ModelFacts
from lama_edge.runtimes.tensorrt.engine_files import (
    EngineFile,
    check_runs_here,
    library_for,
    read_engine_file,
)


def engine_facts(path: Path, part: str | None, provider: str) -> ModelFacts:
    """Read how an engine was built and whether it runs here; see `Runtime.facts`.

    Raises:
        ModelError: when its files do not belong together.
    """
    file = read_engine_file(path)
    return ModelFacts(file.manifest, tuple(_rows(file)))


def _rows(file: EngineFile) -> Iterator[tuple[str, str]]:
    build = file.build
    title = FLAVOR_TITLES[build.flavor]
    yield "engine", f"{title} {build.tensorrt_version}, {build.engine_bytes / 1e6:.1f} MB"
    yield "  built for", _gpus(build)
    yield "  profiles", ", ".join(map(str, build.profiles)) + " (height x width)"
    yield "  judged", build.judged or "nothing"
    yield "  here", _here(file)


def _gpus(build: EngineBuild) -> str:
    named = " and ".join(f"SM {one}" for one in build.compute_capabilities)
    more = "" if build.hardware_compatibility == "none" else f", {build.hardware_compatibility}"
    return (named or "any GPU of compute capability 8.0 or more") + more


def _here(file: EngineFile) -> str:
    """Say whether it runs on this machine, as far as can be told without opening it."""
    gpu = current_gpu()
    try:
        check_runs_here(file, library_for(file), gpu)
    except LamaEdgeError as error:
        return str(error)
    return "the library fits, but there is no GPU" if gpu is None else f"fits {gpu.name}"
