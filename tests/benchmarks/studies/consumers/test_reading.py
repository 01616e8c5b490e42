"""How a consumer's process is driven, and how what it gives is judged."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lama_edge.benchmarks.studies.consumers import read
from lama_edge.benchmarks.studies.consumers.cells import ModelFile
from lama_edge.benchmarks.studies.consumers.consumers import CONSUMERS, Consumer, chosen
from lama_edge.benchmarks.studies.consumers.environments import install, installed
from lama_edge.benchmarks.studies.consumers.prepare import Prepared
from lama_edge.benchmarks.studies.consumers.read import Reading, judge, read_files
from lama_edge.benchmarks.studies.consumers.run import load_rows
from lama_edge.errors import UsageError
from lama_edge.judging.cases import ParityCase

READER = """
import os, time
def read(model, feeds, folder, variant):
    if "crash" in model.name:
        os.abort()
    if "slow" in model.name:
        time.sleep(30)
    if "bad" in model.name:
        raise ValueError("no such layer")
    return feeds["image"] + 1, variant
"""
FILE = ModelFile("lama-tiny", "fixed", "float", "fp32")


@pytest.fixture
def consumer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Consumer:
    """One whose reader adds 1, or does what the file's name says."""
    driver = tmp_path / "readers" / "drive.py"
    driver.parent.mkdir()
    shutil.copy(read._DRIVER, driver)
    driver.with_name("adds.py").write_text(READER, encoding="utf-8")
    monkeypatch.setattr(read, "_DRIVER", driver)
    return replace(CONSUMERS[0], reader="adds", variant="as asked", timeout_s=1)


def prepared(folder: Path, name: str = "model") -> Prepared:
    """A file of which nothing but the name matters, with the picture in its upper half known."""
    image = np.zeros((4, 4, 3), np.uint8)
    hole = np.zeros((4, 4), bool)
    hole[2:] = True
    inputs = folder / "inputs.npz"
    np.savez(inputs, image=np.zeros((1, 3, 4, 4), np.float32))
    plain = np.zeros((1, 3, 4, 4), np.float32)
    reference = np.full((4, 4, 3), 1e-3, np.float32)
    return Prepared(folder / name, inputs, ParityCase(image, hole), reference, plain)


def test_a_file_that_kills_the_process_costs_no_other_its_result(
    consumer: Consumer, tmp_path: Path
) -> None:
    names = ("one", "crash", "two", "bad", "three")
    files = [prepared(tmp_path, name) for name in names]
    readings = read_files(consumer, Path(sys.executable), files, tmp_path)
    assert [reading.outcome for reading in readings] == [None, "crashed", None, "refused", None]
    assert readings[1].note == "its process died of SIGABRT"
    assert readings[3].note == "no such layer"
    for index in (0, 2, 4):
        output = readings[index].output
        assert output is not None
        assert (output == 1).all()
        assert readings[index].note == "as asked"


def test_a_consumer_that_takes_too_long_is_stopped(consumer: Consumer, tmp_path: Path) -> None:
    (reading,) = read_files(
        replace(consumer, timeout_s=0.5),
        Path(sys.executable),
        [prepared(tmp_path, "slow")],
        tmp_path,
    )
    assert (reading.outcome, reading.note) == ("late", "not done after 0.5 s")


@pytest.mark.parametrize(
    ("off", "precision", "outcome"),
    [
        (5e-5, "fp32", "right"),
        (2e-4, "fp32", "wrong"),
        (2e-4, "int8", "right"),
        (-0.1, "w8", "wrong"),
    ],
)
def test_fills_are_judged_by_their_precision(
    tmp_path: Path, off: float, precision: str, outcome: str
) -> None:
    one = prepared(tmp_path)
    output = one.plain.copy()
    output[..., 2:, :] += off
    file = replace(FILE, precision=precision)
    cell = judge(CONSUMERS[0], file, one, Reading(output))
    assert cell.outcome == outcome
    assert cell.max_abs_diff == pytest.approx(abs(off), rel=1e-3)
    assert cell.onnxruntime_db == 60.0


def test_a_known_pixel_that_changes_and_another_shape_are_wrong(tmp_path: Path) -> None:
    one = prepared(tmp_path)
    output = one.plain.copy()
    output[..., 0, 0] = 1e-6
    assert judge(CONSUMERS[0], FILE, one, Reading(output)).note == "known pixels are changed"
    turned = judge(CONSUMERS[0], FILE, one, Reading(one.plain.transpose(0, 2, 3, 1)))
    assert (turned.outcome, turned.note) == ("wrong", "the output's shape is [1, 4, 4, 3]")


def test_an_environment_is_made_once_for_its_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = []

    def run(command: list[str], environment: object) -> None:
        commands.append(command)
        (tmp_path / "opencv5").mkdir(exist_ok=True)

    monkeypatch.setattr("lama_edge.benchmarks.studies.consumers.environments._run", run)
    (consumer,) = chosen(("opencv5",))
    environment = consumer.environment
    assert installed(environment, tmp_path) is None
    python = install(environment, tmp_path)
    assert python == install(environment, tmp_path) == installed(environment, tmp_path)
    assert len(commands) == 2
    newer = replace(environment, packages=("opencv-python-headless==9.0",))
    assert installed(newer, tmp_path) is None


def test_unknown_names_and_foreign_results_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown consumer 'tvm'; known: onnxruntime,"):
        chosen(("tvm",))
    path = tmp_path / "result.jsonl"
    path.write_text('{"consumer": "onnxruntime"}\n', encoding="utf-8")
    with pytest.raises(UsageError, match="is no result of this study: 'model'"):
        load_rows(path)
