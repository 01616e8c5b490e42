"""The GPU as its driver describes it: asked over the real C interface, of a driver made here."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lama_edge import nvidia

# The five functions of CUDA's driver API that are called, as an Orin would answer them.
DRIVER = """
#include <string.h>
int cuInit(unsigned flags) { return FAILURE; }
int cuDeviceGet(int *device, int ordinal) { *device = 3; return ordinal; }
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    if (device != 3) return 101;
    if (attribute == 75) *value = 8;
    else if (attribute == 76) *value = 7;
    else return 1;
    return 0;
}
int cuDeviceGetName(char *name, int length, int device) {
    strncpy(name, "Orin (nvgpu)", length);
    return device == 3 ? 0 : 101;
}
"""


def _driver(folder: Path, failure: int) -> str:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    source, library = folder / "driver.c", folder / f"libcuda-{failure}.so"
    source.write_text(DRIVER.replace("FAILURE", str(failure)))
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    return str(library)


def test_the_driver_is_asked_for_name_and_compute_capability(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nvidia, "_LIBRARIES", ("libnothing-at-all.so", _driver(tmp_path, 0)))
    assert nvidia.current_gpu() == nvidia.Gpu("Orin (nvgpu)", "8.7")


def test_a_driver_that_finds_no_gpu_and_a_missing_one_give_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_device = 100
    monkeypatch.setattr(nvidia, "_LIBRARIES", (_driver(tmp_path, no_device),))
    assert nvidia.current_gpu() is None
    monkeypatch.setattr(nvidia, "_LIBRARIES", ("libnothing-at-all.so",))
    assert nvidia.current_gpu() is None
