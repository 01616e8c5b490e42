"""`lama-edge-worker`: its protocol, and bench and parity that run models in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from measuring import CPU
from places import DATA

from lama_edge import cli
from lama_edge.benchmarks.bench.run import Bench, run_bench
from lama_edge.benchmarks.check_stopwatch import check_target
from lama_edge.benchmarks.parity.check import ParityCheck, check_parity
from lama_edge.benchmarks.targets.base import Opening, Target, TargetOptions
from lama_edge.benchmarks.targets.registry import open_target
from lama_edge.errors import MissingBackendError, ModelError
from lama_edge.spec import Size


@pytest.fixture
def target(worker: Path) -> Iterator[Target]:
    with open_target("local", TargetOptions(worker=worker)) as opened:
        yield opened


@pytest.fixture
def python() -> Iterator[Target]:
    with open_target("local") as opened:
        yield opened


def picture(form: str) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    image = rng.integers(0, 256, (1, 64, 96, 3), np.uint8)
    mask = np.zeros((1, 64, 96, 1), np.uint8)
    mask[:, 20:40, 30:70] = 255
    if form == "uint8":
        return image, mask
    planar = np.ascontiguousarray(image.transpose(0, 3, 1, 2), np.float32) / np.float32(255)
    return planar, np.ascontiguousarray(mask.transpose(0, 3, 1, 2) > 0, np.float32)


@pytest.mark.cpp
@pytest.mark.parametrize("form", ["float", "uint8"])
@pytest.mark.parametrize("size", [None, Size(64, 96)])
def test_a_model_gives_in_the_worker_what_it_gives_in_python(
    target: Target,
    python: Target,
    exported: Callable[..., Path],
    form: str,
    size: Size | None,
) -> None:
    model = exported("fourier", size, io=form)
    found = target.run(target.push(model), CPU, [picture(form)] * 2)
    expected = python.run(python.push(model), CPU, [picture(form)])
    for output in found:
        np.testing.assert_array_equal(output, expected[0])


@pytest.mark.cpp
def test_a_description_names_the_worker(
    target: Target, python: Target, exported: Callable[..., Path]
) -> None:
    found = target.describe(target.push(exported("fourier")), Opening())
    beside = python.describe(python.push(exported("fourier")), CPU)
    assert found.manifest == beside.manifest
    assert found.runtime == beside.runtime
    assert found.title == f"onnxruntime {beside.version} (C++ worker) cpu"


@pytest.mark.cpp
def test_parity_judges_the_worker(worker: Path, exported: Callable[..., Path]) -> None:
    model = exported("fourier")
    options = TargetOptions(worker=worker)
    job = ParityCheck((str(model),), str(DATA / "fourier"), provider="cpu", options=options)
    result = check_parity(job)
    (row,) = result.document["models"]
    assert row["passed"], row["error"]
    assert "(C++ worker)" in row["runtime"]
    assert row["worst"]["max_abs_diff"] <= 1e-4


@pytest.mark.cpp
def test_a_model_that_the_worker_refuses_is_a_row_with_its_error(
    worker: Path, exported: Callable[..., Path]
) -> None:
    options = TargetOptions(worker=worker)
    result = run_bench(Bench((DATA / "fourier",), rounds=1, options=options))
    assert result.exit_code == 2
    assert result.document["runs"][0]["error"]


@pytest.mark.cpp
def test_a_missing_request_and_no_request_are_refused_in_one_line(worker: Path) -> None:
    for words, reason in (([], "usage: "), (["/nowhere.json"], "cannot read '/nowhere.json'")):
        ended = subprocess.run([worker, *words], capture_output=True, text=True, timeout=60)
        assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
        assert reason in ended.stderr


@pytest.mark.cpp
def test_models_that_cannot_be_used_are_refused_as_python_refuses_them(
    target: Target, exported: Callable[..., Path], tmp_path: Path
) -> None:
    onnx = pytest.importorskip("onnx")
    whole = onnx.load(exported("fourier"))
    del whole.metadata_props[:]
    onnx.save(whole, tmp_path / "bare.onnx")
    (tmp_path / "cut.onnx").write_bytes(exported("fourier").read_bytes()[:9000])
    for name, reason in (
        ("cut.onnx", "ONNX Runtime cannot open"),
        ("bare.onnx", "carries no lama-edge manifest"),
    ):
        with pytest.raises(ModelError, match=reason):
            target.describe(target.push(tmp_path / name), CPU)


@pytest.mark.cpp
def test_a_provider_that_is_missing_is_a_missing_backend(
    target: Target, exported: Callable[..., Path]
) -> None:
    handle = target.push(exported("fourier"))
    with pytest.raises(MissingBackendError, match="provider qnn is not in this build"):
        target.describe(handle, Opening("qnn"))
    with pytest.raises(ModelError, match="unknown provider 'beads'"):
        target.describe(handle, Opening("beads"))


@pytest.mark.cpp
def test_the_workers_stopwatch_agrees_with_the_sleepers_record(target: Target) -> None:
    found = target.sleep([1.0, 2.0, 1.0, 2.0])
    assert len(found["samples_ms"]) == len(found["slept_ms"]) == 3
    assert min(found["samples_ms"]) >= 1
    text = check_target(target, runs=3).text
    assert text.startswith("lama-edge-worker on local: a sleep of")


def test_without_a_worker_the_exit_code_is_3_and_says_what_to_type(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("bench", "parity"):
        assert cli.main([command, "lama-tiny", "--worker", str(tmp_path / "none")]) == 3
        assert "make worker ARCH=x86_64" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arch", "environment", "reason"),
    [
        ("mips", {}, "ARCH is 'mips'; give x86_64 or aarch64"),
        ("x86_64", {"CXX": "nowhere-g++"}, "nowhere-g++ is missing: apt-get install g++"),
        ("x86_64", {"PYTHON": "false"}, "false has no ONNX Runtime: pip install"),
    ],
)
def test_a_bundle_that_cannot_be_made_says_what_to_install(
    cpp_library: Path, arch: str, environment: dict[str, str], reason: str
) -> None:
    if shutil.which("bash") is None or shutil.which("cmake") is None:
        pytest.skip("bash or CMake is missing: apt-get install bash cmake")
    ended = subprocess.run(
        [cpp_library / "worker" / "bundle", arch],
        env=os.environ | {"PYTHON": sys.executable} | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 3
    assert ended.stderr.startswith("no worker: ")
    assert ended.stderr.count("\n") == 1
    assert reason in ended.stderr
