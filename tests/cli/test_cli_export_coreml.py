"""`lama-edge export coreml`: flags become a job, and the result is rendered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lama_edge.cli import main


def _run(*words: str) -> None:
    assert main(["export", "coreml", *words]) == 0


def test_a_checkpoint_becomes_a_package(
    golden_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("coremltools")
    path = tmp_path / "a.mlpackage"
    words = [str(golden_folder), "-o", str(path), "--size", "64", "--precision", "fp32"]
    _run(*words)
    wrote, parity = capsys.readouterr().out.splitlines()
    assert wrote.startswith(f"wrote {path} (")
    assert parity.startswith("parity: max difference ")
    _run(*words, "--overwrite", "--no-parity", "--json", "--no-composite", "--io", "image")
    result = json.loads(capsys.readouterr().out)
    assert result["path"] == str(path)
    assert result["manifest"]["precision"] == "fp32"
    assert result["manifest"]["io"]["form"] == "image"
    assert result["manifest"]["io"]["outputs"][0]["name"] == "predicted"
    assert result["manifest"]["parity"] is None


@pytest.mark.parametrize(
    "words", [("--io", "uint8"), ("--precision", "int8"), ("--target", "iOS15")]
)
def test_what_a_package_cannot_be_is_refused_by_name(
    words: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        _run("-o", "a.mlpackage", *words)
    assert f"invalid choice: '{words[1]}'" in capsys.readouterr().err
