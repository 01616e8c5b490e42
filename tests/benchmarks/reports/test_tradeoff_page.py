"""The page of a trade-off: every figure, pictures on one scale, whole, and loading nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from looking import View, looker

from lama_edge.benchmarks.documents.pictures import ShownPicture
from lama_edge.benchmarks.documents.store import TRADEOFF, DocumentError, check_document
from lama_edge.benchmarks.reports import figures
from lama_edge.benchmarks.reports.charts.scatter import HEIGHT_PX, Weighed, scatter
from lama_edge.benchmarks.reports.tradeoff_page import tradeoff_page

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>.ckpt"
MAX_PAGE_BYTES = 2_000_000
PRECISIONS = ("fp32", "fp16", "w8", "int8")

Document = dict[str, Any]


class Page(HTMLParser):
    """A page taken apart: its tags with their attributes, its text, and tags left open."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "img"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    @property
    def alts(self) -> list[str]:
        return [str(attributes["alt"]) for tag, attributes in self.tags if tag == "img"]


@pytest.fixture
def pictures() -> list[ShownPicture]:
    """Two pictures; int8 differs by up to 0.31 and fp16 by a hundredth of that."""
    shown = []
    for picture, role in ((1, "worst"), (3, "photograph")):
        rng = np.random.default_rng(picture)
        image = rng.integers(0, 256, (120, 200, 3), dtype=np.uint8)
        hole = np.zeros((120, 200), dtype=bool)
        hole[30:90, 120:190] = True
        apart = np.where(hole, rng.random(hole.shape) ** 2, 0).astype(np.float32)
        scales = {"fp32": 0.0, "fp16": 0.0031, "w8": 0.08, "int8": 0.31}
        shown.append(
            ShownPicture(
                picture, role, image, hole, dict.fromkeys(PRECISIONS, image),
                {name: scale * apart for name, scale in scales.items()},
            )
        )  # fmt: skip
    return shown


def test_the_document_of_these_tests_fits_its_schema(tradeoff_document: Document) -> None:
    assert check_document(tradeoff_document, TRADEOFF) is tradeoff_document


def test_a_row_without_figures_and_without_an_error_is_refused(
    tradeoff_document: Document,
) -> None:
    tradeoff_document["precisions"][2]["closeness"] = None
    with pytest.raises(DocumentError, match=r"precisions\[2\]"):
        check_document(tradeoff_document, TRADEOFF)


def test_the_verdict_comes_first_and_every_precision_has_its_figures(
    tradeoff_document: Document,
) -> None:
    text = Page(tradeoff_page(tradeoff_document)).text
    assert text.index("Take int8: 1.7× as fast as fp32") < text.index("The precisions")
    assert "3 drawn scenes and 2 photographs" in text
    for row in tradeoff_document["precisions"]:
        assert figures.file_size(row["size_bytes"]).replace("\u00a0", " ") in text
        assert figures.duration(row["latency"]["median_ms"]).replace("\u00a0", " ") in text
    assert "48.2 dB 28.2 dB 20 levels" in text
    assert "71.8 dB 51.8 dB under 1 level" in text
    assert "1.70× to 1.78×" in text
    assert "worst pixel in periodic scene 2, row 12, column 34 · run by emulator" in text
    assert "* fp16: this runtime computes fp16 in float32." in text


def test_a_failed_precision_has_a_row_with_its_error(
    tradeoff_document: Document, fail_precision: Callable[[Document, str, str], None]
) -> None:
    fail_precision(tradeoff_document, "w8", "the process was killed by SIGKILL")
    page = Page(tradeoff_page(tradeoff_document))
    assert page.text.count("the process was killed by SIGKILL") == 2  # the lead and the row
    failures = [a for tag, a in page.tags if tag == "td" and a.get("class") == "failure"]
    assert len(failures) == 1


def test_what_was_judged_and_not_timed_shows_both(tradeoff_document: Document) -> None:
    row = tradeoff_document["precisions"][2]
    row.update(latency=None, error="it could not be timed: out of memory")
    text = Page(tradeoff_page(tradeoff_document)).text
    assert "it could not be timed: out of memory" in text
    assert "48.2 dB" in text


def test_without_timing_nothing_is_said_of_speed(tradeoff_document: Document) -> None:
    tradeoff_document["timing"] = None
    for row in tradeoff_document["precisions"]:
        row["latency"] = None
    text = Page(tradeoff_page(tradeoff_document)).text
    assert "Nothing was timed." in text
    for word in ("Median", "How fast", "Fastest"):
        assert word not in text


def test_each_picture_shows_the_input_every_precision_and_its_difference(
    tradeoff_document: Document, pictures: list[ShownPicture]
) -> None:
    page = Page(tradeoff_page(tradeoff_document, pictures=pictures))
    for name in ("periodic scene 2", "astronaut"):
        alts = [alt for alt in page.alts if alt.startswith(f"{name}: ")]
        assert len(alts) == 2 + 2 * len(PRECISIONS) + 3
        assert sum("differs from fp32" in alt for alt in alts) == 3
        assert f"{name}: the input, the hole marked" in alts
    assert "astronaut a photograph" in page.text


