"""Pages and a stand-in for ONNX Runtime Web, small enough to be made for each test."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from lama_edge.web.parts import ORT_FILES, OrtWeb, find_ort_web

SCRIPT = (
    "/*!\n * ONNX Runtime Web v1.30.0\n */\nexport const text = 'the same again';\n"
    + "// the same again\n" * 99
)


@pytest.fixture
def ort(tmp_path: Path) -> OrtWeb:
    folder = tmp_path / "ort"
    folder.mkdir()
    for name in ORT_FILES:
        (folder / name).write_text(SCRIPT)
        (folder / f"{name}.gz").write_bytes(gzip.compress(SCRIPT.encode()))
    (folder / "package.json").write_text("{}")
    return find_ort_web(folder)


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    folder = tmp_path / "pages"
    (folder / "bench/assets").mkdir(parents=True)
    (folder / "bench/index.html").write_text("<!doctype html><title>bench</title>")
    (folder / "bench/assets/main-Ab12_-9z.js").write_text("export {};")
    (folder / "bench/assets/values.bin").write_bytes(b"\0" * 16)
    (tmp_path / "secret.txt").write_text("secret")
    return folder
