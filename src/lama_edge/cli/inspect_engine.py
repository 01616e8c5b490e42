"""`lama-edge inspect` on a TensorRT engine: what its files say, without a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lama_edge.engines import ENGINE_SUFFIX, FLAVOR_TITLES, EngineBuild
from lama_edge.errors import LamaEdgeError
from lama_edge.gpu import current_gpu

if TYPE_CHECKING:
    from lama_edge.runtimes.tensorrt.engine_files import EngineFile


def is_engine(model: str) -> bool:
    """Tell whether a model's path is an engine's."""
    return Path(model).suffix.lower() == ENGINE_SUFFIX


def engine_facts(file: EngineFile) -> Iterator[tuple[str, str]]:
    """Give how an engine was built and whether it runs here, as label and text."""
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
    return (named or "the GPUs that the library chose") + more


def _here(file: EngineFile) -> str:
    """Say whether it runs on this machine, as far as can be told without opening it."""
    from lama_edge.runtimes.tensorrt.engine_files import check_runs_here, library_for

    gpu = current_gpu()
    try:
        check_runs_here(file, library_for(file), gpu)
    except LamaEdgeError as error:
        return str(error)
    return "the library fits, but there is no GPU" if gpu is None else f"fits {gpu.name}"
