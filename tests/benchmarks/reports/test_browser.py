"""The pages in a browser: nothing wider than the screen, nothing asked of the network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from looking import View, looker

from lama_edge.benchmarks.documents.pictures import CasePictures, Picture
from lama_edge.benchmarks.reports.bench_page import bench_page
from lama_edge.benchmarks.reports.parity_page import parity_page

LONG = "an-unusually-long-name-of-an-exported-model-" * 4 + ".onnx"

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with looker() as browser:
        yield browser


@pytest.fixture
def pages(
    tmp_path: Path,
    bench_documents: list[dict[str, Any]],
    parity_document: dict[str, Any],
    bench_pictures: list[Picture],
    case_pictures: list[CasePictures],
) -> list[Path]:
    bench_documents[0]["runs"][0]["model"]["name"] = LONG
    parity_document["models"][0]["model"]["name"] = LONG
    texts = (
        bench_page(bench_documents, pictures=bench_pictures),
        parity_page(parity_document, pictures=case_pictures),
    )
    paths = [tmp_path / "bench.html", tmp_path / "parity.html"]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


@pytest.mark.parametrize(("width", "height"), [(360, 780), (390, 844), (768, 1024), (1280, 900)])
@pytest.mark.parametrize("index", [0, 1], ids=["bench", "parity"])
def test_no_page_scrolls_sideways_or_asks_for_anything(
    browser: Any, pages: list[Path], index: int, width: int, height: int
) -> None:
    requested = browser.open(pages[index], View(width, height))
    assert requested == []
    assert browser.evaluate("innerWidth") == width
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate("document.body.scrollWidth") <= width
    loaded = "[...document.images].every(image => image.naturalWidth > 0)"
    assert browser.evaluate(f"document.images.length > 0 && {loaded}")


@pytest.mark.parametrize("index", [0, 1], ids=["bench", "parity"])
def test_dark_is_dark_and_paper_is_not(browser: Any, pages: list[Path], index: int) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    browser.open(pages[index], View(scheme="dark"))
    assert browser.evaluate(background) == "rgb(19, 21, 24)"
    browser.open(pages[index], View(scheme="dark", media="print"))
    assert browser.evaluate(background) == "rgba(0, 0, 0, 0)"
    assert browser.evaluate("getComputedStyle(document.body).color") == "rgb(27, 30, 34)"
    assert browser.pdf().startswith(b"%PDF")
