"""`lama-edge export tensorrt` and `support --tensorrt`: from flags to what is printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("tensorrt_rtx")

from lama_edge.cli import main
from lama_edge.files import beside
from lama_edge.spec import Size

RTX = ("--flavor", "rtx", "--compute-capability", "8.6")


def test_a_checkpoint_becomes_an_engine_and_a_line_says_what_was_judged(
    golden_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.engine"
    words = ["export", "tensorrt", str(golden_folder), "-o", str(path), *RTX]
    assert main([*words, "--size", "64:72:96", "--precision", "fp32", "--no-parity"]) == 0
    wrote, parity, built = capsys.readouterr().out.splitlines()
    assert wrote.startswith(f"wrote {path} (")
    assert parity == "parity: not checked"
    assert built.startswith("built with TensorRT for RTX ")
    assert "for compute capability 8.6, fp32, sizes 64x64:72x72:96x96; judged: nothing" in built
    assert main([*words, "--size", "64"]) == 2
    assert "add --overwrite to replace it" in capsys.readouterr().err


def test_an_engine_is_inspected_without_a_gpu(
    golden_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.engine"
    words = ["export", "tensorrt", str(golden_folder), "-o", str(path), *RTX]
    assert main([*words, "--size", "64:72:96", "--precision", "fp32", "--no-parity"]) == 0
    capsys.readouterr()
    assert main(["inspect", str(path)]) == 0
    said = capsys.readouterr().out
    for fact in ("SM 8.6", "64x64:72x72:96x96", "TensorRT for RTX", "multiples of 8 from 64 to 96"):
        assert fact in said
    assert main(["inspect", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(beside(path).read_text())
    path.write_bytes(path.read_bytes()[:1000])
    assert main(["inspect", str(path)]) == 2
    assert "is cut short: it has 1000 of the" in capsys.readouterr().err


def test_every_option_reaches_the_engine(
    golden_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.engine"
    words = ["export", "tensorrt", str(golden_folder), "-o", str(path), *RTX, "--json"]
    chosen = ["--size", "64", "--size", "72x96", "--precision", "fp32", "--io", "uint8", "--tf32"]
    builder = ["--workspace", "512", "--compute-capability", "8.9"]
    assert main([*words, *chosen, *builder, "--no-composite", "--no-parity"]) == 0
    result = json.loads(capsys.readouterr().out)
    manifest, engine = result["manifest"], result["manifest"]["engine"]
    assert result["path"] == str(path)
    assert json.loads(beside(path).read_text()) == manifest
    assert manifest["precision"] == "tf32"
    assert manifest["io"]["form"] == "uint8"
    assert manifest["io"]["outputs"][0]["name"] == "predicted"
    assert engine["tf32"] is True
    assert engine["workspace_bytes"] == 512 << 20
    assert engine["compute_capabilities"] == ["8.6", "8.9"]
    assert [one["opt"] for one in engine["profiles"]] == [[64, 64], [72, 96]]


@pytest.mark.parametrize(
    ("words", "exit_code", "problem"),
    [
        (("--size", "dynamic"), 2, "give --size as MIN:OPT:MAX"),
        (("--size", "96:64:128"), 2, "does not rise"),
        (("--compute-capability", "8.7"), 2, "it knows 7.5"),
    ],
)
def test_what_cannot_be_is_one_line_and_an_exit_code(
    golden_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    exit_code: int,
    problem: str,
) -> None:
    path = str(tmp_path / "a.engine")
    command = ["export", "tensorrt", str(golden_folder), "-o", path, "--flavor", "rtx", *words]
    assert main(command) == exit_code
    (line,) = capsys.readouterr().err.splitlines()
    assert problem in line
    assert list(tmp_path.iterdir()) == []


def test_support_says_which_nodes_the_parser_takes(
    exported: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = exported("fourier", Size(64, 72)), exported("fourier", Size(64, 72), dft="op")
    assert main(["support", "--tensorrt", str(good), "--flavor", "rtx"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("TensorRT for RTX ")
    assert line.endswith(" nodes")
    assert " takes all " in line
    assert main(["support", "--tensorrt", str(bad), "--flavor", "rtx"]) == 0
    head, titles, first, *_ = capsys.readouterr().out.splitlines()
    assert " refuses 16 of " in head
    assert titles.split() == ["node", "operator", "why"]
    assert first.split()[:2] == ["block00.conv1.spectral.rows", "DFT"]
    assert main(["support", "--tensorrt", str(bad), "--json"]) == 0
    refused = json.loads(capsys.readouterr().out)["refused"]
    assert len(refused) == 16
    assert refused[0]["name"] == "block00.conv1.spectral.rows"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("a.engine", "--tensorrt"), "is about ONNX files"),
        (("a.onnx", "--tensorrt", "--provider", "cpu"), "--provider is not about --tensorrt"),
        (("a.onnx", "--flavor", "rtx"), "add --tensorrt"),
        (("a.onnx", "--tensorrt"), "cannot be read (No such file or directory)"),
    ],
)
def test_what_support_cannot_answer_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    problem: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["support", *words]) == 2
    assert problem in capsys.readouterr().err
