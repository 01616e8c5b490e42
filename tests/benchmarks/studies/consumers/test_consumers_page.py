"""The matrix in the documentation: what it says of a result, and that it is the committed one."""

from __future__ import annotations

from typing import Any

from places import ROOT

from lama_edge.benchmarks.studies.consumers.page import PAGE, tables
from lama_edge.benchmarks.studies.consumers.run import load_rows

RESULT, DOCUMENT = ROOT / "benchmarks/results/consumers.jsonl", ROOT / "docs/reference/consumers.md"
# What `--for any` promises of fp32 files of one size.
PROMISED = ("onnxruntime", "openvino", "opencv4", "opencv5", "mnn", "onnx2tf", "onnxruntime-web")


def row(**changes: Any) -> dict[str, Any]:
    about: dict[str, Any] = {
        "consumer": "opencv4", "model": "fourier", "size": "fixed", "io": "float",
        "precision": "fp32", "purpose": "any", "outcome": "right", "max_abs_diff": 2e-6,
        "psnr_db": 130.0, "onnxruntime_db": 135.0, "note": "", "versions": ["opencv==4.14.0"],
    }  # fmt: skip
    return about | changes


def test_the_page_holds_the_committed_figures() -> None:
    rows = load_rows(RESULT)
    page = DOCUMENT.read_text(encoding="utf-8")
    assert PAGE.updated(page, rows) == page
    assert PAGE.main(["--check", "--results", str(RESULT), "--page", str(DOCUMENT)]) == 0


def test_what_is_promised_of_the_default_is_what_was_measured() -> None:
    first = {"size": "fixed", "precision": "fp32", "purpose": "any"}
    rows = [one for one in load_rows(RESULT) if first.items() <= one.items()]
    for name in PROMISED:
        its = [one for one in rows if one["consumer"] == name]
        assert len(its) == 10
        assert {one["outcome"] for one in its} == {"right"}


def test_the_worst_of_the_nets_stands_in_a_cell() -> None:
    text = tables([row(), row(model="wide", max_abs_diff=4.4e-5)])
    assert "| OpenCV 4 | 4.14.0 | 4e-5 | – |" in text
    levels = tables([row(io="uint8", max_abs_diff=1.0)])
    assert "| OpenCV 4 | 4.14.0 | – | 1 level |" in levels


def test_what_fails_has_its_reason_below() -> None:
    text = tables(
        [
            row(),
            row(model="wide", outcome="refused", max_abs_diff=None, note="no `Scan`"),
            row(precision="int8", outcome="wrong", psnr_db=14.5, onnxruntime_db=42.7),
            row(precision="int8", io="uint8", outcome="crashed", psnr_db=None, note="died"),
        ]
    )
    assert "| 1 of 2 [1] |" in text
    assert "| no: **14.5 dB** [2], [3] |" in text
    assert "\n1. OpenCV 4: refused, `no 'Scan'`\n" in text
    assert "2. OpenCV 4: wrong without a word\n" in text
    assert "3. OpenCV 4: crashed, `died`\n" in text


def test_nodes_are_counted_of_one_net() -> None:
    note = "NNAPI 371/374, CoreML MLProgram 348/374"
    counted = row(consumer="onnxruntime-mobile", outcome="counted", note=note)
    text = tables([counted, counted | {"model": "lama-tiny"}])
    assert text.count("| fp32, one size, float | 371 of 374 | 348 of 374 |") == 1
