"""The parity check from end to end: rows, crashes, hints, pictures, and nobody's names."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from lama_edge.benchmarks.documents.store import PARITY, check_document
from lama_edge.benchmarks.parity.check import ParityCheck, ParityResult, check_parity
from lama_edge.errors import ModelError, UsageError
from lama_edge.process import CrashError
from lama_edge.spec import Size

SIZE = Size(64, 72)
# Measured 8e-7 against torch at 64 x 72; the tolerance is 1e-4.
USUAL_DIFFERENCE = 1e-5

# Python runs a module of this name at its start. It kills the processes of the check that open,
# or run, the models named so; nothing of the check itself is changed.
KILLER = """
import os, signal, sys
words = sys.orig_argv
if "lama_edge.benchmarks.targets.tasks" in words:
    request = open(words[-1]).read()
    opening = '"task": "describe"' in request and "killed-opening.onnx" in request
    running = '"task": "run"' in request and "killed-running.onnx" in request
    if opening:
        os.abort()
    if running:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def folder(exported: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models: fixed and dynamic, each form, one altered, two that die, one that is no model."""
    folder = tmp_path_factory.mktemp("models")
    forms = {
        "float": exported("fourier", SIZE),
        "uint8": exported("fourier", SIZE, io="uint8"),
        "raw": exported("fourier", SIZE, composite=False),
        "dynamic": exported(),
        "foreign": exported("regular", SIZE),
    }
    for name, path in forms.items():
        shutil.copy(path, folder / f"{name}.onnx")
    model = onnx.load(folder / "float.onnx")
    (pad,) = [node for node in model.graph.node if node.name == "head.pad"]
    (mode,) = [attribute for attribute in pad.attribute if attribute.name == "mode"]
    mode.s = b"edge"
    onnx.save(model, folder / "altered.onnx")
    for name in ("killed-opening", "killed-running"):
        (folder / f"{name}.onnx").write_bytes((folder / "float.onnx").read_bytes())
    (folder / "garbage.onnx").write_bytes(b"no model at all")
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(5)
    for name in ("street", "sky"):
        pixels = rng.integers(0, 256, (90, 100, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    mask = np.zeros((90, 100), dtype=np.uint8)
    mask[30:60, 30:60] = 255
    Image.fromarray(mask).save(folder / "street_mask.png")
    return folder


@pytest.fixture(scope="module")
def checked(
    folder: Path,
    golden_folder: Path,
    pictures: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[ParityResult, list[str]]:
    """One check of all models against the checkpoint, and the stages it announced."""
    names = (
        "float", "uint8", "raw", "dynamic", "altered", "foreign",
        "killed-opening", "killed-running", "garbage", "missing",
    )  # fmt: skip
    (tmp_path_factory.getbasetemp() / "site").mkdir()
    (tmp_path_factory.getbasetemp() / "site" / "sitecustomize.py").write_text(KILLER)
    stages: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path_factory.getbasetemp() / "site"))
        job = ParityCheck(
            models=tuple(str(folder / f"{name}.onnx") for name in names),
            reference=str(golden_folder),
            images=pictures,
        )
        return check_parity(job, stages.append), stages


def _row(result: ParityResult, name: str) -> dict[str, Any]:
    (row,) = [row for row in result.document["models"] if row["model"]["name"] == f"{name}.onnx"]
    return row


@pytest.mark.parametrize("name", ["float", "uint8", "raw", "dynamic"])
def test_every_form_of_a_model_passes(checked, name: str) -> None:
    row = _row(checked[0], name)
    assert row["passed"]
    assert row["error"] is None
    assert row["first_difference"] is None
    assert row["worst"]["max_abs_diff"] <= row["tolerance_needed"] < USUAL_DIFFERENCE
    assert row["worst"]["ssim"] == pytest.approx(1, abs=1e-4)
    kept = {case["known_changed"] for case in row["cases"]}
    assert kept == ({None} if name == "raw" else {0})


def test_all_models_of_a_size_see_the_same_cases(checked) -> None:
    fixed = [_row(checked[0], name)["cases"] for name in ("float", "uint8", "raw", "altered")]
    described = [
        [(case["name"], case["size"], case["hole_share"]) for case in cases] for cases in fixed
    ]
    assert all(cases == described[0] for cases in described)
    assert [case[0] for case in described[0]] == ["seeded 64x72", "sky.png", "street.png"]
    dynamic = [case["size"] for case in _row(checked[0], "dynamic")["cases"]]
    assert dynamic == ["16x16", "64x96", "72x104", "136x88", "256x192", "88x96", "88x96"]
    touching = {case["name"]: case["touches_border"] for case in fixed[0]}
    assert touching == {"seeded 64x72": True, "sky.png": True, "street.png": False}


def test_an_altered_model_fails_with_what_would_have_been_needed_and_where(checked) -> None:
    row = _row(checked[0], "altered")
    assert not row["passed"]
    assert not checked[0].passed
    assert row["tolerance_needed"] > 0.01 > row["tolerance"]
    assert row["first_difference"]["tensor"] == "head.pad"
    assert row["error"] is None
    # The fault is in the border, which the mask of this picture does not reach.
    harmless = {case["name"]: case["max_abs_diff"] < row["tolerance"] for case in row["cases"]}
    assert harmless == {"seeded 64x72": False, "sky.png": False, "street.png": True}


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("killed-opening", "the process was killed by SIGABRT"),
        ("killed-running", "the process was killed by SIGKILL"),
        ("garbage", "ONNX Runtime cannot open 'garbage.onnx'"),
        ("missing", "the model 'missing.onnx' does not exist"),
    ],
)
def test_a_model_that_dies_or_is_refused_is_a_row(checked, name: str, error: str) -> None:
    row = _row(checked[0], name)
    assert row["error"].startswith(error)
    assert not row["passed"]
    assert (row["worst"], row["cases"], row["first_difference"]) == (None, [], None)
    assert (row["model"]["sha256"] is None) == (name == "missing")


def test_the_document_fits_its_schema_and_survives_json(checked) -> None:
    document = json.loads(json.dumps(checked[0].document, allow_nan=False))
    assert check_document(document, PARITY) == checked[0].document


def test_the_document_names_no_folder_and_no_machine(checked, folder: Path) -> None:
    text = json.dumps(checked[0].document)
    for secret in (str(folder), str(folder.parent), str(Path.home()) + "/", socket.gethostname()):
        assert secret not in text


def test_the_stages_are_the_reference_and_then_each_model(checked) -> None:
    names = [row["model"]["name"] for row in checked[0].document["models"]]
    assert checked[1] == ["reference", *names]


def test_the_pictures_belong_to_the_cases_and_show_both_sides(checked) -> None:
    document, pictures = checked[0].document, checked[0].pictures
    judged = [row for row in document["models"] if row["cases"]]
    assert len(pictures) == sum(len(row["cases"]) for row in judged)
    for picture in pictures:
        case = document["models"][picture.model]["cases"][picture.case]
        assert "{}x{}".format(*picture.hole.shape) == case["size"]
        assert (picture.output[~picture.hole] == picture.image[~picture.hole]).all()
        assert (picture.reference[~picture.hole] == picture.image[~picture.hole]).all()
        assert picture.difference.dtype == np.float32
        assert picture.difference.max() == pytest.approx(case["max_abs_diff"], rel=0.01, abs=1e-9)
        assert not picture.difference[~picture.hole].any()


def test_a_model_of_another_checkpoint_fails_with_a_hint(checked) -> None:
    row = _row(checked[0], "foreign")
    assert not row["passed"]
    assert row["worst"]["max_abs_diff"] > row["tolerance"]
    assert "the reference is c318548482c8…: is it the right one?" in row["error"]
    assert row["first_difference"]["tensor"].startswith("stem.")


def test_a_checkpoint_is_judged_against_an_onnx_model(folder: Path, golden_folder: Path) -> None:
    job = ParityCheck((str(golden_folder),), reference=str(folder / "float.onnx"))
    (row,) = check_parity(job).document["models"]
    assert row["passed"]
    assert row["runtime"].startswith("torch")
    assert [case["size"] for case in row["cases"]] == ["64x72"]


def test_figures_against_numpy_and_against_torch_are_the_same(
    exported: Callable[..., Path], folder: Path, golden_folder: Path
) -> None:
    reduced = (exported("fourier", SIZE, precision=each) for each in ("w8", "int8"))
    models = [*reduced, folder / "float.onnx", folder / "altered.onnx"]
    by_default, *both = (
        check_parity(ParityCheck(tuple(map(str, models)), str(golden_folder), *runtime)).document
        for runtime in ((), ("numpy",), ("torch",))
    )
    assert by_default["reference"]["runtime"] == both[0]["reference"]["runtime"]
    assert [each["reference"]["runtime"].split()[0] for each in both] == ["numpy", "torch"]
    rows = list(zip(*(each["models"] for each in both), strict=True))
    assert [ours["passed"] for ours, _ in rows] == [True, True, True, False]
    for ours, theirs in rows:
        assert (ours["passed"], ours["error"]) == (theirs["passed"], theirs["error"])
        for case, other in zip(ours["cases"], theirs["cases"], strict=True):
            assert case["max_abs_diff"] == pytest.approx(other["max_abs_diff"], abs=1e-5)
            if case["psnr_db"] < 80:
                assert case["psnr_db"] == pytest.approx(other["psnr_db"], abs=0.1)


@pytest.mark.parametrize(
    ("reference", "runtime", "problem"),
    [
        ("float.onnx", "numpy", "numpy' is for checkpoints, and '.*float.onnx' is none"),
        ("golden", "emulator", "'emulator' runs no checkpoints; choose one of: "),
    ],
)
def test_a_runtime_that_cannot_run_the_reference_is_refused(
    folder: Path, golden_folder: Path, reference: str, runtime: str, problem: str
) -> None:
    path = golden_folder if reference == "golden" else folder / reference
    job = ParityCheck((str(folder / "float.onnx"),), str(path), runtime)
    with pytest.raises(UsageError, match=problem):
        check_parity(job)


def test_a_reference_that_fails_ends_the_check(folder: Path) -> None:
    garbage = str(folder / "garbage.onnx")
    with pytest.raises(ModelError, match=r"the reference .*garbage\.onnx failed: ONNX Runtime"):
        check_parity(ParityCheck((str(folder / "float.onnx"),), reference=garbage))


def test_models_of_an_unknown_checkpoint_need_a_reference_named(folder: Path) -> None:
    with pytest.raises(UsageError, match="name it as reference"):
        check_parity(ParityCheck((str(folder / "float.onnx"),)))


def test_without_a_reference_a_refused_model_says_why(folder: Path) -> None:
    with pytest.raises(ModelError, match="ONNX Runtime cannot open"):
        check_parity(ParityCheck((str(folder / "garbage.onnx"),)))


def test_a_process_that_takes_too_long_is_stopped(folder: Path) -> None:
    with pytest.raises(CrashError, match=r"within 0\.01 s"):
        check_parity(ParityCheck((str(folder / "float.onnx"),), timeout_s=0.01))


def test_bad_options_are_refused_before_any_work(folder: Path, tmp_path: Path) -> None:
    models = (str(folder / "float.onnx"),)
    with pytest.raises(UsageError, match="no model"):
        check_parity(ParityCheck(()))
    with pytest.raises(UsageError, match="as images"):
        check_parity(ParityCheck(models, masks=tmp_path))
    with pytest.raises(UsageError, match="holds no picture"):
        check_parity(ParityCheck(models, images=tmp_path))
