"""The builder's timing cache: what it measured of kernels, kept so that later builds are short."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lama_edge.engines import Library
from lama_edge.errors import UsageError
from lama_edge.files import atomic_output
from lama_edge.models.zoo import cache_folder

_log = logging.getLogger(__name__)


def load_timing_cache(library: Library, config: Any, gpus: Sequence[str]) -> Path | None:
    """Give a builder's `IBuilderConfig` what earlier builds for these GPUs measured.

    Returns:
        The file to keep the cache in after the build, one for each version of the library and
        GPU; None for TensorRT for RTX, which times kernels where the engine runs.
    """
    if library.flavor == "rtx":
        return None
    try:
        folder = cache_folder() / "timing"
    except UsageError:
        return None
    path = folder / f"tensorrt-{library.version}-sm{'-'.join(gpus)}.cache"
    attach(config, path)
    return path


def attach(config: Any, path: Path) -> bool:
    """Let a configuration use a cache file, or an empty cache; tell whether the file is used."""
    try:
        known = path.read_bytes()
    except OSError:
        known = b""
    if known:
        cache = config.create_timing_cache(known)
        if cache is not None and config.set_timing_cache(cache, False):
            return True
        _log.warning("the timing cache %s is another GPU's or version's: starting afresh", path)
    config.set_timing_cache(config.create_timing_cache(b""), False)
    return False


def save_timing_cache(config: Any, path: Path | None) -> None:
    """Keep what a build measured in the file that `load_timing_cache` named, where it can be."""
    cache = None if path is None else config.get_timing_cache()
    if path is None or cache is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_output(path) as temporary:
            temporary.write_bytes(cache.serialize())
    except (OSError, UsageError) as error:
        _log.warning("the timing cache cannot be kept: %s", error)
