"""`lama-edge export coreml`: flags become a job, and the result is rendered."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from lama_edge.cli.export_coreml import add_export_coreml


def _run(*words: str) -> None:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true")
    parser = argparse.ArgumentParser()
    add_export_coreml(parser.add_subparsers(), common)
    options = parser.parse_args(["coreml", *words])
    options.command(options)


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
    _run(*words, "--force", "--no-parity", "--json", "--no-composite", "--io", "image")
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
