"""The page of docs/how-to/web.md, as it stands there."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from chromium import chromium, ort_web, served
from numpy.typing import NDArray
from PIL import Image
from places import ROOT
from web_library import compile_library

from lama_edge.imaging.masks import MaskRules
from lama_edge.runtimes.inpainting.inpainter import Inpainter

pytestmark = pytest.mark.browser

# A model is opened and run once, on processors that others use too.
PATIENCE_MS = 120_000
READ_CANVAS = """() => {
  const { width, height } = document.getElementById("result");
  const context = document.getElementById("result").getContext("2d");
  return [height, width, Array.from(context.getImageData(0, 0, width, height).data)];
}"""


def png(levels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "PNG")
    return file.getvalue()


def test_the_guides_page_erases_what_python_erases(
    exported: Callable[..., Path], tmp_path: Path
) -> None:
    text = (ROOT / "docs/how-to/web.md").read_text(encoding="utf-8")
    found = re.search(r"```html\n(.*?)```", text, re.DOTALL)
    assert found is not None
    compile_library(tmp_path)
    photo = np.random.default_rng(0).integers(0, 256, (72, 90, 3), np.uint8)
    mask = np.zeros((72, 90), np.uint8)
    mask[20:44, 30:58] = 255
    model = exported(None)
    files = {
        "/": found[1].encode(),
        "/lama.onnx": model,
        "/photo.jpg": png(photo),
        "/mask.png": png(mask),
        "/node_modules/lama-edge/dist": tmp_path,
        "/node_modules/onnxruntime-web/dist": ort_web(),
    }
    said: list[str] = []
    with served(files) as address, chromium() as browser:
        page = browser.new_page()
        page.on("console", lambda message: said.append(message.text))
        with page.expect_console_message(
            lambda message: "run(s) on" in message.text, timeout=PATIENCE_MS
        ):
            page.goto(address)
        height, width, levels = page.evaluate(READ_CANVAS)
    assert "full in 1 run(s) on wasm" in said
    # There is no adapter here.
    assert any(line.startswith("WebGPU is not used: ") for line in said)
    erased = np.array(levels, np.uint8).reshape(height, width, 4)
    with Inpainter.open(model, mask_rules=MaskRules(grow=3)) as inpainter:
        expected = np.asarray(inpainter(photo, mask))
    assert (expected != photo).any()
    assert (erased[..., 3] == 255).all()
    assert np.abs(erased[..., :3].astype(int) - expected).max() <= 1
