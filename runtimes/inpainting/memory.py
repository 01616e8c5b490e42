"""What memory a run of a model takes, what the machine has free, and giving freed memory back."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from lama_edge.manifest import Manifest

# float32 values that are alive at once for each pixel and each feature of the first layer
# (`ngf`), by the form of the graph: the largest of the peaks in
# docs/how-to/inpainting.md, which sizes that are powers of two have. Blocks work at an eighth of
# the resolution and do not show. fp16 and int8 models compute wide there.
_MAPS_ALIVE = {"direct": 6.0, "bands": 3.0}
# In tiles: maps of the bottleneck, local and global parts together, that are alive at once.
_BOTTLENECK_MAPS_ALIVE = 4
_BYTES_PER_VALUE = 4
# big-lama's, should a manifest not say.
_DEFAULTS = {"ngf": 64, "n_downsampling": 3, "max_features": 1024}
# The picture, the mask and the result beside the model, in float32.
_HOST_BYTES_PER_PIXEL = 48
_UNLIMITED_BYTES = 1 << 60
# What control groups call the limit, the usage, and in their statistics the file cache.
_V1_FILES = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_V2_FILES = ("memory.max", "memory.current", "inactive_file")


def run_bytes(manifest: Manifest, pixels: int) -> int:
    """Estimate the memory that one run takes beside the open model, at its peak.

    Args:
        manifest: the model's; its architecture's `ngf` and the graph's form decide.
        pixels: of the picture that the model is given, padding included.
    """
    maps = _MAPS_ALIVE.get(manifest.kernels, _MAPS_ALIVE["direct"])
    return pixels * _HOST_BYTES_PER_PIXEL + _first_maps_bytes(manifest, pixels, maps)


def tiles_bytes(manifest: Manifest, pixels: int, tile: int) -> int:
    """Estimate the memory that a run in tiles takes beside the open model, at its peak.

    That of a tile in the encoder or decoder, and the whole picture's maps at the bottleneck.

    Args:
        manifest: the model's.
        pixels: of the picture that runs in tiles, padding included.
        tile: side of a tile, in pixels.
    """
    ngf, levels, most = (_hyperparameter(manifest, name) for name in _DEFAULTS)
    channels = min(most, ngf << levels)
    bottleneck_maps = _BOTTLENECK_MAPS_ALIVE * channels * _BYTES_PER_VALUE
    of_a_tile = _first_maps_bytes(manifest, min(pixels, tile * tile), _MAPS_ALIVE["direct"])
    return pixels * _HOST_BYTES_PER_PIXEL + (pixels * bottleneck_maps >> 2 * levels) + of_a_tile


def _first_maps_bytes(manifest: Manifest, pixels: int, maps: float) -> int:
    return int(pixels * maps * _BYTES_PER_VALUE * _hyperparameter(manifest, "ngf"))


def _hyperparameter(manifest: Manifest, name: str) -> int:
    value = manifest.source.architecture.get(name)
    return value if isinstance(value, int) else _DEFAULTS[name]


def free_bytes(root: Path = Path("/")) -> int | None:
    """Return the memory that this process may still take, or None where nobody says.

    Linux: the kernel's MemAvailable, or less where a control group (v1 or v2, as containers
    have) allows less; file cache counts as free. Windows: the free physical memory. Elsewhere
    (macOS tells no program in plain C): half of the physical memory.

    Args:
        root: where the folders ``proc`` and ``sys`` are.
    """
    available = _meminfo_available(root)
    if available is not None:
        return min([available, *_cgroup_rooms(root)])
    if sys.platform == "win32":
        return _windows_available()
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, OSError, ValueError):
        return None


def trim_heap() -> None:
    """Give the memory that the C library's heap has freed back to the system, where it can.

    glibc keeps it for later; after opening a model that is a second copy of its weights.
    """
    if sys.platform != "linux":
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # musl has none
        trim(0)


def _meminfo_available(root: Path) -> int | None:
    text = _text(root / "proc/meminfo") or ""
    fields = (line.split() for line in text.splitlines() if line.startswith("MemAvailable:"))
    return next((int(field[1]) * 1024 for field in fields), None)


def _cgroup_rooms(root: Path) -> list[int]:
    """Return what each control group of this process, and each one above it, has left."""
    rooms = []
    for line in (_text(root / "proc/self/cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        base = root / "sys/fs/cgroup" / controllers
        group = base / path.lstrip("/")
        # In a container the path may be the host's, of which only the top is visible.
        for folder in {
            base,
            *(above for above in (group, *group.parents) if base in above.parents),
        }:
            room = _room(folder, *(_V1_FILES if controllers else _V2_FILES))
            rooms += [] if room is None else [room]
    return rooms


def _room(folder: Path, limit_name: str, usage_name: str, cache_name: str) -> int | None:
    limit, usage = ((_text(folder / name) or "").strip() for name in (limit_name, usage_name))
    if not (limit.isdigit() and usage.isdigit()) or int(limit) >= _UNLIMITED_BYTES:
        return None
    statistics = (_text(folder / "memory.stat") or "").splitlines()
    cache = next((int(x.split()[1]) for x in statistics if x.startswith(f"{cache_name} ")), 0)
    return max(0, int(limit) - int(usage) + cache)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return None


if sys.platform == "win32":

    class _MemoryStatus(ctypes.Structure):
        """MEMORYSTATUSEX of the Windows API (sysinfoapi.h)."""

        _fields_ = [
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((name, ctypes.c_ulonglong) for name in ("total", "available", "page_total")),
            *((name, ctypes.c_ulonglong) for name in ("page", "virtual_total", "virtual", "more")),
        ]

    def _windows_available() -> int | None:
        status = _MemoryStatus()
        status.length = ctypes.sizeof(status)
        if not ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
            return None
        return int(status.available)
