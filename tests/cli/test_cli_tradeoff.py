"""`lama-edge tradeoff`: what it prints, writes, and with which code it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from same_process import without_processes

from lama_edge import cli
from lama_edge.benchmarks.documents.store import TRADEOFF, check_document
from lama_edge.judging.tolerances import Tolerance
from lama_edge.runtimes.emulator.record import EMULATOR

SMALL = ("--size", "64x72", "--no-speed")


def _run(*arguments: object) -> int:
    return cli.main([str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    without_processes(monkeypatch)


def test_the_table_and_the_verdict_are_printed_and_both_files_written(
    golden_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, report = tmp_path / "r.json", tmp_path / "r.html"
    words = ("tradeoff", golden_folder, *SMALL, "--precision", "fp16")
    assert _run(*words, "--json-out", out, "--report", report) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    head = "fourier at 64x72, exported --for cpu, against fp32, inside the holes of "
    assert lines[0].startswith(head)
    assert lines[2].startswith("fp32 reference ")
    assert lines[3].startswith("fp16 passed ")
    assert lines[4].startswith("Take fp16 for its size, ")
    assert "Nothing was timed." in lines
    document = check_document(json.loads(out.read_text()), TRADEOFF)
    assert [row["precision"] for row in document["precisions"]] == ["fp32", "fp16"]
    assert report.read_text().startswith("<!doctype html>")


def test_out_of_tolerance_ends_with_1_and_is_told(
    golden_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EMULATOR.tolerances, "fp16", Tolerance(5e-2, psnr_db=90))
    assert _run("tradeoff", golden_folder, *SMALL, "--precision", "fp16") == 1
    printed = capsys.readouterr().out
    assert "fp16  FAILED" in printed
    assert "dB of at least 90 dB." in printed


def test_a_failed_precision_ends_with_2_after_all_is_written(
    golden_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    out = tmp_path / "r.json"
    words = ("tradeoff", golden_folder, *SMALL, "--precision", "fp16", "--json-out", out)
    assert _run(*words, "--json", "--calibrate", tmp_path) == 2
    captured = capsys.readouterr()
    document = json.loads(out.read_text())
    assert json.loads(captured.out) == document
    assert document["precisions"][1]["closeness"] is None
    (line,) = captured.err.splitlines()
    assert line.startswith("lama-edge: error: fp16 failed: ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--size", "dynamic"], "give --size 512 or 512x768, not dynamic"),
        (["--size", "65", "--no-speed"], "multiples of 8"),
        (["--masks", "{tmp}"], "name the folder of pictures as --images"),
        (["--images", "{tmp}"], "no picture"),
        (["--calibrate", "{tmp}/none"], "is no folder"),
        (["--rounds", "0"], "rounds is 0"),
        (["--report", "{tmp}/none/r.html"], "does not exist: create it first"),
    ],
)
def test_what_cannot_be_weighed_is_refused_in_one_line(
    words: list[str],
    message: str,
    golden_folder: Path,
    unchanged_folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = [word.replace("{tmp}", str(unchanged_folder)) for word in words]
    assert _run("tradeoff", golden_folder, *told) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert message in line
