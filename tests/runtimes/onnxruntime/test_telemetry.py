"""ONNX Runtime sends nothing about users, and keeps no number of them, where lama-edge runs it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from places import ROOT
from unseen import Home, home_that_onnxruntime_would_use

CLI = (sys.executable, "-m", "lama_edge.cli")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return home_that_onnxruntime_would_use(tmp_path)


def test_inpainting_and_measuring_leave_nothing_in_the_users_home(
    home: Home, exported: Callable[..., Path], tmp_path: Path
) -> None:
    model = exported("fourier")
    picture, mask = np.zeros((2, 64, 64, 3), np.uint8)
    mask[20:40, 20:40] = 255
    files = tmp_path / "picture.png", tmp_path / "mask.png"
    for values, file in zip((picture, mask), files, strict=True):
        Image.fromarray(values).save(file)
    home.run([*CLI, "inpaint", model, *files, "-o", tmp_path / "result.png"])
    home.run([*CLI, "bench", model, "--rounds=1", "--min-runs=1", "--min-seconds=0"])
    assert home.left() == []


def test_who_compares_graphs_leaves_nothing_there_either(home: Home) -> None:
    home.run([sys.executable, "-c", "import lama_edge.benchmarks.parity.first_difference"])
    assert home.left() == []


def test_a_user_who_wants_it_sent_is_heard(home: Home) -> None:
    code = "import lama_edge.runtimes.onnxruntime.library"
    home.run([sys.executable, "-c", code], ORT_DISABLE_TELEMETRY="0")
    assert home.left() != []


def test_every_module_takes_onnxruntime_from_where_it_is_silenced() -> None:
    rooms = [ROOT / room for room in ("src", "models", "exporters", "runtimes", "benchmarks")]
    # Readers run where there is no lama-edge, by a program that sets the variable.
    allowed = ("runtimes/onnxruntime/library.py", "benchmarks/studies/consumers/readers/")
    found = [
        path.relative_to(ROOT).as_posix()
        for room in rooms
        for path in room.rglob("*.py")
        if re.search(r"^\s*(import|from) onnxruntime\b", path.read_text("utf-8"), re.MULTILINE)
    ]
    assert found
    assert [path for path in found if not path.startswith(allowed)] == []