def test_differences_have_one_scale_that_is_named(
    tradeoff_document: Document, pictures: list[ShownPicture]
) -> None:
    text = Page(tradeoff_page(tradeoff_document, pictures=pictures)).text
    # 99 % of int8's differences lie below 0.31: the next of 1, 2 and 5 is 0.5.
    assert "amplified ×2, one scale for all" in text
    captions = re.findall(r"difference (×\S+) \(≤ (\S+)\)", text)
    assert {factor for factor, _ in captions} == {"×2"}
    assert [largest for _, largest in captions[:3]] == ["3.1e-3", "0.08", "0.31"]


def test_fp32_alone_has_a_page(tradeoff_document: Document, pictures: list[ShownPicture]) -> None:
    del tradeoff_document["precisions"][1:]
    only = pictures[0]
    shown = ShownPicture(
        1, "first", only.image, only.hole, {"fp32": only.outputs["fp32"]},
        {"fp32": only.differences["fp32"]},
    )  # fmt: skip
    page = Page(tradeoff_page(tradeoff_document, pictures=[shown]))
    assert "There is only fp32" in page.text
    assert "amplified" not in page.text
    assert len(page.alts) == 4


def test_a_hostile_name_does_nothing(
    tradeoff_document: Document, pictures: list[ShownPicture]
) -> None:
    tradeoff_document["checkpoint"]["name"] = HOSTILE
    tradeoff_document["pictures"][1]["name"] = HOSTILE
    page = Page(tradeoff_page(tradeoff_document, pictures=pictures))
    assert "script" not in {tag for tag, _ in page.tags}
    assert all(str(a["src"]).startswith("data:") for tag, a in page.tags if tag == "img")
    assert page.text.count(HOSTILE) >= 2


def test_the_page_is_whole_small_and_refers_to_nothing(
    tradeoff_document: Document, pictures: list[ShownPicture]
) -> None:
    html = tradeoff_page(tradeoff_document, pictures=pictures)
    page = Page(html)
    assert page.open == []
    assert len(html.encode()) < MAX_PAGE_BYTES
    for _, attributes in page.tags:
        assert str(attributes.get("src", "data:")).startswith("data:")
        assert str(attributes.get("href", "#")).startswith("#")
    assert not re.search(r"https?://|@import|url\(", html)


def test_another_document_is_refused(bench_documents: list[Document]) -> None:
    with pytest.raises(DocumentError, match=r"no lama_edge\.tradeoff document"):
        tradeoff_page(bench_documents[0])


def _weighed(name: str, cost: float, psnr_db: float | None) -> Weighed:
    return Weighed(name, cost, psnr_db, "pass", False, name)


def test_closer_is_higher_and_cheaper_is_further_left() -> None:
    chart = scatter(
        "File size",
        [_weighed("a", 1e6, 40.0), _weighed("b", 2e6, 60.0), _weighed("c", 4e6, None)],
        figures.file_unit,
    )
    places = {dot.of.name: dot for dot in chart.dots}
    assert places["a"].x < places["b"].x < places["c"].x
    assert places["a"].y > places["b"].y > places["c"].y
    assert chart.rows[0][1] == "equal"
    assert {text for _, text in chart.rows[1:]} == {"30", "40", "50", "60"}


def test_labels_of_neighbours_keep_their_distance() -> None:
    crowd = [_weighed(f"p{n}", 1e6 + n, 50.0 + n / 10) for n in range(4)]
    dots = scatter("File size", crowd, figures.file_unit).dots
    heights = sorted(dot.label_y for dot in dots)
    assert min(high - low for low, high in pairwise(heights)) >= 17
    assert all(0 <= dot.y <= HEIGHT_PX for dot in dots)


@pytest.mark.browser
def test_a_browser_asks_for_nothing_and_never_scrolls_sideways(
    tradeoff_document: Document, pictures: list[ShownPicture], tmp_path: Path
) -> None:
    tradeoff_document["checkpoint"]["name"] = "an-unusually-long-name-of-a-checkpoint-" * 4
    tradeoff_document["pictures"][1]["name"] = "an-unusually-long-name-of-a-picture-" * 4
    path = tmp_path / "tradeoff.html"
    path.write_text(tradeoff_page(tradeoff_document, pictures=pictures), encoding="utf-8")
    with looker() as browser:
        for width, height in ((360, 780), (390, 844), (768, 1024), (1280, 900)):
            assert browser.open(path, View(width, height)) == []
            assert browser.evaluate("document.documentElement.scrollWidth") <= width
        loaded = "[...document.images].every(image => image.naturalWidth > 0)"
        assert browser.evaluate(f"document.images.length > 0 && {loaded}")
        browser.open(path, View(scheme="dark"))
        background = "getComputedStyle(document.body).backgroundColor"
        assert browser.evaluate(background) == "rgb(19, 21, 24)"
        assert browser.pdf().startswith(b"%PDF")
