"""The C++ library built for 64-bit ARM, under emulation; its times mean nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from places import DATA, TOOLS

from lama_edge.runtimes.inpainting.inpainter import Inpainter

pytestmark = pytest.mark.cpp

CROSS = [
    "-DCMAKE_SYSTEM_NAME=Linux",
    "-DCMAKE_SYSTEM_PROCESSOR=aarch64",
    "-DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc",
    "-DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++",
    "-DCMAKE_BUILD_TYPE=Release",
]


@pytest.fixture(scope="module")
def arm64() -> Path:
    """Where `.ci/cpp-arm64` unpacks the emulator and ARM's libraries."""
    if shutil.which("aarch64-linux-gnu-g++") is None:
        pytest.skip("no compiler for arm64: apt-get install g++-aarch64-linux-gnu")
    folder = os.environ.get("LAMA_EDGE_CPP_ARM64_ROOT") or TOOLS / "cpp-arm64"
    root = Path(folder) / "root"
    if not root.is_dir():
        pytest.skip("no emulator for arm64: .ci/cpp-arm64 unpacks it")
    return root


def run(root: Path, libraries: Path, *command: Any) -> list[str]:
    emulator = [root / "usr/bin/qemu-aarch64", "-L", root, "-E", f"LD_LIBRARY_PATH={libraries}"]
    result = subprocess.run([*emulator, *command], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout.splitlines()


def test_the_contract_has_the_same_bits(
    arm64: Path, cpp_library: Path, cmake_build: Callable[..., Path]
) -> None:
    here = cmake_build(cpp_library / "tests", "contract-plain", "-DCMAKE_BUILD_TYPE=Release")
    there = cmake_build(cpp_library / "tests", "contract-arm64", *CROSS)
    vectors = DATA / "vectors"
    lines = run(arm64, arm64, there / "contract_tests", vectors)
    command = [here / "contract_tests", vectors]
    expected = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert lines == expected.stdout.splitlines()
    assert {line.partition(" ")[0] for line in lines} == {"ok"}


def test_lama_tiny_erases_what_python_erases(
    arm64: Path,
    cpp_library: Path,
    cmake_build: Callable[..., Path],
    onnxruntime_roots: str,
    exported: Callable[..., Path],
    tmp_path: Path,
) -> None:
    roots = f"{onnxruntime_roots.partition(';')[0]};{arm64}/onnxruntime/capi"
    built = cmake_build(
        cpp_library,
        "library-arm64",
        f"-DOnnxRuntime_ROOT={roots}",
        "-DCMAKE_COMPILE_WARNING_AS_ERROR=ON",
        *CROSS,
    )
    rows, columns, channels = np.mgrid[0:83, 0:109, 0:3]
    levels = 128 + 90 * np.sin(rows / 9 + channels) * np.cos(columns / 7)
    picture = np.asarray(levels, dtype=np.uint8)
    mask = np.zeros((83, 109), dtype=np.uint8)
    mask[20:41, 30:70] = 255
    names = [tmp_path / name for name in ("picture.ppm", "mask.pgm", "result.ppm")]
    Image.fromarray(picture).save(names[0])
    Image.fromarray(mask).save(names[1])
    model = exported(None)
    # Its tests too: threads and cancellation are the processor's affair.
    run(arm64, built / "onnxruntime", built / "lama_edge_library_tests", model)
    run(arm64, built / "onnxruntime", built / "examples" / "lama_edge_erase", model, *names)
    with Inpainter.open(model, provider="cpu") as inpainter:
        expected = inpainter(picture, mask)
    assert (expected != picture).any()
    # Sums in another order may round a level otherwise; measured 0 (ONNX Runtime 1.31).
    difference = np.abs(np.asarray(Image.open(names[2]), np.int16) - expected.astype(np.int16))
    assert difference.max() <= 1
