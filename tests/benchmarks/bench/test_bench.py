"""The harness end to end: real models in real processes, and what becomes of those that fail."""

from __future__ import annotations

import getpass
import json
import re
import shutil
import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import numpy_helper
from same_process import without_processes

from lama_edge import __version__
from lama_edge.benchmarks.bench import cooling, proof
from lama_edge.benchmarks.bench import run as module
from lama_edge.benchmarks.bench.compare import compare
from lama_edge.benchmarks.bench.measured_picture import HOLE_SHARE, measured_picture
from lama_edge.benchmarks.bench.rows import Row, names_of, sizes_of
from lama_edge.benchmarks.bench.run import Bench, BenchResult, run_bench
from lama_edge.benchmarks.documents.store import load_bench, save_document
from lama_edge.benchmarks.targets.base import TargetOptions
from lama_edge.benchmarks.targets.device import DeviceTarget
from lama_edge.benchmarks.targets.places.local import LocalPlace
from lama_edge.benchmarks.targets.programs.python import PythonProgram
from lama_edge.benchmarks.targets.registry import TARGETS, open_target
from lama_edge.benchmarks.targets.subjects import Refused
from lama_edge.engines import EngineBuild, ProfileSizes
from lama_edge.errors import (
    LamaEdgeError,
    MissingBackendError,
    ModelError,
    NotFiniteError,
    UsageError,
)
from lama_edge.exporters.formats.onnx.file import write_onnx
from lama_edge.exporters.formats.record import Export
from lama_edge.exporters.formats.tensorrt.options import engine_size
from lama_edge.files import sha256_of
from lama_edge.manifest import Manifest
from lama_edge.pipeline import export_model
from lama_edge.process import CrashError
from lama_edge.spec import Size, SizePolicy, parse_size

QUICK: dict[str, Any] = {"rounds": 1, "min_runs": 2, "min_seconds": 0.0, "min_warmup_ms": 0.0}


