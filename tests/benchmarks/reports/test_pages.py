"""The pages: whole, safe, self-contained, and with every figure that matters."""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from old_documents import in_version_1, in_version_2

from lama_edge.benchmarks.documents.pictures import CasePictures, Picture
from lama_edge.benchmarks.documents.store import DocumentError
from lama_edge.benchmarks.reports.bench_page import bench_page
from lama_edge.benchmarks.reports.charts.sustained import sustained_chart
from lama_edge.benchmarks.reports.images import BUDGET_BYTES
from lama_edge.benchmarks.reports.parity_page import parity_page

MAX_PAGE_BYTES = 2_000_000
# WCAG 2.2, success criterion 1.4.3.
MIN_CONTRAST = 4.5
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>.onnx"
VOID = {"meta", "img", "br", "hr", "link", "input"}

Document = dict[str, Any]


class Page(HTMLParser):
    """A page taken apart: its text, and all tags with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.mismatched: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.mismatched.append(tag)

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split()).replace("\u202f", " ")

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(params=["bench", "parity"])
def html(
    request: pytest.FixtureRequest,
    bench_documents: list[Document],
    parity_document: Document,
    bench_pictures: list[Picture],
    case_pictures: list[CasePictures],
) -> str:
    if request.param == "bench":
        return bench_page(bench_documents, pictures=bench_pictures)
    return parity_page(parity_document, pictures=case_pictures)


def test_every_tag_is_closed_in_order(html: str) -> None:
    page = Page(html)
    assert not page.mismatched
    assert not page.open


def test_nothing_is_loaded_and_nothing_runs(html: str) -> None:
    page = Page(html)
    forbidden = {"script", "link", "iframe", "object", "embed", "form", "base", "video", "audio"}
    assert not forbidden & {tag for tag, _ in page.tags}
    assert not [a for _, a in page.tags if any(name.startswith("on") for name in a)]
    assert "http://" not in html
    assert "https://" not in html
    assert "@import" not in html
    assert "url(" not in html
    addresses = [a[key] for _, a in page.tags for key in ("src", "href", "srcset") if key in a]
    assert addresses
    assert all(str(address).startswith(("data:image/", "#")) for address in addresses)


def test_the_content_security_policy_allows_only_styles_and_embedded_pictures(html: str) -> None:
    policies = [m for m in Page(html).all("meta") if m.get("http-equiv")]
    assert [m["http-equiv"] for m in policies] == ["Content-Security-Policy"]
    rules = str(policies[0]["content"])
    assert rules.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")
    assert "script-src" not in rules


def test_pictures_and_drawings_are_described(html: str) -> None:
    page = Page(html)
    assert page.all("img")
    assert all(str(image["src"]).startswith("data:image/") for image in page.all("img"))
    assert all(image.get("alt") for image in page.all("img"))
    for drawing in page.all("svg"):
        assert drawing.get("aria-hidden") == "true" or (
            drawing.get("role") == "img" and drawing.get("aria-label")
        )


def test_language_title_and_headings_are_in_order(html: str) -> None:
    page = Page(html)
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("title")) == 1
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_table_headers_say_what_they_head(html: str) -> None:
    page = Page(html)
    assert page.all("th")
    assert all(header.get("scope") for header in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))


def test_rows_have_as_many_cells_as_their_table_has_columns(html: str) -> None:
    for table in re.findall(r"<table.*?</table>", html, re.DOTALL):
        if "rowspan" in table:
            continue
        widths = set()
        for row in re.findall(r"<tr.*?</tr>", table, re.DOTALL):
            cells = re.findall(r"<t[hd]\b[^>]*>", row)
            spans = (re.search(r'colspan="(\d+)"', cell) for cell in cells)
            widths.add(sum(1 if span is None else int(span[1]) for span in spans))
        assert len(widths) == 1


def test_links_lead_to_places_on_the_page(html: str) -> None:
    page = Page(html)
    names = [a["id"] for _, a in page.tags if "id" in a]
    assert len(names) == len(set(names))
    assert all(str(a["href"])[1:] in names for a in page.all("a"))


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(c * w for c, w in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_both_schemes(html: str, scheme: str) -> None:
    dark = html.index("@media screen and (prefers-color-scheme: dark)")
    rules = html[:dark] if scheme == "light" else html[dark:]
    block = rules[rules.index(":root {") :]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block[: block.index("}")]))
    pairs = [(ink, on) for ink in ("ink", "soft", "accent") for on in ("paper", "panel", "sunken")]
    for tone in ("pass", "fail", "warn"):
        pairs += [(tone, "paper"), (tone, "panel"), (tone, f"{tone}-wash"), ("ink", f"{tone}-wash")]
    for ink, on in pairs:
        light, shade = sorted((_luminance(colours[ink]), _luminance(colours[on])), reverse=True)
        assert (light + 0.05) / (shade + 0.05) >= MIN_CONTRAST, (ink, on)


def test_the_print_style_keeps_pictures_and_rows_whole(html: str) -> None:
    paper = html[html.index("@media print") : html.index("</style>")]
    assert "break-inside: avoid" in paper


def test_bench_shows_the_figures_of_every_run(bench_documents: list[Document]) -> None:
    text = Page(bench_page(bench_documents)).text
    for fact in (
        "Raspberry Pi 5 Model B", "AMD Ryzen 7 7840U", "lama-fourier.onnx", "fp16", "6.23 s",
        "62.1 ms", "1.50 GiB", "108 MB", "0.55×", "118.2 dB", "96.4 dB", "1.5e-6", "57.3 dB",
        "equal", "512×512", "256×256", "Cortex-A76", "Debian GNU/Linux 13, aarch64",
        "onnxruntime 1.31.1", "2026-11-22", "at least 200 ms and 3 runs",
        "at least 10 runs and 3.00 s", "2402 → 2394 MHz", "48 → 63 °C",
        "from the fastest sample to p90",
        # loading and first run; and of the run without a pause, its end over its begin
        "52.2 s", "13.0 s", "1.50×", "2400 → 1800 MHz, 41 → 78 °C, throttled", "Sustained",
        "1.7e-6", "117.4 dB", "lama-fourier in numpy 2.3.5",
        "CPUExecutionProvider ran every node of 8 runs", "python 0.1.0",
        "performance, clocks not pinned, 81 % Discharging",
    ):  # fmt: skip
        assert fact in text, fact


def test_a_phone_measured_by_its_browser_stands_beside_the_others(
    bench_documents: list[Document], page_document: Document
) -> None:
    text = Page(bench_page([*bench_documents, page_document])).text
    for fact in (
        "Latency on 3 devices", "Pixel 9", "Chrome 156.0.8078.5, isolated", "Android 16, arm64",
        "arm valhall, with shader-f16", "onnxruntime-web 1.30.0", "webgpu provider",
        "wasm provider", "target browser", "lama-edge-web 0.1.0",
    ):  # fmt: skip
        assert fact in text, fact


@pytest.mark.parametrize("shown", [False, True])
def test_a_run_whose_parity_failed_shows_no_times_or_struck_ones(
    bench_documents: list[Document], shown: bool
) -> None:
    document = bench_documents[0]
    run = document["runs"][0]
    run["parity"].update(max_abs_diff=0.21, passed=False)
    run["warnings"] = ["it computes something else than lama-fourier: 0.21"]
    html = bench_page([document], show_failed=shown)
    page = Page(html)
    assert not page.mismatched
    assert "1 run computed something else than the reference: its times mean nothing" in page.text
    assert "✗ failed" in page.text
    assert "it computes something else than lama-fourier: 0.21" in page.text
    median = f"{run['statistics']['median_ms'] / 1e3:.2f}\N{NO-BREAK SPACE}s"
    assert html.count(median) == html.count(f"<s>{median}</s>")
    assert (median in html) == ("<s>" in html) == shown
    # What is fastest, and what others are measured by, is of sound runs alone.
    assert "0.55×" not in page.text
    assert "Without a pause" not in page.text.replace("Then without a pause", "")
    assert "108 MB" in page.text


def test_a_page_of_two_protocols_says_what_not_to_compare(bench_documents: list[Document]) -> None:
    old = in_version_2(bench_documents[1])
    text = Page(bench_page([bench_documents[0], old])).text
    assert "In results of protocol 1 peak memory is that of the measuring process" in text
    assert "compare memory and loading within one protocol only" in text
    assert "protocol 1" not in Page(bench_page(bench_documents)).text


def test_a_device_that_cooled_says_how_long_and_to_what(bench_documents: list[Document]) -> None:
    document = bench_documents[0]
    document["settings"].update(max_temperature_c=35.0, cool_timeout_s=300.0)
    waits = [(12.0, 34.8, False), (300.0, 41.2, True)]
    for one, (seconds, at, late) in zip(document["runs"][0]["rounds"], waits, strict=False):
        one["waited"] = {
            "seconds": seconds, "temperature_c": at, "sensor": "battery", "timed_out": late,
        }  # fmt: skip
    text = Page(bench_page([document])).text
    for fact in (
        "until 35 °C, for at most 300 s", "12.0 s, 34.8 °C (battery)",
        "timed out, 300 s, 41.2 °C (battery)",
    ):  # fmt: skip
        assert fact in text, fact


def test_what_fell_back_to_the_processor_is_named(bench_documents: list[Document]) -> None:
    document = bench_documents[0]
    document["runs"][0]["placement"] = {
        "providers": {"CPUExecutionProvider": 3, "QNNExecutionProvider": 97},
        "fell_back": ["stem.pad (Pad)", "head (Resize)"],
    }
    text = Page(bench_page([document])).text
    assert "QNNExecutionProvider 97 nodes (97.0 %), CPUExecutionProvider 3 nodes (3.0 %)" in text
    assert "stem.pad (Pad), head (Resize)" in text
    assert "CPUExecutionProvider ran every node of 4 runs" in text


def test_bench_marks_warnings_and_failures_in_words(bench_documents: list[Document]) -> None:
    text = Page(bench_page(bench_documents)).text
    assert "⚠ warning the middle half of the samples" in text
    assert "✗ failed the process was killed by SIGKILL" in text
    assert "1 run failed and has no figures. 1 run carries a warning" in text


def test_bench_says_so_when_nothing_went_wrong(bench_documents: list[Document]) -> None:
    assert "none with a warning" in Page(bench_page(bench_documents[1:])).text


def test_ratios_are_to_the_first_run_of_the_same_device_and_size(
    bench_documents: list[Document],
) -> None:
    html = bench_page(bench_documents)
    ratios = re.findall(r'data-label="vs first">([^<]+)<', html)
    assert ratios == ["1.00×", "0.55×", "0.07×", "1.00×", "1.00×", "0.05×", "1.95×"]


def test_one_run_with_nothing_known_is_shown(bench_documents: list[Document]) -> None:
    document = bench_documents[0]
    run = document["runs"][0]
    run["rounds"] = run["rounds"][:1]
    run["rounds"][0].update(samples_ms=[0.2], other_load=None)
    blank = dict.fromkeys(run["rounds"][0]["sensors"]["before"])
    run["rounds"][0]["sensors"] = {"before": blank, "after": blank}
    run["statistics"].update(
        dict.fromkeys(("median_ms", "mean_ms", "min_ms", "max_ms", "p90_ms", "p99_ms"), 0.2),
        count=1, spread=0.0, sustained_ratio=None, first_load_ms=None, first_run_ms=None,
    )  # fmt: skip
    run["model"].update(dict.fromkeys(("precision", "io", "dft", "architecture", "sha256")))
    run.update(dict.fromkeys(("quality", "memory_bytes", "sustained", "placement", "parity")))
    document["runs"] = [run]
    page = Page(bench_page([document]))
    assert "200 µs" in page.text
    assert "None" not in page.text
    assert not page.mismatched


def _verdicts(document: Document) -> list[str]:
    html = bench_page([document])
    quality = html[html.index("<h2>Quality beside speed") :]
    cells = re.findall(r'data-label="Verdict">(.*?)</td>', quality)
    return [re.sub("<.*?>", "", cell).strip() for cell in cells]


@pytest.mark.parametrize(("passed", "shown"), [(True, "✓ pass"), (False, "✗ fail"), (None, "–")])
def test_the_verdict_shown_is_the_document_s(
    bench_documents: list[Document], passed: bool | None, shown: str
) -> None:
    document = bench_documents[0]
    document["runs"] = document["runs"][:1]
    document["runs"][0]["quality"].update(passed=passed)
    (verdict,) = _verdicts(document)
    assert verdict.startswith(shown)


def test_figures_of_version_1_have_no_verdict_where_their_psnr_may_have_failed(
    bench_documents: list[Document],
) -> None:
    whole, half, *_ = _verdicts(in_version_1(bench_documents[0]))
    assert whole.startswith("✓")
    assert half == "–"


def test_a_model_that_could_not_be_opened_is_a_row(bench_documents: list[Document]) -> None:
    document = bench_documents[0]
    run = document["runs"][3]
    run.update(size=None, runtime=None)
    document["runs"] = [run]
    text = Page(bench_page([document])).text
    assert "1 run failed" in text
    assert "None" not in text


def test_parity_puts_the_verdict_first(parity_document: Document) -> None:
    page = Page(parity_page(parity_document))
    assert "✗ 2 of 3 models failed against lama-fourier" in page.text
    parity_document["models"] = parity_document["models"][:1]
    assert "✓ The model matches lama-fourier" in Page(parity_page(parity_document)).text


def test_parity_shows_the_figures_of_every_model_and_case(parity_document: Document) -> None:
    text = Page(parity_page(parity_document)).text
    for fact in (
        "1.5e-6", "1e-4", "0.21 of 1e-4", "119.8 dB", "99.2 dB", "0.99998", "<0.01 %",
        "seeded 64x96", "seeded 136x88 worst", "chelsea.png 304×456",
        "31.0 %", "touched", "free",
        "model.34/conv , made by Conv: by up to 0.34, at [0, 2, 0, 41]. 512 tensors compared",
        "Error: the process was killed by SIGKILL", "torch 2.13.0 cpu", "ab" * 32,
    ):  # fmt: skip
        assert fact in text, fact


def test_parity_calls_equal_results_equal(parity_document: Document) -> None:
    row = parity_document["models"][0]
    same = {"max_abs_diff": 0.0, "mean_abs_diff": 0.0, "psnr_db": None, "snr_db": None}
    row.update(tolerance_needed=0.0)
    for figures in (row["worst"], *row["cases"]):
        figures.update(same)
    parity_document["models"] = [row]
    text = Page(parity_page(parity_document)).text
    assert text.count("equal") == 8


def test_differences_below_the_tolerance_are_amplified_and_the_tolerance_named(
    parity_document: Document, case_pictures: list[CasePictures]
) -> None:
    text = Page(parity_page(parity_document, pictures=case_pictures)).text
    assert "Differences amplified ×500 000." in text
    assert "below the tolerance of 1e-4, which is 50 times its top" in text
    assert "Differences amplified ×10 000. That scale ends at the tolerance of 1e-4" in text


def test_differences_near_the_tolerance_are_drawn_on_its_scale(
    parity_document: Document, case_pictures: list[CasePictures]
) -> None:
    picture = case_pictures[0]
    np.copyto(picture.difference, np.float32(0.9e-4), where=picture.hole)
    text = Page(parity_page(parity_document, pictures=[picture])).text
    assert "Differences amplified ×10 000. The scale ends at the tolerance of 1e-4." in text
    assert "red is above it" not in text


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_differences_that_are_not_finite_or_none_at_all_are_drawn(
    value: float, parity_document: Document, case_pictures: list[CasePictures]
) -> None:
    picture = case_pictures[0]
    np.copyto(picture.difference, np.float32(value), where=picture.hole)
    assert "Differences amplified" in parity_page(parity_document, pictures=[picture])


@pytest.mark.parametrize("name", [HOSTILE, "Łódź 修復 🖼.onnx", "a" * 300 + ".onnx"])
def test_names_are_shown_as_text_whatever_they_hold(
    name: str, bench_documents: list[Document], parity_document: Document
) -> None:
    bench_documents[0]["environment"]["device"] = name
    bench_documents[0]["runs"][0].update(warnings=[name], error=None)
    bench_documents[0]["runs"][3]["error"] = name
    for document in (*(d["runs"] for d in bench_documents), parity_document["models"]):
        for entry in document:
            entry["model"]["name"] = name
    parity_document["reference"]["name"] = name
    parity_document["models"][1]["cases"][0]["name"] = name
    parity_document["models"][1]["first_difference"]["tensor"] = name
    for html in (bench_page(bench_documents), parity_page(parity_document)):
        page = Page(html)
        assert not page.mismatched
        assert not {"script", "img"} & {tag for tag, _ in page.tags}
        assert name in "".join(page.words)


def test_latencies_from_microseconds_to_minutes_fit_one_page(
    bench_documents: list[Document],
) -> None:
    document = copy.deepcopy(bench_documents[1])
    for run, scale in zip(document["runs"], (1e-4, 1.0, 1e3), strict=True):
        for data in run["rounds"]:
            data["samples_ms"] = [sample * scale for sample in data["samples_ms"]]
        for key in ("median_ms", "min_ms", "max_ms", "p90_ms", "p99_ms", "mean_ms"):
            run["statistics"][key] *= scale
    text = Page(bench_page([bench_documents[0], document])).text
    assert "119 µs" in text
    assert "38.7 min" in text
    assert "Each device has a scale of its own" in text


def test_many_large_pictures_still_make_a_page_of_two_megabytes(
    bench_documents: list[Document],
) -> None:
    rng = np.random.default_rng(3)
    noise = rng.integers(0, 256, (700, 900, 3), dtype=np.uint8)
    hole = np.zeros((700, 900), dtype=bool)
    pictures = [Picture(0, noise, hole, noise) for _ in range(6)]
    html = bench_page(bench_documents, pictures=pictures)
    assert BUDGET_BYTES / 4 < len(html.encode()) < MAX_PAGE_BYTES


@pytest.mark.parametrize(
    ("page", "fixture"),
    [
        (lambda document: bench_page([document]), "parity_document"),
        (parity_page, "bench_documents"),
    ],
)
def test_a_document_of_another_kind_is_refused(
    page: Callable[[Document], str], fixture: str, request: pytest.FixtureRequest
) -> None:
    document = request.getfixturevalue(fixture)
    document = document[0] if isinstance(document, list) else document
    with pytest.raises(DocumentError, match="the document is no lama_edge"):
        page(document)


def test_a_stranger_s_sustained_run_is_drawn_though_nothing_in_it_fits() -> None:
    watched = [{"at_s": 0.0, "clock_mhz": None, "temperature_c": None, "throttled": None}] * 2
    for at_s, samples_ms in (([0.0, 0.0], [0.0, 0.0]), ([0.0, 1.0, 2.0], [5.0])):
        found = {"asked_s": 1.0, "at_s": at_s, "samples_ms": samples_ms, "watched": watched}
        assert "without a pause" in sustained_chart("t.onnx", found).description
