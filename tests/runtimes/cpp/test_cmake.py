"""How projects take the C++ library, and how it takes ONNX Runtime."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from places import ROOT

FINDER = ROOT / ".ci" / "cpp"
GUIDE = ROOT / "docs" / "how-to" / "cpp.md"


def block(language: str) -> str:
    """Return the guide's first block of a language."""
    found = re.search(rf"^```{language}\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


PROJECT, PROGRAM = block("cmake"), block("cpp")


def cmake(*words: object, fails: bool = False) -> str:
    result = subprocess.run(
        ["cmake", *map(str, words)], capture_output=True, text=True, timeout=300
    )
    assert (result.returncode != 0) == fails, result.stdout + result.stderr
    return result.stdout + result.stderr


@pytest.mark.cpp
def test_a_project_outside_the_tree_finds_the_installed_library(
    build: Callable[[str], Path],
    onnxruntime_roots: str,
    exported: Callable[..., Path],
    tmp_path: Path,
) -> None:
    roots = f"-DOnnxRuntime_ROOT={onnxruntime_roots}"
    built = build("plain")
    installed = tmp_path / "installed"
    cmake("--install", built, "--prefix", installed)
    (tmp_path / "CMakeLists.txt").write_text(PROJECT)
    (tmp_path / "app.cpp").write_text(PROGRAM)
    cmake("-S", tmp_path, "-B", tmp_path / "out", f"-DCMAKE_PREFIX_PATH={installed}", roots)
    cmake("--build", tmp_path / "out")
    command = [tmp_path / "out" / "app", exported("fourier")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    expected = f"crop in 1 run(s) on cpu, lama-edge {version[1]}\n"
    assert result.stdout == expected, result.stderr

    (tmp_path / "CMakeLists.txt").write_text(PROJECT.replace("lama_edge 0.1", "lama_edge 9.0"))
    message = cmake(
        "-S",
        tmp_path,
        "-B",
        tmp_path / "new",
        f"-DCMAKE_PREFIX_PATH={installed}",
        roots,
        fails=True,
    )
    assert f"version: {version[1]}" in message


@pytest.mark.cpp
@pytest.mark.parametrize(
    "taking",
    [
        f"add_subdirectory({ROOT}/runtimes/cpp lama_edge)",
        f"""include(FetchContent)
FetchContent_Declare(lama_edge SOURCE_DIR {ROOT} SOURCE_SUBDIR runtimes/cpp)
FetchContent_MakeAvailable(lama_edge)""",
    ],
    ids=["add_subdirectory", "FetchContent"],
)
def test_a_project_that_adds_the_folder_builds_the_library_alone(
    onnxruntime_roots: str, tmp_path: Path, taking: str
) -> None:
    (tmp_path / "CMakeLists.txt").write_text(
        PROJECT.replace("find_package(lama_edge 0.1 REQUIRED)", taking)
    )
    (tmp_path / "app.cpp").write_text(PROGRAM)
    out = tmp_path / "out"
    cmake("-S", tmp_path, "-B", out, f"-DOnnxRuntime_ROOT={onnxruntime_roots}")
    targets = cmake("--build", out, "--target", "help")
    assert re.search(r"\blama_edge\b", targets)
    assert "lama_edge_erase" not in targets
    assert "lama_edge_library_tests" not in targets
    assert "lama-edge-worker" not in targets


def lay_onnx_runtime(root: Path, headers: str, library: str) -> None:
    for name in ("onnxruntime_c_api.h", "onnxruntime_cxx_api.h"):
        header = root / headers / name
        header.parent.mkdir(parents=True, exist_ok=True)
        header.write_text("#define ORT_API_VERSION 22\n")
    file = root / library
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")


def finding_project(folder: Path, cpp_library: Path) -> None:
    (folder / "CMakeLists.txt").write_text(
        f"""
cmake_minimum_required(VERSION 3.20)
project(found LANGUAGES CXX)
list(APPEND CMAKE_MODULE_PATH {cpp_library}/cmake)
find_package(OnnxRuntime 1.17 REQUIRED)
get_target_property(folder OnnxRuntime::OnnxRuntime INTERFACE_INCLUDE_DIRECTORIES)
get_target_property(file OnnxRuntime::OnnxRuntime IMPORTED_LOCATION)
message("FOUND ${{OnnxRuntime_VERSION}} ${{folder}} ${{file}}")
"""
    )


@pytest.mark.cpp
@pytest.mark.parametrize(
    "headers", ["include", "include/onnxruntime", "include/onnxruntime/core/session"]
)
@pytest.mark.parametrize(
    ("library", "linked"),
    [
        ("lib/libonnxruntime.so", "lib/libonnxruntime.so"),
        ("lib64/libonnxruntime.so.1", "lib64/libonnxruntime.so.1"),
        ("capi/libonnxruntime.so.1.31.1", "out/onnxruntime/libonnxruntime.so.1"),
    ],
)
def test_onnx_runtime_is_found_as_releases_packages_and_wheels_have_it(
    cpp_library: Path,
    cmake_build: Callable[..., Path],
    tmp_path: Path,
    headers: str,
    library: str,
    linked: str,
) -> None:
    lay_onnx_runtime(tmp_path / "root", headers, library)
    finding_project(tmp_path, cpp_library)
    root = f"-DOnnxRuntime_ROOT={tmp_path / 'root'}"
    output = cmake("-S", tmp_path, "-B", tmp_path / "out", root)
    where = tmp_path / linked if linked.startswith("out") else tmp_path / "root" / linked
    assert f"FOUND 1.22 {tmp_path / 'root' / headers} {where}" in output
    assert where.exists()


@pytest.mark.cpp
def test_a_build_goes_on_with_what_an_update_has_put_in_onnx_runtimes_place(
    cpp_library: Path, cmake_build: Callable[..., Path], tmp_path: Path
) -> None:
    root = tmp_path / "root"
    finding_project(tmp_path, cpp_library)
    words = ("-S", tmp_path, "-B", tmp_path / "out", f"-DOnnxRuntime_ROOT={root}")
    lay_onnx_runtime(root, "include", "capi/libonnxruntime.so.1.31.1")
    cmake(*words)
    shutil.rmtree(root)
    lay_onnx_runtime(root, "include/onnxruntime", "capi/libonnxruntime.so.1.32.0")
    assert f" {root}/include/onnxruntime {tmp_path}/out/onnxruntime/" in cmake(*words)
    linked = tmp_path / "out" / "onnxruntime" / "libonnxruntime.so.1"
    assert linked.resolve() == root / "capi" / "libonnxruntime.so.1.32.0"


@pytest.mark.cpp
def test_configuring_again_leaves_the_library_where_running_programs_find_it(
    cpp_library: Path, cmake_build: Callable[..., Path], tmp_path: Path
) -> None:
    lay_onnx_runtime(tmp_path / "root", "include", "capi/libonnxruntime.so.1.31.1")
    finding_project(tmp_path, cpp_library)
    words = ("-S", tmp_path, "-B", tmp_path / "out", f"-DOnnxRuntime_ROOT={tmp_path / 'root'}")
    cmake(*words)
    linked = tmp_path / "out" / "onnxruntime" / "libonnxruntime.so.1"
    before = linked.lstat()
    cmake(*words)
    after = linked.lstat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.cpp
def test_without_onnx_runtime_the_message_says_what_to_set(
    cpp_library: Path, cmake_build: Callable[..., Path], tmp_path: Path
) -> None:
    message = cmake("-S", cpp_library, "-B", tmp_path / "out", fails=True)
    assert "set OnnxRuntime_ROOT to the folders with its headers and its library" in message


@pytest.mark.cpp
def test_the_finder_prints_the_headers_that_are_there_without_fetching(
    onnxruntime_roots: str,
) -> None:
    environment = os.environ | {"LAMA_EDGE_DEBIAN_MIRROR": "http://127.0.0.1:9/none"}
    found = subprocess.run([FINDER], capture_output=True, text=True, env=environment)
    assert found.returncode == 0, found.stderr
    assert (Path(found.stdout.strip()) / "onnxruntime_cxx_api.h").is_file()