@pytest.fixture(scope="module")
def folder(golden_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fixed-size float model, a uint8 one of any size, and a file that is no model."""
    folder = tmp_path_factory.mktemp("models")
    export_model(Export("onnx", golden_folder, folder / "fixed.onnx", sizes=(Size(64, 48),)))
    export_model(Export("onnx", golden_folder, folder / "any.onnx", io="uint8", check_parity=False))
    (folder / "damaged.onnx").write_bytes(b"no model")
    return folder


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    without_processes(monkeypatch)


@pytest.fixture(scope="module")
def manifest(folder: Path) -> Manifest:
    session = ort.InferenceSession(folder / "fixed.onnx", providers=["CPUExecutionProvider"])
    return Manifest.from_json(session.get_modelmeta().custom_metadata_map["lama_edge"])


@pytest.fixture(scope="module")
def stages() -> list[str]:
    return []


@pytest.fixture(scope="module")
def result(folder: Path, golden_folder: Path, stages: list[str]) -> BenchResult:
    job = Bench(
        models=tuple(folder / name for name in ("fixed.onnx", "any.onnx", "damaged.onnx")),
        reference=str(golden_folder),
        sizes=(Size(32, 64),),
        threads=1,
        rounds=2,
        min_runs=11,
        min_seconds=0.35,
        min_warmup_ms=5,
    )
    return run_bench(job, stages.append)


def test_a_row_says_what_was_measured(
    result: BenchResult, folder: Path, manifest: Manifest
) -> None:
    run = result.document["runs"][0]
    path = folder / "fixed.onnx"
    parity = manifest.parity
    assert parity is not None
    assert run["model"] == {
        "name": "fixed.onnx",
        "format": "onnx",
        "sha256": sha256_of(path),
        "size_bytes": path.stat().st_size,
        "precision": "fp32",
        "io": "float",
        "dft": "matmul",
        "architecture": "ffc_resnet",
        "parameters": manifest.source.parameters,
        "source_sha256": manifest.source.sha256,
        "for": "any",
    }
    assert run["runtime"] == f"onnxruntime {ort.__version__}"
    assert (run["target"], run["provider"], run["threads"]) == ("local", "cpu", 1)
    assert (run["size"], run["batch"], run["error"]) == ("64x48", 1, None)
    assert run["quality"]["max_abs_diff"] == parity.max_abs_diff
    assert run["quality"]["sizes"] == ["64x48"]
    assert (run["quality"]["passed"], run["quality"]["least_psnr_db"]) == (True, None)


def test_figures_whose_psnr_failed_did_not_pass(
    folder: Path, manifest: Manifest, tmp_path: Path
) -> None:
    assert manifest.parity is not None
    failed = replace(manifest.parity, psnr_db=54.9, least_psnr_db=55.0, forced=True)
    write_onnx(
        onnx.load(folder / "fixed.onnx"), replace(manifest, parity=failed), tmp_path / "f.onnx"
    )
    (run,) = run_bench(Bench((tmp_path / "f.onnx",), **QUICK)).document["runs"]
    assert (run["quality"]["passed"], run["quality"]["psnr_db"]) == (False, 54.9)


def test_a_model_of_any_size_is_measured_at_the_size_asked_for(result: BenchResult) -> None:
    run = result.document["runs"][1]
    assert (run["size"], run["model"]["io"], run["quality"]) == ("32x64", "uint8", None)


def test_rounds_keep_raw_samples_apart_from_warm_ups(result: BenchResult) -> None:
    for run in result.document["runs"][:2]:
        assert len(run["rounds"]) == 2
        for one in run["rounds"]:
            assert len(one["warmup_ms"]) >= 3
            assert one["first_run_ms"] == one["warmup_ms"][0]
            assert len(one["samples_ms"]) >= 11
            assert sum(one["samples_ms"]) >= 300
            assert one["load_ms"] > 0
            assert one["other_load"] is not None
            assert one["waited"] is None
        pooled = np.concatenate([one["samples_ms"] for one in run["rounds"]])
        assert run["statistics"]["count"] == pooled.size
        assert run["statistics"]["median_ms"] == pytest.approx(np.median(pooled))


def test_models_take_turns(result: BenchResult, stages: list[str]) -> None:
    assert result.document["settings"]["rounds"] == 2
    assert stages == [
        "opening fixed.onnx",
        "opening any.onnx",
        "opening damaged.onnx",
        "fixed.onnx at 64x48, round 1",
        "any.onnx at 32x64, round 1",
        "fixed.onnx at 64x48, round 2",
        "any.onnx at 32x64, round 2",
        "fixed.onnx at 64x48, peak memory",
        "any.onnx at 32x64, peak memory",
        "judging what was timed",
    ]


def test_first_cold_and_warm_times_are_apart(result: BenchResult) -> None:
    for run in result.document["runs"][:2]:
        found, rounds = run["statistics"], run["rounds"]
        assert run["first"]["run_ms"] == rounds[0]["first_run_ms"] == found["first_run_ms"]
        assert run["first"]["load_ms"] == found["first_load_ms"] > 0
        assert found["cold_load_ms"] == np.median([one["load_ms"] for one in rounds])
        assert found["cold_run_ms"] == np.median([one["first_run_ms"] for one in rounds])
        assert found["sustained_ratio"] is run["sustained"] is None


def test_memory_is_a_pass_of_its_own(result: BenchResult) -> None:
    for run in result.document["runs"][:2]:
        assert 10 << 20 < run["memory_bytes"] < 1 << 30
    assert result.document["runs"][2]["memory_bytes"] is None


def test_what_ran_where_and_by_what_is_said(result: BenchResult) -> None:
    for run in result.document["runs"][:2]:
        assert run["program"] == {"name": "python", "version": __version__, "sha256": None}
        assert run["placement"]["providers"]["CPUExecutionProvider"] > 10
        assert run["placement"]["fell_back"] == []


def test_what_was_timed_is_judged_by_the_reference(result: BenchResult) -> None:
    assert result.document["protocol"] == 2
    for run, tolerance in zip(result.document["runs"][:2], (1e-4, 1e-4), strict=True):
        parity = run["parity"]
        assert (parity["passed"], parity["tolerance"]) == (True, tolerance)
        assert 0 <= parity["max_abs_diff"] < 2e-5
        assert re.fullmatch(r"\S+ in numpy \S+", parity["reference"])
    assert result.document["runs"][2]["parity"] is None


@pytest.fixture(scope="module")
def altered(folder: Path) -> Path:
    """The fixed-size model with one weight of the last convolution moved."""
    graph = onnx.load(folder / "fixed.onnx")
    weight = next(w for w in graph.graph.initializer if w.name == "head.conv.weight")
    values = numpy_helper.to_array(weight).copy()
    values.flat[0] += 0.5
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    path = folder / "altered.onnx"
    onnx.save(graph, path)
    return path


@pytest.mark.usefixtures("in_this_process")
def test_a_row_that_computes_something_else_keeps_its_figures_and_fails(
    folder: Path, altered: Path, golden_folder: Path
) -> None:
    models = (altered, folder / "fixed.onnx", folder / "damaged.onnx")
    result = run_bench(Bench(models, reference=str(golden_folder), **QUICK))
    wrong, right, damaged = result.document["runs"]
    assert not wrong["parity"]["passed"]
    assert wrong["parity"]["max_abs_diff"] > 1e-3
    assert wrong["statistics"]["count"] == 2
    assert wrong["error"] is None
    assert any("it computes something else than" in text for text in wrong["warnings"])
    assert right["parity"]["passed"]
    assert damaged["error"] is not None
    # It wins over the row that cannot be opened.
    assert result.exit_code == 1
    with pytest.raises(UsageError, match="something else than its reference"):
        compare(result.document, result.document)


@pytest.mark.usefixtures("in_this_process")
def test_without_its_checkpoint_a_row_is_not_proven_and_says_so(folder: Path) -> None:
    result = run_bench(Bench((folder / "fixed.onnx",), **QUICK))
    (run,) = result.document["runs"]
    assert run["parity"] is None
    assert any(re.match("not proven: .* name it by --reference", w) for w in run["warnings"])
    assert result.exit_code == 0


@pytest.mark.usefixtures("in_this_process")
def test_lama_tiny_is_known_and_needs_no_reference_named(tmp_path: Path) -> None:
    model = tmp_path / "tiny.onnx"
    export_model(Export("onnx", None, model, sizes=(Size(64, 64),), check_parity=False))
    (run,) = run_bench(Bench((model,), **QUICK)).document["runs"]
    assert run["parity"]["passed"]
    assert run["parity"]["reference"].startswith("lama-tiny in numpy ")


@pytest.mark.usefixtures("in_this_process")
def test_a_reference_that_cannot_be_opened_is_refused_before_anything_is_measured(
    folder: Path,
) -> None:
    stages: list[str] = []
    job = Bench((folder / "fixed.onnx",), reference=str(folder / "damaged.onnx"), **QUICK)
    with pytest.raises(UsageError, match=r"reference='.*damaged\.onnx': the reference failed"):
        run_bench(job, stages.append)
    assert stages == ["opening fixed.onnx"]


@pytest.mark.usefixtures("in_this_process")
def test_a_reference_of_another_size_proves_nothing(
    folder: Path, golden_folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.onnx"
    export_model(Export("onnx", golden_folder, other, sizes=(Size(16, 16),), check_parity=False))
    (run,) = run_bench(Bench((folder / "fixed.onnx",), reference=str(other), **QUICK)).document[
        "runs"
    ]
    assert run["parity"] is None
    assert any(
        "not proven: the reference other.onnx does not take 64x48" in w for w in run["warnings"]
    )


@pytest.mark.usefixtures("in_this_process")
def test_a_model_is_no_proof_of_itself(folder: Path) -> None:
    models = (folder / "fixed.onnx", folder / "any.onnx")
    job = Bench(models, reference=str(models[0]), sizes=(Size(64, 48),), **QUICK)
    itself, other = run_bench(job).document["runs"]
    assert itself["parity"] is None
    assert any("not proven: the reference is this very row" in w for w in itself["warnings"])
    assert other["parity"]["passed"]


@pytest.mark.usefixtures("in_this_process")
def test_every_round_s_output_is_judged(
    folder: Path, golden_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, rounds = DeviceTarget.measure, []

    def measure(self: DeviceTarget, *words: Any, **more: Any) -> Any:
        found, output = whole(self, *words, **more)
        rounds.append(found)
        # The device goes wrong in the second of three rounds.
        return found, 1 - output if len(rounds) == 2 else output

    monkeypatch.setattr(DeviceTarget, "measure", measure)
    job = Bench((folder / "fixed.onnx",), reference=str(golden_folder), **{**QUICK, "rounds": 3})
    (run,) = run_bench(job).document["runs"]
    assert not run["parity"]["passed"]
    assert any("known values changed" in text for text in run["warnings"])


@pytest.mark.usefixtures("in_this_process")
def test_a_sustained_run_follows_the_rounds(folder: Path) -> None:
    stages: list[str] = []
    job = Bench((folder / "fixed.onnx",), sustained_s=0.2, prove=False, **QUICK)
    (run,) = run_bench(job, stages.append).document["runs"]
    assert stages[-2:] == ["fixed.onnx at 64x48, peak memory", "fixed.onnx at 64x48, sustained"]
    sustained = run["sustained"]
    assert sustained["asked_s"] == 0.2
    assert len(sustained["at_s"]) == len(sustained["samples_ms"]) > 3
    assert sustained["at_s"][-1] + sustained["samples_ms"][-1] / 1e3 >= 0.2
    assert run["statistics"]["sustained_ratio"] > 0
    assert run["parity"] is None
    assert not any("not proven" in text for text in run["warnings"])


def _sensors(monkeypatch: pytest.MonkeyPatch, *temperatures: float | None) -> None:
    """Let the target tell these temperatures, the last one for good."""
    left = list(temperatures)
    whole = DeviceTarget.sensors

    def sensors(self: DeviceTarget) -> dict[str, Any]:
        now = left.pop(0) if len(left) > 1 else left[0]
        return {**whole(self), "temperature_c": None if now is None else {"cpu": now}}

    monkeypatch.setattr(DeviceTarget, "sensors", sensors)
    monkeypatch.setattr(cooling.time, "sleep", lambda seconds: None)


@pytest.mark.usefixtures("in_this_process")
def test_every_round_waits_until_the_device_is_cool(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Looked at once before anything is opened; then warm and cool before each round.
    _sensors(monkeypatch, 50.0, 50.0, 34.0, 41.0, 33.0)
    details: list[str] = []
    job = Bench((folder / "fixed.onnx",), max_temperature_c=35.0, **{**QUICK, "rounds": 2})
    document = run_bench(job, detail=details.append).document
    waits = [one["waited"] for one in document["runs"][0]["rounds"]]
    assert [(wait["temperature_c"], wait["timed_out"]) for wait in waits] == [
        (34.0, False), (33.0, False),
    ]  # fmt: skip
    assert [text for text in details if text.startswith("waiting")] == [
        "waiting for 35 °C: cpu is at 50.0", "waiting for 35 °C: cpu is at 41.0",
    ]  # fmt: skip
    assert document["settings"]["cool_timeout_s"] == 300


@pytest.mark.usefixtures("in_this_process")
def test_a_device_that_never_cools_is_measured_and_the_round_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _sensors(monkeypatch, 44.0)
    job = Bench(
        (folder / "fixed.onnx",), max_temperature_c=35.0, cool_timeout_s=0.05, sustained_s=0.1,
        **QUICK,
    )  # fmt: skip
    (run,) = run_bench(job).document["runs"]
    (one,) = run["rounds"]
    assert one["waited"]["timed_out"]
    assert one["waited"]["seconds"] >= 0.05
    assert any("1 of 1 rounds began before the device had cooled" in w for w in run["warnings"])
    assert any("the sustained run began with cpu at 44.0" in w for w in run["warnings"])


@pytest.mark.usefixtures("in_this_process")
def test_a_device_without_temperatures_is_refused_before_anything_is_opened(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _sensors(monkeypatch, None)
    stages: list[str] = []
    with pytest.raises(UsageError, match=r"max_temperature_c=35.0: .* no temperature"):
        run_bench(Bench((folder / "fixed.onnx",), max_temperature_c=35.0), stages.append)
    assert stages == []


class Counted(LocalPlace):
    """This machine, which counts its sessions, and what is brought in each."""

    sessions: ClassVar[list[list[Path]]] = []

    def open(self) -> None:
        super().open()
        self.sessions.append([])

    def close(self) -> None:
        super().close()
        self.sessions.append([])

    def put(self, path: Path, beside: Sequence[Path] = ()) -> str:
        self.sessions[-1].append(path)
        return super().put(path, beside)


class Other(PythonProgram):
    """Python under the worker's name."""

    name = "lama-edge-worker"


def two_programs(address: str, options: TargetOptions) -> DeviceTarget:
    return DeviceTarget(Counted(), PythonProgram() if options.worker is None else Other())


@pytest.mark.usefixtures("in_this_process")
def test_python_beside_a_worker_takes_turns_with_it_in_one_session(
    folder: Path, golden_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TARGETS, "twice", f"{__name__}:two_programs")
    monkeypatch.setattr(Counted, "sessions", [])
    stages: list[str] = []
    whole, judged_in = proof.References.prove, []

    def prove(*words: Any) -> Any:
        judged_in.append(len(Counted.sessions))
        return whole(*words)

    monkeypatch.setattr(proof.References, "prove", prove)
    job = Bench(
        (folder / "fixed.onnx",), target="twice", options=TargetOptions(worker=Path("worker")),
        with_python=True, reference=str(golden_folder), **{**QUICK, "rounds": 2},
    )  # fmt: skip
    result = run_bench(job, stages.append)
    runs = result.document["runs"]
    assert [run["program"]["name"] for run in runs] == ["lama-edge-worker", "python"]
    assert all(run["parity"]["passed"] for run in runs)
    title = "fixed.onnx at 64x48"
    assert [stage for stage in stages if "round" in stage] == [
        f"{title} in lama-edge-worker, round 1", f"{title}, round 1",
        f"{title} in lama-edge-worker, round 2", f"{title}, round 2",
    ]  # fmt: skip
    # Opened once, closed once, and nothing brought after that; judged when others may have it.
    assert len(Counted.sessions) == 2
    assert judged_in == [2, 2]
    assert Counted.sessions[1] == []
    assert len(stages) == job.steps
    assert [row.ratio for row in compare(result.document, result.document).rows] == [1, 1]


def test_python_beside_no_worker_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="with_python goes with worker"):
        run_bench(Bench((folder / "fixed.onnx",), with_python=True))


