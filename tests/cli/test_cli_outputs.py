"""`--json-out` and `--report` never replace a model, whichever command they are given to."""

from __future__ import annotations

from pathlib import Path

import pytest

from lama_edge import cli


@pytest.mark.parametrize("command", ["parity", "bench", "tradeoff", "ranges"])
@pytest.mark.parametrize(
    ("flag", "end"),
    [("--json-out", "must end in .json"), ("--report", "must end in .html or .htm")],
)
def test_a_model_is_not_replaced_by_what_is_told_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, flag: str, end: str
) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(b"a model")
    assert cli.main([*command.split(), str(model), flag, str(model)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"lama-edge: error: {flag} {str(model)!r} {end}"
    assert model.read_bytes() == b"a model"
