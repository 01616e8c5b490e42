"""ONNX Runtime keeps no number of users, and sends nothing, where the programs in C++ run it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from unseen import Home, home_that_onnxruntime_would_use

pytestmark = pytest.mark.cpp


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return home_that_onnxruntime_would_use(tmp_path)


def test_the_worker_leaves_nothing_in_the_users_home(
    worker: Path, home: Home, exported: Callable[..., Path], tmp_path: Path
) -> None:
    request = {"schema_version": 1, "task": "describe", "model": str(exported("fourier"))}
    file = tmp_path / "request.json"
    file.write_text(json.dumps({**request, "threads": 1, "providers": []}))
    home.run([worker, file])
    assert home.left() == []
    home.run([worker, file], ORT_DISABLE_TELEMETRY="0")
    assert home.left() != [], "a user who wants it sent was not heard"


@pytest.mark.parametrize("name", ["lama_edge_erase", "lama_edge_erase_c", "lama_edge_frames"])
def test_the_examples_leave_nothing_there_either(
    build: Callable[[str], Path],
    home: Home,
    exported: Callable[..., Path],
    tmp_path: Path,
    name: str,
) -> None:
    picture, mask = tmp_path / "picture.ppm", tmp_path / "mask.pgm"
    picture.write_bytes(b"P6\n64 64\n255\n" + bytes(64 * 64 * 3))
    mask.write_bytes(b"P5\n64 64\n255\n" + bytes(64 * 32) + b"\xff" * 64 + bytes(64 * 31))
    words = [picture, mask, tmp_path / "result.ppm"]
    if name == "lama_edge_frames":
        words = ["64", "64", "8", "8", "24", "24"]
    home.run([build("plain") / "examples" / name, exported("fourier"), *words])
    assert home.left() == []