def test_a_model_that_cannot_be_opened_is_a_row_with_its_error(
    result: BenchResult, folder: Path
) -> None:
    run = result.document["runs"][2]
    assert run["statistics"] is None
    assert run["rounds"] == run["warnings"] == []
    assert "ONNX Runtime cannot open 'damaged.onnx'" in run["error"]
    assert run["model"]["sha256"] == sha256_of(folder / "damaged.onnx")
    assert run["model"]["architecture"] is run["size"] is None


def test_the_document_holds_nothing_personal(result: BenchResult, folder: Path) -> None:
    text = json.dumps(result.document)
    secrets = (socket.gethostname(), getpass.getuser(), str(Path.home()), str(Path.cwd()))
    for secret in (*secrets, str(folder), folder.name):
        assert not re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", text), secret


def test_the_result_is_compared_with_itself_after_a_round_trip(
    result: BenchResult, tmp_path: Path
) -> None:
    document = {**result.document, "runs": result.document["runs"][:2]}
    save_document(document, tmp_path / "r.json")
    comparison = compare(load_bench(tmp_path / "r.json"), load_bench(tmp_path / "r.json"))
    assert [row.ratio for row in comparison.rows] == [1, 1]
    assert not comparison.regressed


def test_pictures_show_what_each_model_made(result: BenchResult) -> None:
    assert [picture.run for picture in result.pictures] == [0, 1]
    for picture in result.pictures:
        assert picture.output.dtype == picture.image.dtype == np.uint8
        assert picture.output.shape == picture.image.shape
        known = ~picture.hole
        assert np.array_equal(picture.output[known], picture.image[known])
        assert not np.array_equal(picture.output, picture.image)


