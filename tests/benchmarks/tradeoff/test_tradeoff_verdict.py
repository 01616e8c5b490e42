"""What a trade-off advises, and which pictures it shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lama_edge.benchmarks.documents.tradeoff_verdict import choose_pictures, verdict_of

Document = dict[str, Any]


def _row(document: Document, precision: str) -> Document:
    (row,) = [row for row in document["precisions"] if row["precision"] == precision]
    return row


def _keep(document: Document, *precisions: str) -> None:
    document["precisions"] = [_row(document, precision) for precision in precisions]


def test_the_fastest_is_advised_where_it_is_about_as_small_as_any(
    tradeoff_document: Document,
) -> None:
    verdict = verdict_of(tradeoff_document)
    assert verdict.title == "Take int8: 1.7× as fast as fp32, in 28 % of its size"
    assert verdict.fastest is _row(tradeoff_document, "int8")
    assert verdict.smallest is _row(tradeoff_document, "w8")  # as small, and closer
    assert verdict.closest is _row(tradeoff_document, "fp16")


def test_speed_and_size_are_told_apart_where_they_are_different_precisions(
    tradeoff_document: Document,
) -> None:
    _row(tradeoff_document, "int8")["size_bytes"] *= 2
    title = verdict_of(tradeoff_document).title
    assert title == "int8 for speed (1.7×), w8 for size (29 %)"


def test_what_is_out_of_tolerance_is_not_advised_and_is_named(
    tradeoff_document: Document,
) -> None:
    found = _row(tradeoff_document, "int8")["closeness"]
    found.update(passed=False, max_abs_diff=0.62)
    found["worst_psnr"]["psnr_db"] = 31.5
    verdict = verdict_of(tradeoff_document)
    assert (
        verdict.title == "Take w8 for its size, 29 % of fp32’s; nothing was faster than fp32 here"
    )
    assert (
        "int8 is out of tolerance: the largest difference is 6.20e-01, the tolerance is 0.5 and "
        "the worst picture has 31.5 dB of at least 34 dB." in verdict.sentences
    )


def test_fp16_that_could_not_be_timed_is_not_called_slow(tradeoff_document: Document) -> None:
    _keep(tradeoff_document, "fp32", "fp16")
    assert verdict_of(tradeoff_document).title == "Take fp16 for its size, 51 % of fp32’s"


def test_a_speed_whose_interval_reaches_1_is_no_speed(tradeoff_document: Document) -> None:
    _row(tradeoff_document, "int8")["latency"]["speed"]["low"] = 0.99
    assert verdict_of(tradeoff_document).fastest is None


def test_a_runtime_that_does_not_compute_in_a_precision_makes_it_no_faster(
    tradeoff_document: Document,
) -> None:
    _row(tradeoff_document, "fp16")["latency"]["speed"].update(ratio=3.0, low=2.9, high=3.1)
    assert verdict_of(tradeoff_document).fastest is _row(tradeoff_document, "int8")
    _row(tradeoff_document, "fp16")["latency"]["note"] = None
    assert verdict_of(tradeoff_document).fastest is _row(tradeoff_document, "fp16")


def test_fp32_is_advised_where_nothing_passes(tradeoff_document: Document) -> None:
    for row in tradeoff_document["precisions"][1:]:
        row["closeness"]["passed"] = False
    verdict = verdict_of(tradeoff_document)
    assert verdict.title == "Stay with fp32: nothing else is within its tolerance"
    assert (verdict.fastest, verdict.smallest, verdict.closest) == (None, None, None)


def test_a_failed_precision_is_named_with_its_error(
    tradeoff_document: Document, fail_precision: Callable[[Document, str, str], None]
) -> None:
    fail_precision(tradeoff_document, "w8", "the process was killed by SIGKILL")
    sentences = verdict_of(tradeoff_document).sentences
    assert "w8 has no figures: the process was killed by SIGKILL." in sentences


@pytest.mark.parametrize(("calibration", "warned"), [("judged", True), ("own", False)])
def test_ranges_measured_on_the_judged_pictures_are_warned_of(
    tradeoff_document: Document, calibration: str, warned: bool
) -> None:
    tradeoff_document["calibration"] = calibration
    sentences = verdict_of(tradeoff_document).sentences
    assert any("the very pictures that are judged" in one for one in sentences) == warned


def test_fp32_alone_has_nothing_to_be_weighed_against(tradeoff_document: Document) -> None:
    _keep(tradeoff_document, "fp32")
    assert verdict_of(tradeoff_document).title.startswith("There is only fp32")
    assert choose_pictures(tradeoff_document) == {0: "first"}


def test_the_pictures_shown_are_the_worst_the_median_and_a_photograph(
    tradeoff_document: Document,
) -> None:
    # int8 is the farthest; its pictures in order are 1, 3, 0, 4, 2, and 3 and 4 are photographs.
    expected = {1: "worst", 0: "median", 3: "photograph"}
    assert choose_pictures(tradeoff_document) == expected


def test_without_photographs_the_closest_is_shown(tradeoff_document: Document) -> None:
    for picture in tradeoff_document["pictures"]:
        picture["kind"] = "own"
    expected = {1: "worst", 0: "median", 2: "closest"}
    assert choose_pictures(tradeoff_document) == expected


def test_one_picture_is_shown_once(tradeoff_document: Document) -> None:
    del tradeoff_document["pictures"][1:]
    for row in tradeoff_document["precisions"]:
        del row["closeness"]["pictures"][1:]
    assert choose_pictures(tradeoff_document) == {0: "worst"}
