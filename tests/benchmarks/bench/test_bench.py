"""The harness end to end: real models in real processes, and what becomes of those that fail."""

from __future__ import annotations

import getpass
import json
import re
import shutil
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from lama_edge.benchmarks.bench import run as module
from lama_edge.benchmarks.bench.compare import compare
from lama_edge.benchmarks.bench.measured_picture import HOLE_SHARE, measured_picture
from lama_edge.benchmarks.bench.run import Bench, BenchResult, run_bench
from lama_edge.benchmarks.documents.store import load_bench, save_document
from lama_edge.benchmarks.targets.programs.python import PythonProgram
from lama_edge.benchmarks.targets.subjects import Refused
from lama_edge.engines import EngineBuild, ProfileSizes
from lama_edge.errors import (
    LamaEdgeError,
    MissingBackendError,
    ModelError,
    NotFiniteError,
    UsageError,
)
from lama_edge.export.formats.onnx.file import write_onnx
from lama_edge.export.formats.record import Export
from lama_edge.export.formats.tensorrt.options import engine_size
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


@pytest.fixture(scope="module")
def manifest(folder: Path) -> Manifest:
    session = ort.InferenceSession(folder / "fixed.onnx", providers=["CPUExecutionProvider"])
    return Manifest.from_json(session.get_modelmeta().custom_metadata_map["lama_edge"])


@pytest.fixture(scope="module")
def stages() -> list[str]:
    return []


@pytest.fixture(scope="module")
def result(folder: Path, stages: list[str]) -> BenchResult:
    job = Bench(
        models=tuple(folder / name for name in ("fixed.onnx", "any.onnx", "damaged.onnx")),
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
            assert one["peak_memory_bytes"] > 10 << 20
            assert one["other_load"] is not None
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
    ]


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
    names = module._names(paths, [None] * len(paths), ["auto"] * len(paths))
    assert names == ["fixed.onnx", "fixed.onnx (2)", "fixed.onnx (3)"]


def test_parts_of_one_file_have_its_name(tmp_path: Path) -> None:
    names = module._names([tmp_path / "two.pth"] * 3, ["g", "g_ema", "g"], ["auto"] * 3)
    assert names == ["two.pth", "two.pth", "two.pth (2)"]


def test_the_pause_lies_between_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Any] = []
    monkeypatch.setattr(module.time, "sleep", events.append)
    rows = [
        module._Row(Refused(name, {}, CrashError("")), name, "cpu", Size(8, 8), failure=failure)
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
    assert stages == ["opening any.onnx"]


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
        module._sizes((Size(128, 136),), ended, "m")
    assert module._sizes((Size(128, 120),), ended, "m") == (Size(128, 120),)
    assert module._sizes((), ended, "m") == (Size(128, 128),)


def test_an_engine_is_measured_at_what_any_of_its_profiles_takes(manifest: Manifest) -> None:
    several = _engine(manifest, "64:64:64", "128x96:128x96:128x96")
    assert module._sizes((), several, "e") == (Size(64, 64),)
    assert module._sizes((Size(128, 96),), several, "e") == (Size(128, 96),)
    with pytest.raises(UsageError, match=r"at 96x96: the engine takes 64x64, 128x96"):
        module._sizes((Size(96, 96),), several, "e")
    ranging = _engine(manifest, "64:128:256x512")
    assert module._sizes((Size(64, 512),), ranging, "e") == (Size(64, 512),)
    with pytest.raises(UsageError, match=r"at 512x64: the engine takes 64x64:128x128:256x512"):
        module._sizes((Size(512, 64),), ranging, "e")
    with pytest.raises(UsageError, match=r"at 100x64: .*multiples of 8; next is 104x64"):
        module._sizes((Size(100, 64),), ranging, "e")
    assert module._sizes((Size(96, 96),), _engine(manifest, "64:64:64"), "e") == (Size(64, 64),)


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
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="give"):
        Bench(**{"models": ("t.onnx",), **wrong})