@pytest.mark.parametrize("size", [Size(16, 16), Size(64, 200), Size(512, 512)])
def test_a_quarter_of_the_measured_picture_is_hole(size: Size) -> None:
    image, hole = measured_picture(size)
    assert image.shape == (size.height, size.width, 3)
    assert image.std() > 10
    assert hole.mean() == pytest.approx(HOLE_SHARE, abs=0.005)
    assert np.array_equal(image, measured_picture(size)[0])


def test_a_process_that_dies_is_a_row_and_the_others_go_on(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(folder / "fixed.onnx", tmp_path / "dies.onnx")
    whole = PythonProgram.command
    # Dies like a program that does, once it has opened the model.
    deadly = 'grep -q "measure.*dies.onnx" "$3" && kill -SEGV $$; exec "$0" "$@"'

    def command(self: PythonProgram) -> list[str]:
        return ["sh", "-c", deadly, *whole(self)]

    monkeypatch.setattr(PythonProgram, "command", command)
    models = (tmp_path / "dies.onnx", folder / "fixed.onnx")
    result = run_bench(Bench(models, threads=3, **QUICK))
    died, lived = result.document["runs"]
    assert [run["threads"] for run in result.document["runs"]] == [3, 3]
    assert died["error"] == "the process was killed by SIGSEGV"
    assert died["statistics"] is None
    assert died["model"]["architecture"] == "ffc_resnet"
    assert lived["error"] is None
    assert lived["statistics"]["count"] == 2
    assert [picture.run for picture in result.pictures] == [1]
    assert any("only 2 samples" in warning for warning in lived["warnings"])


def test_a_process_that_takes_too_long_is_a_row(folder: Path) -> None:
    result = run_bench(Bench((folder / "fixed.onnx",), timeout_s=0.01, **QUICK))
    assert "did not finish within 0.01 s" in result.document["runs"][0]["error"]


def test_models_of_one_name_stay_apart(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "fixed.onnx"
    shutil.copy(folder / "fixed.onnx", other)
    paths = [folder / "fixed.onnx", other, tmp_path / "." / "fixed.onnx"]
    names = names_of(paths, [None] * len(paths), ["auto"] * len(paths))
    assert names == ["fixed.onnx", "fixed.onnx (2)", "fixed.onnx (3)"]


def test_parts_of_one_file_have_its_name(tmp_path: Path) -> None:
    names = names_of([tmp_path / "two.pth"] * 3, ["g", "g_ema", "g"], ["auto"] * 3)
    assert names == ["two.pth", "two.pth", "two.pth (2)"]


def test_the_pause_lies_between_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Any] = []
    target = open_target("local")
    monkeypatch.setattr(module.time, "sleep", events.append)
    rows = [
        Row(
            Refused(name, {}, CrashError("")),
            target,
            name,
            "cpu",
            name,
            Size(8, 8),
            failure=failure,
        )
        for name, failure in (("failed", CrashError("it died")), ("a", None), ("b", None))
    ]
    job = Bench(("a", "b"), rounds=2, cool_down_s=7.5)
    for row in module._interleaved(rows, job, lambda step: None):
        events.append(row.name)
    assert events == ["a", 7.5, "b", 7.5, "a", 7.5, "b"]


def test_a_size_that_does_not_suit_is_refused_before_anything_is_measured(folder: Path) -> None:
    stages: list[str] = []
    job = Bench((folder / "any.onnx",), sizes=(Size(32, 32), Size(500, 512)), **QUICK)
    with pytest.raises(UsageError, match=r"'any.onnx' cannot be measured at 500x512: .* 504x512"):
        run_bench(job, stages.append)
    assert not stages


def _engine(manifest: Manifest, *tokens: str) -> Manifest:
    """The manifest of an engine whose profiles go from a smallest over a best to a largest size."""
    sizes = [[parse_size(size) for size in token.split(":")] for token in tokens]
    build = EngineBuild(
        "rtx", "1.7", (), "none", version_compatible=False, optimisation_level=3, tf32=False,
        workspace_bytes=None, profiles=tuple(ProfileSizes(*three) for three in sizes),
        source_sha256="", engine_sha256="", engine_bytes=1,
    )  # fmt: skip
    policy = engine_size(build.profiles, SizePolicy(None, 8, 16))
    return replace(manifest, engine=build, size=policy)


def test_a_size_beyond_a_models_largest_side_is_refused(manifest: Manifest) -> None:
    ended = replace(manifest, size=SizePolicy(None, 8, 16, max_side=128))
    with pytest.raises(UsageError, match=r"'m' cannot be measured at 128x136: .* at most 128"):
        sizes_of((Size(128, 136),), ended, "m")
    assert sizes_of((Size(128, 120),), ended, "m") == (Size(128, 120),)
    assert sizes_of((), ended, "m") == (Size(128, 128),)


def test_an_engine_is_measured_at_what_any_of_its_profiles_takes(manifest: Manifest) -> None:
    several = _engine(manifest, "64:64:64", "128x96:128x96:128x96")
    assert sizes_of((), several, "e") == (Size(64, 64),)
    assert sizes_of((Size(128, 96),), several, "e") == (Size(128, 96),)
    with pytest.raises(UsageError, match=r"at 96x96: the engine takes 64x64, 128x96"):
        sizes_of((Size(96, 96),), several, "e")
    ranging = _engine(manifest, "64:128:256x512")
    assert sizes_of((Size(64, 512),), ranging, "e") == (Size(64, 512),)
    with pytest.raises(UsageError, match=r"at 512x64: the engine takes 64x64:128x128:256x512"):
        sizes_of((Size(512, 64),), ranging, "e")
    with pytest.raises(UsageError, match=r"at 100x64: .*multiples of 8; next is 104x64"):
        sizes_of((Size(100, 64),), ranging, "e")
    assert sizes_of((Size(96, 96),), _engine(manifest, "64:64:64"), "e") == (Size(64, 64),)


def test_a_model_that_is_not_there_is_refused_before_any_is_opened(folder: Path) -> None:
    stages: list[str] = []
    with pytest.raises(ModelError, match=r"absent\.onnx' does not exist"):
        run_bench(Bench((folder / "fixed.onnx", folder / "absent.onnx")), stages.append)
    assert stages == []


def test_a_missing_backend_is_a_row_and_the_others_go_on(folder: Path) -> None:
    models = (folder / "fixed.onnx", folder / "fixed.onnx")
    result = run_bench(Bench(models, providers=("tensorrt", "cpu"), **QUICK))
    missing, measured = result.document["runs"]
    assert "'tensorrt' is not available" in missing["error"]
    assert (missing["provider"], missing["statistics"]) == ("tensorrt", None)
    assert measured["error"] is None
    assert result.exit_code == 3


@pytest.mark.parametrize(
    ("failures", "code"),
    [
        ((), 0),
        ((ModelError("m"),), 2),
        ((ModelError("m"), MissingBackendError("b")), 3),
        ((MissingBackendError("b"), NotFiniteError("n"), CrashError("c")), 1),
    ],
)
def test_of_several_failed_rows_the_gravest_gives_the_exit_code(
    failures: tuple[LamaEdgeError, ...], code: int
) -> None:
    assert BenchResult({}, (), failures).exit_code == code


@pytest.mark.parametrize(
    "wrong",
    [
        {"models": ()},
        {"rounds": 0},
        {"threads": 0},
        {"min_runs": 0},
        {"min_seconds": -1.0},
        {"cool_down_s": float("nan")},
        {"timeout_s": 0.0},
        {"max_temperature_c": float("nan")},
        {"cool_timeout_s": -1.0},
        {"sustained_s": 0.0},
        {"sustained_s": float("inf")},
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="give"):
        Bench(**{"models": ("t.onnx",), **wrong})


@pytest.mark.usefixtures("in_this_process")
def test_a_reference_whose_runtime_is_missing_is_exit_code_3(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "r.engine").write_bytes(b"no engine")
    monkeypatch.setattr(
        proof,
        "open_model",
        lambda name, *_: Refused(name, {}, MissingBackendError("pip install it")),
    )
    with pytest.raises(MissingBackendError, match=r"reference='.*r\.engine': .*pip install it"):
        run_bench(Bench((folder / "fixed.onnx",), reference=str(folder / "r.engine"), **QUICK))
