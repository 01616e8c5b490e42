"""Where the C++ tests find a toolchain and the library, and how they build with it."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from places import ROOT, TOOLS, alone_in
from sanitizers import LIBRARY_BUILDS

# A library with its tests takes half a minute on two quiet cores, and ten times that on busy ones.
TIMEOUT_S = 900
Build = Callable[..., Path]


@pytest.fixture(scope="session")
def cpp_library() -> Path:
    return ROOT / "runtimes" / "cpp"


@pytest.fixture(scope="session")
def onnxruntime_roots() -> str:
    """Where CMake finds ONNX Runtime: `.ci/cpp`'s headers, and the library of Python's package."""
    onnxruntime = pytest.importorskip("onnxruntime")
    folder = Path(os.environ.get("LAMA_EDGE_CPP_ROOT") or TOOLS / "cpp")
    headers = folder / "root" / "usr"
    if not headers.is_dir():
        pytest.skip("no headers of ONNX Runtime: .ci/cpp unpacks them")
    return f"{headers};{Path(onnxruntime.__file__).parent}"


@pytest.fixture(scope="session")
def build_folder() -> Callable[[str], Path]:
    """Return what names folders of builds: of their own for checkouts beside each other."""
    root = hashlib.sha256(os.fsencode(ROOT)).hexdigest()[:12]
    return lambda name: TOOLS / "cpp-builds" / f"{root}-{name}"


@pytest.fixture(scope="session")
def cmake_build(build_folder: Callable[[str], Path]) -> Build:
    """Return what builds a CMake project; what it built before it only brings up to date.

    Names that end with `clang` are built by clang++.
    """
    cmake = shutil.which("cmake")
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    if cmake is None or compiler is None:
        pytest.skip("CMake or a C++ compiler is missing: apt-get install cmake g++")

    # Once in a run: CMake takes a second to find that nothing is to be done.
    @functools.cache
    def build(source: Path, name: str, *options: str) -> Path:
        folder = build_folder(name)
        configure = [cmake, "-S", source, "-B", folder, f"-DCMAKE_CXX_COMPILER={compiler}"]
        if name.endswith("clang"):
            if shutil.which("clang++") is None:
                pytest.skip("clang++ is missing: apt-get install clang")
            configure += ["-DCMAKE_CXX_COMPILER=clang++", "-DCMAKE_C_COMPILER=clang"]
        with alone_in(folder):
            for command in ([*configure, *options], [cmake, "--build", folder, "--parallel", "2"]):
                result = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
                assert result.returncode == 0, result.stdout + result.stderr
        return folder

    return build


@pytest.fixture(scope="session")
def build(cpp_library: Path, cmake_build: Build, onnxruntime_roots: str) -> Callable[[str], Path]:
    """Return what builds the library with its worker, examples and tests, as `LIBRARY_BUILDS`."""
    return lambda name: cmake_build(
        cpp_library,
        f"library-{name}",
        f"-DOnnxRuntime_ROOT={onnxruntime_roots}",
        "-DCMAKE_COMPILE_WARNING_AS_ERROR=ON",
        *LIBRARY_BUILDS[name],
    )


@pytest.fixture(scope="session")
def worker(build: Callable[[str], Path]) -> Path:
    """Return `lama-edge-worker`, built with the library."""
    return build("plain") / "worker" / "lama-edge-worker"
