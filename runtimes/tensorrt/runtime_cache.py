"""What TensorRT for RTX compiled on this GPU, kept from one process to the next.

Its engines are finished on the device, kernel by kernel as sizes need them. See
https://docs.nvidia.com/deeplearning/tensorrt-rtx/latest/inference-library/work-with-runtime-cache.html.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from lama_edge.errors import LamaEdgeError, UsageError
from lama_edge.files import atomic_output
from lama_edge.models.zoo import cache_folder

_log = logging.getLogger(__name__)


def runtime_cache_path(engine_sha256: str, version: str, compute_capability: str) -> Path | None:
    """Return where the compiled kernels of an engine are kept; None where nothing can be.

    Args:
        engine_sha256: the engine's hash.
        version: of TensorRT for RTX.
        compute_capability: of the GPU, such as ``8.9``.
    """
    try:
        folder = cache_folder() / "tensorrt-rtx"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, UsageError):
        return None
    return folder / f"{engine_sha256[:16]}-{version}-sm{compute_capability}.cache"


class RuntimeCache:
    """A file of compiled kernels; where it cannot be read or written, kernels compile anew."""

    def __init__(self, path: Path | None) -> None:
        """Name the file; None keeps nothing."""
        self._path = path
        self._cache: Any = None
        self._loaded = b""

    def attach(self, config: Any) -> None:
        """Fill an ``IRuntimeConfig`` with a cache of what the file holds."""
        if self._path is None:
            return
        self._cache = config.create_runtime_cache()
        if self._path.is_file():
            try:
                self._loaded = self._path.read_bytes()
            except OSError as error:
                _log.warning("the compiled kernels cannot be read: %s", error)
            if self._loaded and not self._cache.deserialize(self._loaded):
                self._loaded = b""
        config.set_runtime_cache(self._cache)

    def save(self) -> None:
        """Write the file, if there is something new to keep."""
        if self._cache is None or self._path is None:
            return
        serialised = self._cache.serialize()
        data = b"" if serialised is None else bytes(serialised)
        if not data or data == self._loaded:
            return
        try:
            with atomic_output(self._path) as temporary:
                temporary.write_bytes(data)
        except (OSError, LamaEdgeError) as error:
            _log.warning("the compiled kernels cannot be kept: %s", error)

    def detach(self) -> None:
        """Let go of the library's object."""
        self._cache = None
