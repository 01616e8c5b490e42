"""Where the compiled pages and ONNX Runtime Web lie."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from pathlib import Path

from lama_edge.errors import MissingBackendError, UsageError, parameter

# What pages import of ONNX Runtime Web, and what that loads: the native WebGPU provider, and wasm.
ORT_FILES = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
    "ort.webgpu.min.mjs",
    "ort-wasm-simd-threaded.asyncify.mjs",
    "ort-wasm-simd-threaded.asyncify.wasm",
)
_COMPILED = Path(__file__).parent / "compiled"
_WHEEL = "lama_edge_ort_web"
# ONNX Runtime Web tells its version in the first lines of each of its scripts.
_VERSION = re.compile(r"ONNX Runtime Web v(\d[\w.+-]*)")
_HEAD_CHARACTERS = 1000


@dataclass(frozen=True)
class OrtWeb:
    """ONNX Runtime Web's files.

    Attributes:
        folder: where `ORT_FILES` lie.
        version: such as ``1.30.0``.
    """

    folder: Path
    version: str


def compiled_pages() -> Path:
    """Return the folder of the compiled pages: ``bench`` and ``demo``.

    Raises:
        MissingBackendError: when they were not made, as in a fresh clone.
    """
    if not all((_COMPILED / page / "index.html").is_file() for page in ("bench", "demo")):
        raise MissingBackendError("the compiled pages are missing: run `make web`")
    return _COMPILED


def find_ort_web(folder: Path | None = None) -> OrtWeb:
    """Return ONNX Runtime Web out of a folder, or of the package ``lama-edge-ort-web``.

    Args:
        folder: onnxruntime-web's own ``dist`` folder; None for the package's.

    Raises:
        UsageError: when the folder lacks files, or does not tell the version.
        MissingBackendError: when none is named and the package is not installed.
    """
    if folder is None:
        try:
            package = importlib.import_module(_WHEEL)
        except ModuleNotFoundError as error:
            raise MissingBackendError(
                'ONNX Runtime Web is missing: run pip install "lama-edge[web]", or `make web` in a '
                f"clone, or name onnxruntime-web's dist folder with {parameter('ort_web')}"
            ) from error
        folder = Path(package.__path__[0]) / "files"
    missing = [name for name in ORT_FILES if not (folder / name).is_file()]
    if missing:
        raise UsageError(
            f"{parameter('ort_web', folder)} has no {missing[0]}: name the dist folder of "
            "onnxruntime-web 1.30 or newer"
        )
    with (folder / ORT_FILES[0]).open(encoding="utf-8", errors="replace") as script:
        found = _VERSION.search(script.read(_HEAD_CHARACTERS))
    if found is None:
        raise UsageError(
            f"{str(folder / ORT_FILES[0])!r} does not tell its version: name the dist folder of "
            "onnxruntime-web 1.30 or newer"
        )
    return OrtWeb(folder.resolve(), found[1])
