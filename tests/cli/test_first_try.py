"""`make demo`: what it leaves behind, and that the object is gone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from same_process import without_processes

from lama_edge.cli import first_try


def test_the_demo_erases_the_object_keeps_the_rest_and_can_run_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    without_processes(monkeypatch)
    assert first_try.main([str(tmp_path / "out")]) == 0
    capsys.readouterr()
    assert first_try.main([str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "$ lama-edge export onnx" in printed
    assert "parity: max difference" in printed
    assert "<html" in (tmp_path / "out" / "parity.html").read_text()
    assert printed.splitlines()[-1] == f"before, mask and after: {tmp_path / 'out' / 'demo.png'}"
    images = {
        name: np.asarray(Image.open(tmp_path / "out" / f"demo-{name}.png")).astype(int)
        for name in ("photo", "mask", "result")
    }
    hole = images["mask"] > 0
    assert np.array_equal(images["photo"][~hole], images["result"][~hole])
    # The crater is bright on one side and dark on the other; the plain round it is neither.
    assert images["result"][hole].std() < 0.25 * images["photo"][hole].std()
    manifest = json.loads((tmp_path / "out" / "lama-tiny.manifest.json").read_text())
    assert manifest["parity"]["max_abs_diff"] <= manifest["parity"]["tolerance"]
    sheet = Image.open(tmp_path / "out" / "demo.png")
    assert sheet.width > 3 * images["mask"].shape[1]
