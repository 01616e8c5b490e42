"""What was measured on: device, chip, memory and versions, and nothing about whose it is.

It works without the ``bench`` extra too, since `lama-edge doctor` asks where little is installed.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import platform
import re
import shutil
import socket
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from lama_edge.runtimes.registry import runtimes

_ROOT = Path("/")
# What boards say that nobody gave a name.
_GENERIC = {
    "",
    "default string",
    "n/a",
    "none",
    "not applicable",
    "not specified",
    "o.e.m.",
    "product name",
    "system manufacturer",
    "system product name",
    "to be filled by o.e.m.",
    "unknown",
}
# What all runtimes, or their providers, rest on.
_MODULES = ("numpy", "openvino")
_TOOL_SECONDS = 10
# What speed and precision hang on: wide vectors, fp16 and bfloat16, sums of int8 products. By the
# names of Linux on x86-64 and Arm, and of macOS on either.
_FEATURES = {
    *("avx2", "avx512f", "f16c", "avx512_fp16", "avx512_bf16"),
    *("avx_vnni", "avx512_vnni", "amx_int8", "amx_bf16", "amx_fp16"),
    *("asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2", "sme"),
    *("avx2_0", "avx512vnni", "feat_fp16", "feat_dotprod", "feat_i8mm", "feat_bf16", "feat_sme"),
}
_QUOTED_PATH = re.compile(r"""(?<!\w)(['"])[^'"\n]*[/\\]([^/\\'"\n]+)[/\\]*\1""")
_ABSOLUTE_FOLDERS = re.compile(r"""(?<![\w/\\.])(?:[A-Za-z]:|~)?[/\\](?:[^\s/\\'":]+[/\\]+)+""")


def environment(root: Path = _ROOT) -> dict[str, Any]:
    """Describe this machine as the documents' `environment`.

    Args:
        root: the file system's root.

    Returns:
        Model names and versions only: no serial numbers, host or user names, addresses or paths.
    """
    return {
        "device": _device(root),
        "chip": _chip(root),
        "cores": available_cores(),
        "memory_bytes": _memory_bytes(),
        "os": anonymous(_operating_system()),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "packages": _versions(),
    }


def available_cores() -> int:
    """Return how many physical cores this process may use; without psutil logical ones."""
    cores = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    with contextlib.suppress(ModuleNotFoundError):
        import psutil

        cores = psutil.cpu_count(logical=False) or cores
    return max(1, min(cores, allowed))


def processor_features(root: Path = _ROOT) -> list[str]:
    """Return what of `_FEATURES` the processor has, by the system's own names.

    Args:
        root: the file system's root.

    Returns:
        Sorted; empty where the system does not tell, as Windows.
    """
    told = read_text(root / "proc/cpuinfo") or ""
    if platform.system() == "Darwin":
        told = _answer("sysctl", "hw.optional") or ""
        told = " ".join(re.findall(r"^hw\.optional\.(?:arm\.)?(\w+): 1$", told, re.MULTILINE))
    return sorted({word for word in told.lower().split() if word in _FEATURES})


def read_text(path: Path) -> str | None:
    """Return what a file of the system says, or None where it says nothing or is not there."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0\n ") or None
    except OSError:
        return None


def anonymous(text: str) -> str:
    """Return a text without this machine's and user's names, and paths cut to their last part."""
    text = _QUOTED_PATH.sub(r"\1\2\1", text)
    return without_names(_ABSOLUTE_FOLDERS.sub("", text))


def without_names(text: str) -> str:
    """Return a text without this machine's and user's names."""
    # The longest first: a full host name contains its short form.
    for name in sorted(_identity(), key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "…", text)
    return text


def _identity() -> set[str]:
    host = socket.gethostname()
    names = {host, host.partition(".")[0]}
    # A container's user without an entry has no name to give away.
    with contextlib.suppress(OSError, KeyError):
        names.add(getpass.getuser())
    return {name for name in names if name}


def _device(root: Path) -> str | None:
    tree = read_text(root / "proc/device-tree/model")
    if tree is not None:
        return tree
    if platform.system() == "Darwin":
        return _answer("sysctl", "-n", "hw.model")
    names = [read_text(root / "sys/class/dmi/id" / name) for name in ("sys_vendor", "product_name")]
    vendor, product = ((name or "").strip() for name in names)
    if product.lower() in _GENERIC:
        return None
    if vendor.lower() in _GENERIC or product.lower().startswith(vendor.lower()):
        return product
    return f"{vendor} {product}"


def _chip(root: Path) -> str:
    """Name the processor, and the graphics processors that NVIDIA's driver knows of."""
    graphics = _answer("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
    return " + ".join([_processor(root), *(graphics.splitlines() if graphics else ())])


def _processor(root: Path) -> str:
    facts = read_text(root / "proc/cpuinfo") or ""
    match = re.search(r"^(?:model name|Model Name|Hardware)\s*:\s*(.+)$", facts, re.MULTILINE)
    if match is not None:
        return " ".join(match.group(1).split())
    # The last of the devicetree's names is the most general one: the system on chip.
    compatible = read_text(root / "proc/device-tree/compatible")
    if compatible is not None:
        return compatible.split("\0")[-1]
    if platform.system() == "Darwin":
        return _answer("sysctl", "-n", "machdep.cpu.brand_string") or platform.machine()
    return platform.processor() or platform.machine()


def _operating_system() -> str:
    if platform.system() == "Linux":
        # What follows the number names who built the kernel, and may name a person.
        number = re.match(r"[\d.]*\d", platform.release())
        kernel = f"Linux {number.group() if number else ''}".strip()
        try:
            return f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {kernel}"
        except (OSError, KeyError):
            return kernel
    if platform.system() == "Darwin":
        return f"macOS {platform.mac_ver()[0]}"
    return f"{platform.system()} {platform.release()} {platform.version()}"


def _memory_bytes() -> int | None:
    with contextlib.suppress(ModuleNotFoundError):
        import psutil

        return int(psutil.virtual_memory().total)
    if not hasattr(os, "sysconf"):
        return None
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _versions() -> dict[str, str]:
    """Return the versions of the packages that brought the runtimes' modules."""
    modules = {*_MODULES, *(module for runtime in runtimes() for module in runtime.modules)}
    brought_by = metadata.packages_distributions()
    packages = {package for module in modules for package in brought_by.get(module, ())}
    return {package: metadata.version(package) for package in packages}


def _answer(tool: str, *arguments: str) -> str | None:
    """Return what a system tool prints, or None when it is not there or fails."""
    found = shutil.which(tool)
    if found is None:
        return None
    try:
        done = subprocess.run(
            [found, *arguments], capture_output=True, text=True, timeout=_TOOL_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
