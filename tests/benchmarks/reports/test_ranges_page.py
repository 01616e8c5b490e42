"""The page of ranges: every figure and mark on it, whole, safe, and loading nothing."""

from __future__ import annotations

import copy
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from looking import View, looker

from lama_edge.benchmarks.documents.store import RANGES, DocumentError, check_document
from lama_edge.benchmarks.reports.charts.curves import curve, labelled, octaves, spread_places
from lama_edge.benchmarks.reports.ranges_page import ranges_page
from lama_edge.judging.ranges import BRANCHES, marks_of

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>.ckpt"
SIZES = ("64x64", "96x128")
MAX_PAGE_BYTES = 1_000_000

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
        return " ".join(" ".join(self.words).split()).replace("\u202f", " ")


def _row(layer: str, branch: str, role: str, largest: float) -> Document:
    return {
        "layer": layer, "branch": branch, "peak": f"{layer}.{role}", "op": "Conv",
        "largest": largest, "not_finite": 0, "marks": list(marks_of(largest)), "values": 1,
        "percentiles": {"50": largest / 50, "99": largest / 9, "99.9": largest / 5,
                        "99.99": largest / 2},
        "by_size": dict(zip(SIZES, (largest / 2, largest), strict=True)),
    }  # fmt: skip


@pytest.fixture
def document(bench_documents: list[Document]) -> Document:
    """Twenty blocks whose spectrum grows beyond the limits, one after the other."""
    rows = [_row("stem", "whole", "conv", 7.5), _row("dft", "matrices", "row_length", 64.0)]
    for block in range(20):
        layer = f"block{block:02d}.conv1"
        rows.append(_row(layer, "local", "local", 3.25 * (block + 1)))
        rows.append(_row(layer, "global", "global", 40.0))
        rows.append(_row(layer, "spectrum", "spectral.columns_re", 4000.0 * (block + 1)))
    model = {**bench_documents[0]["runs"][0]["model"], "name": "net.ckpt"}
    values = [
        {
            "name": row["peak"], "low": -row["largest"], "high": 0.5,
            **{key: row[key] for key in ("op", "layer", "branch", "largest", "percentiles")},
            **{key: row[key] for key in ("not_finite", "marks")},
            "by_size": dict(row["by_size"]),
        }
        for row in rows
    ]  # fmt: skip
    made = {
        "kind": RANGES, "schema_version": 1, "tool": "lama-edge 0.1.0",
        "environment": bench_documents[0]["environment"], "model": model,
        "pictures": [
            {"name": f"flat white, wide hole, {size}", "size": size, "hole_share": 0.31}
            for size in SIZES
        ],
        "sizes": list(SIZES),
        "limits": {"fp16_largest": 65504, "neural_engine_largest": 32752,
                   "fp16_least_normal": 2**-14},
        "layers": rows, "values": values,
    }  # fmt: skip
    return check_document(made, RANGES)


def _only_size(document: Document) -> Document:
    document["sizes"] = document["sizes"][:1]
    for row in (*document["layers"], *document["values"]):
        row["by_size"].popitem()
    return document


def test_the_page_says_what_leaves_fp16_and_where(document: Document) -> None:
    text = Page(ranges_page(document)).text
    assert "4 values of net.ckpt leave fp16’s range" in text  # 68, 72, 76 and 80 thousand
    assert "80 000 block19.conv1.spectral.columns_re spectrum branch of block19.conv1" in text
    assert "−0.3 octaves the largest magnitude is 1.22× 65 504" in text
    assert "4 over fp16, 8 over neural engine" in text


def test_a_model_within_the_limits_passes(document: Document) -> None:
    for key in ("layers", "values"):
        document[key] = [r for r in document[key] if r["branch"] in ("whole", "local")]
    text = Page(ranges_page(document)).text
    assert "net.ckpt stays within fp16’s range" in text
    assert "leave" not in text
    assert "+10.0 octaves 65 504 is 1 008× the largest magnitude" in text


