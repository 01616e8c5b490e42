"""The NVIDIA GPU of this machine, as its driver describes it."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

# What GPUs of its kind are called where one is missing.
AN_NVIDIA_GPU = "an NVIDIA GPU"
_LIBRARIES = ("libcuda.so.1", "nvcuda.dll")
# CUdevice_attribute of CUDA's driver API, unchanged since CUDA 5.
_COMPUTE_CAPABILITY_MAJOR = 75
_COMPUTE_CAPABILITY_MINOR = 76
_MAX_NAME_BYTES = 256


@dataclass(frozen=True)
class Gpu:
    """A GPU.

    Attributes:
        name: as its driver spells it.
        compute_capability: major and minor, such as ``8.7``.
    """

    name: str
    compute_capability: str


def current_gpu() -> Gpu | None:
    """Return the first NVIDIA GPU that CUDA shows, or None where there is no driver or no GPU.

    It asks the driver (CUDA driver API, device management), so it needs no CUDA package and makes
    no context.
    """
    driver = _driver()
    if driver is None or driver.cuInit(0) != 0:
        return None
    device, value = ctypes.c_int(), ctypes.c_int()
    if driver.cuDeviceGet(ctypes.byref(device), 0) != 0:
        return None
    numbers = []
    for attribute in (_COMPUTE_CAPABILITY_MAJOR, _COMPUTE_CAPABILITY_MINOR):
        if driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, device) != 0:
            return None
        numbers.append(value.value)
    name = ctypes.create_string_buffer(_MAX_NAME_BYTES)
    if driver.cuDeviceGetName(name, _MAX_NAME_BYTES, device) != 0:
        return None
    return Gpu(name.value.decode("utf-8", "replace"), f"{numbers[0]}.{numbers[1]}")


def _driver() -> ctypes.CDLL | None:
    for name in _LIBRARIES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None
