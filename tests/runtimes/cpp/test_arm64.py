"""The C++ library built for 64-bit ARM, under emulation; its times mean nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from places import DATA, ROOT, TOOLS
from worker_bundle import worker_bundle

from lama_edge.benchmarks.targets.addresses import local_target
from lama_edge.benchmarks.targets.base import Opening, TargetOptions
from lama_edge.benchmarks.targets.tasks.stopwatch import Policy
from lama_edge.runtimes.base import open_runner
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


@pytest.fixture(scope="module")
def bundle(arm64: Path) -> Path:
    """The worker with all that it needs to run, as `make worker` makes it."""
    return worker_bundle("aarch64")


def run(root: Path, libraries: Path, *command: Any) -> list[str]:
    emulator: list[Any] = [
        root / "usr/bin/qemu-aarch64",
        "-L",
        root,
        "-E",
        f"LD_LIBRARY_PATH={libraries}",
    ]
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


@pytest.mark.slow
def test_the_example_erases_what_python_erases(
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
        "-DLAMA_EDGE_WORKER=OFF",  # the bundle has it
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
    # A small model: the emulator takes a minute and more for lama-tiny.
    model = exported("fourier")
    # Its tests too: threads and cancellation are the processor's affair.
    run(arm64, built / "onnxruntime", built / "lama_edge_library_tests", model)
    run(arm64, built / "onnxruntime", built / "examples" / "lama_edge_erase", model, *names)
    with Inpainter.open(model, provider="cpu") as inpainter:
        expected = inpainter(picture, mask)
    assert (expected != picture).any()
    # Sums in another order may round a level otherwise; measured 0 (ONNX Runtime 1.31).
    difference = np.abs(np.asarray(Image.open(names[2]), np.int16) - expected.astype(np.int16))
    assert difference.max() <= 1


def test_the_workers_bundle_describes_runs_and_measures_with_what_is_in_it(
    arm64: Path, bundle: Path, exported: Callable[..., Path], tmp_path: Path
) -> None:
    copied = shutil.copytree(bundle, tmp_path / "elsewhere")
    program = copied / "lama-edge-worker"
    emulator = arm64 / "usr" / "bin" / "qemu-aarch64"
    program.write_text(program.read_text().replace("exec ", f"exec {emulator} "))
    opening, policy = Opening("cpu", threads=1), Policy(1, 0.0, 2, 0.0)
    image = np.random.default_rng(3).random((1, 3, 64, 72), np.float32)
    mask = np.zeros((1, 1, 64, 72), np.float32)
    mask[:, :, 20:40, 30:60] = 1
    model = exported(None)
    with local_target("local", TargetOptions(worker=copied)) as target:
        assert target.environment()["machine"] == "aarch64"
        handle = target.push(model)
        assert target.describe(handle, opening).title.endswith("(C++ worker) cpu")
        measured, output = target.measure(handle, opening, image, mask, policy)
        assert len(measured["samples_ms"]) == 2
        (again,) = target.run(handle, opening, [(image, mask)])
    np.testing.assert_array_equal(again, output)
    with open_runner(model, provider="cpu", threads=1) as runner:
        expected = runner.run(image, mask)
    assert (expected != image).any()
    np.testing.assert_allclose(output, expected, rtol=0, atol=1e-4)


def test_the_workers_bundle_carries_its_licences_and_no_path_of_this_machine(bundle: Path) -> None:
    if shutil.which("dpkg-query") is None:
        pytest.skip("the C library's notices are gathered from Debian's packages")
    names = {path.name for path in (bundle / "licences").iterdir()}
    assert names >= {"lama-edge.txt", "onnxruntime.txt", "onnxruntime-others.txt", "README.txt"}
    assert names >= {"GPL-3.txt", "LGPL-2.1.txt"}
    readme = (bundle / "licences" / "README.txt").read_text()
    for owner in ("libc6-arm64-cross", "libgcc-s1-arm64-cross", "libstdc++6-arm64-cross"):
        assert f"{owner}.txt" in names
        assert f"{owner} " in readme
    assert "https://snapshot.debian.org/package/glibc/" in readme
    assert "https://snapshot.debian.org/package/gcc-" in readme
    worker = (bundle / "lib" / "worker").read_bytes()
    assert bytes(ROOT) not in worker
    assert b"RUNPATH" not in worker


def test_a_packed_bundle_has_the_same_bytes_from_another_folder_and_day(
    bundle: Path, tmp_path: Path
) -> None:
    packed = []
    for name, mode in (("one", 0o755), ("other", 0o700)):
        copy = shutil.copytree(bundle, tmp_path / name / "bundle", copy_function=shutil.copyfile)
        for index, path in enumerate(sorted(copy.rglob("*"), reverse=mode == 0o700)):
            os.utime(path, (index, index))
        for path in (copy / "lama-edge-worker", copy / "lib" / "worker"):
            path.chmod(mode)
        archive = tmp_path / name / "worker-1.0-aarch64"
        subprocess.run(
            [ROOT / ".ci" / "release", "pack", copy, archive],
            env=os.environ | {"SOURCE_DATE_EPOCH": "1700000000"},
            check=True,
            timeout=120,
        )
        assert sorted(path.name for path in archive.parent.iterdir()) == [
            "bundle",
            f"{archive.name}.tar.gz",
        ]
        packed.append(Path(f"{archive}.tar.gz"))
    assert packed[0].read_bytes() == packed[1].read_bytes()
    with tarfile.open(packed[0]) as archive_:
        members = archive_.getmembers()
    assert [member.name for member in members] == sorted(member.name for member in members)
    assert {member.name.partition("/")[0] for member in members} == {"worker-1.0-aarch64"}
    assert {member.mtime for member in members} == {1700000000}
    assert {member.uid for member in members} == {0}
    modes = {member.name: member.mode for member in members}
    assert modes["worker-1.0-aarch64/lama-edge-worker"] == 0o755
    assert modes["worker-1.0-aarch64/licences/README.txt"] == 0o644