def test_what_is_not_finite_comes_first(document: Document) -> None:
    for key in ("layers", "values"):
        row = document[key][0]
        row["not_finite"], row["marks"] = 12, ["not finite"]
    text = Page(ranges_page(document)).text
    assert text.index("Nearest to the limits") < text.index("stem.conv", text.index("Nearest"))
    assert "1 not finite, 4 over fp16" in text
    nearest = text[text.index("Nearest to the limits") :]
    assert nearest.index("stem") < nearest.index("block19")


def test_every_layer_and_branch_has_its_row_and_its_point(document: Document) -> None:
    page = Page(ranges_page(document))
    for row in document["layers"]:
        assert row["peak"] in page.text
    points = [tag for tag, attributes in page.tags if attributes.get("class") == "point"]
    drawn = sum(row["branch"] != "matrices" for row in document["layers"])
    growth, keys = 4 * len(SIZES), 2 * 4
    assert len(points) == drawn + growth + keys


def test_growth_is_told_where_there_are_several_sizes(document: Document) -> None:
    text = Page(ranges_page(document)).text
    assert "Growth with the picture’s size" in text
    assert "spectral transform 40 000 80 000 2.00×" in text
    assert "Growth" not in Page(ranges_page(_only_size(document))).text


def test_a_hostile_name_does_nothing(document: Document) -> None:
    document["model"]["name"] = HOSTILE
    page = Page(ranges_page(document))
    assert not {"script", "img"} & {tag for tag, _ in page.tags}
    assert HOSTILE in page.text


def test_the_page_is_whole_small_and_refers_to_nothing(document: Document) -> None:
    html = ranges_page(document)
    page = Page(html)
    assert page.open == []
    assert len(html.encode()) < MAX_PAGE_BYTES
    for _, attributes in page.tags:
        assert not {"src", "href"} & set(attributes)
    assert not re.search(r"https?://|@import|url\(", html)


def test_another_document_is_refused(bench_documents: list[Document]) -> None:
    with pytest.raises(DocumentError, match=r"no lama_edge\.ranges document"):
        ranges_page(bench_documents[0])


def test_an_octave_is_as_high_anywhere_on_the_axis() -> None:
    axis = octaves([0.3, 70_000.0])
    assert (axis.low, axis.high) == (-2, 17)
    steps = [axis.position(2.0**k) - axis.position(2.0 ** (k + 1)) for k in range(-2, 17)]
    assert steps == pytest.approx([axis.height / 19] * 19, abs=0.2)
    assert axis.position(0.0) == axis.position(1e-9) == axis.height
    assert axis.position(1e9) == 0
    assert [text for _, text in axis.rows][:3] == ["2⁰", "2³", "2⁶"]


def test_a_line_pauses_where_its_series_does() -> None:
    places = spread_places(20)
    own = [*places[:4], *places[12:16]]
    drawn = curve("whole", own, [1.0] * 8, [""] * 8, octaves([1.0, 2.0]))
    assert len(drawn.points) == 8
    assert len(drawn.lines) == 6


def test_labels_keep_their_distance() -> None:
    shown = labelled({f"block{n:02d}": 2.5 * n for n in range(40)})
    positions = [place for place, _, _ in shown]
    assert min(b - a for a, b in pairwise(positions)) >= 7
    assert shown[0] == (0.0, "block00", "")
    assert shown[-1][2] == "end"


def test_every_branch_but_the_matrices_has_a_marker() -> None:
    for branch in set(BRANCHES) - {"matrices"}:
        assert curve(branch, [50.0], [1.0], ["x"], octaves([1.0])).marker


@pytest.mark.browser
def test_a_browser_asks_for_nothing_and_never_scrolls_sideways(
    document: Document, tmp_path: Path
) -> None:
    long = copy.deepcopy(document)
    long["model"]["name"] = "an-unusually-long-name-of-a-checkpoint-" * 4
    path = tmp_path / "ranges.html"
    path.write_text(ranges_page(long), encoding="utf-8")
    with looker() as browser:
        for width, height in ((360, 780), (768, 1024), (1280, 900)):
            assert browser.open(path, View(width, height)) == []
            assert browser.evaluate("document.documentElement.scrollWidth") <= width
