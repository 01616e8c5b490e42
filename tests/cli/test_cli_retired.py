"""Old spellings of options work, with one line of warning."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from places import DATA

from lama_edge.cli import main
from lama_edge.judging.tolerances import Tolerance

WRITTEN = DATA / "written-by-0.1.0"


def _warning(capsys: pytest.CaptureFixture[str]) -> str:
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("lama-edge: warning: ")
    assert line.endswith("; it works until release 1.0")
    return line


def test_force_replaces_what_is_there(
    golden_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.onnx"
    path.write_text("old")
    words = ["export", "onnx", str(golden_folder), "-o", str(path), "--size", "16", "--no-parity"]
    assert main([*words, "--force"]) == 0
    assert "--force is now --overwrite and --keep-failed" in _warning(capsys)
    assert path.read_bytes() != b"old"


@pytest.mark.parametrize(("value", "kernels"), [("direct", "direct"), ("winograd", "bands")])
def test_convolutions_choose_the_form_of_the_graph(
    golden_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    value: str,
    kernels: str,
) -> None:
    words = ["export", "onnx", str(golden_folder), "-o", str(tmp_path / "a.onnx"), "--no-parity"]
    assert main([*words, "--size", "16", "--convolutions", value, "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["manifest"]["format"].get("kernels", "direct") == kernels
    (line,) = said.err.splitlines()
    assert "--convolutions is now --for any (for direct) or --for cpu" in line


def test_an_old_spelling_takes_nothing_back_that_was_asked_for(
    golden_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["export", "onnx", str(golden_folder), "-o", str(tmp_path / "a.onnx"), "--no-parity"]
    assert main([*words, "--for", "gpu", "--convolutions", "auto"]) == 2
    assert "--for is gpu, and cpu by an old spelling" in capsys.readouterr().err


def test_out_names_the_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "r.json"
    words = ["bench", str(WRITTEN / "float.onnx"), "--size", "16", "--rounds", "1"]
    assert main([*words, "--min-seconds", "0", "--min-runs", "1", "--out", str(path)]) == 0
    assert "--out is now --json-out" in capsys.readouterr().err
    assert path.is_file()


def test_none_of_them_is_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["export", "onnx", "--help"])
    said = capsys.readouterr().out
    assert "--force" not in said
    assert "--convolutions" not in said
    assert "--overwrite" in said


def test_a_model_that_is_kept_although_it_failed_is_exit_code_1(
    golden_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lama_edge.pipeline.tolerance_of", lambda runtime, precision: Tolerance(0))
    path = tmp_path / "a.onnx"
    words = ["export", "onnx", str(golden_folder), "-o", str(path), "--size", "64"]
    assert main(words) == 1
    assert not path.exists()
    assert main([*words, "--keep-failed"]) == 1
    assert "out of tolerance" in capsys.readouterr().err
    assert path.is_file()
    assert main([*words, "--overwrite"]) == 1
    assert main([*words, "--force"]) == 1
