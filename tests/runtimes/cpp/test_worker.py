"""`lama-edge-worker`: its protocol, and bench and parity that run models in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from places import DATA

from lama_edge import cli
from lama_edge.benchmarks.bench.compare import compare
from lama_edge.benchmarks.bench.run import Bench, run_bench
from lama_edge.benchmarks.check_stopwatch import check_target
from lama_edge.benchmarks.documents.store import WORKER, check_document
from lama_edge.benchmarks.parity.check import ParityCheck, check_parity
from lama_edge.benchmarks.targets.base import Opening, Target, TargetOptions
from lama_edge.benchmarks.targets.registry import open_target
from lama_edge.benchmarks.targets.tasks.stopwatch import Policy
from lama_edge.errors import MissingBackendError, ModelError
from lama_edge.spec import Size

SHORT = Policy(min_warmup_runs=2, min_warmup_ms=0, min_runs=3, min_seconds=0)
CPU = Opening("cpu", threads=1)


@pytest.fixture
def target(worker: Path) -> Iterator[Target]:
    with open_target("local", TargetOptions(worker=worker)) as opened:
        yield opened


@pytest.fixture
def python() -> Iterator[Target]:
    with open_target("local") as opened:
        yield opened


def start(worker: Path, request: object, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "request.json"
    file.write_text(request if isinstance(request, str) else json.dumps(request))
    return subprocess.run([worker, file], capture_output=True, text=True, timeout=60)


def request(model: Path, **rest: Any) -> dict[str, Any]:
    opened = {"model": str(model), "threads": 1, "providers": [{"name": "cpu", "options": {}}]}
    return {"schema_version": 1, "task": "describe", **opened, **rest}


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
def test_an_answer_fits_the_schema_and_steps_go_to_standard_error(
    worker: Path, exported: Callable[..., Path], tmp_path: Path
) -> None:
    model = exported("fourier")
    ended = start(worker, request(model), tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.splitlines() == [f"opening {model.name}"]
    found = check_document(json.loads(ended.stdout), WORKER)
    assert found["model"]["provider"] == "cpu"
    assert found["model"]["notes"] == []
    assert found["result"]["load_ms"] > 0
    nodes = found["result"]["placement"]["providers"]
    assert nodes.keys() == {"CPUExecutionProvider"}
    assert nodes["CPUExecutionProvider"] > 50


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
def test_a_round_has_first_cold_and_warm_runs_apart(
    target: Target, exported: Callable[..., Path]
) -> None:
    handle = target.push(exported("fourier"))
    found, output = target.measure(handle, CPU, *picture("float"), SHORT)
    assert len(found["warmup_ms"]) == 2
    assert len(found["samples_ms"]) == 3
    assert found["first_run_ms"] == found["warmup_ms"][0] > 0
    assert found["load_ms"] > 0
    peak = target.memory(handle, CPU, *picture("float"))
    assert peak is not None
    assert 5e6 < peak < 1e9
    assert output.shape == (1, 3, 64, 96)


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
def test_bench_measures_in_the_worker_what_compares_with_python(
    worker: Path, exported: Callable[..., Path]
) -> None:
    job: dict[str, Any] = {
        **{"models": (exported(None),), "sizes": (Size(64, 64),), "rounds": 2, "threads": 1},
        **{"min_runs": 2, "min_seconds": 0.0, "min_warmup_ms": 0.0, "provider": "cpu"},
    }
    ours = run_bench(Bench(**job, options=TargetOptions(worker=worker)))
    (row,) = ours.document["runs"]
    assert row["error"] is None
    assert row["runtime"].endswith("(C++ worker)")
    assert len(row["rounds"]) == 2
    theirs = run_bench(Bench(**job))
    np.testing.assert_array_equal(ours.pictures[0].output, theirs.pictures[0].output)
    assert len(compare(theirs.document, ours.document).to_dict()["rows"]) == 1


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
@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("", "is no request"),
        ("{", "is no request"),
        ('{"schema_version": 2}', "schema_version is 2; this worker reads 1"),
        ({"schema_version": 1, "task": "fly"}, "unknown task 'fly'; known: machine"),
        ({"schema_version": 1, "task": "describe"}, "model"),
        ({"schema_version": 1, "task": "sleep", "sleeps_ms": [1]}, "less than 2 sleeps"),
    ],
)
def test_what_is_no_request_is_refused_in_one_line(
    worker: Path, tmp_path: Path, given: object, reason: str
) -> None:
    ended = start(worker, given, tmp_path)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith("lama-edge-worker: error: ")
    assert ended.stderr.count("\n") == 1
    assert reason in ended.stderr


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
def test_a_picture_that_does_not_fit_is_refused_before_it_runs(
    worker: Path, exported: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "image").write_bytes(bytes(12))
    files = {name: str(tmp_path / name) for name in ("image", "mask", "output")}
    files["mask"] = files["image"]
    job = {"height": 64, "width": 64, **files}
    ended = start(worker, request(exported("fourier"), task="run", pictures=[job]), tmp_path)
    assert ended.returncode == 2
    assert "image has 12 bytes; the model takes 49152 at this size" in ended.stderr
    job["height"] = 1
    ended = start(worker, request(exported("fourier"), task="run", pictures=[job]), tmp_path)
    assert "the picture is 1x64 (height x width)" in ended.stderr


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
