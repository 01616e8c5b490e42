"""Rows travel as JSON and come back the same; the options that results depend on are spelled."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest

from lama_edge.errors import UsageError, spelling_flags
from lama_edge.imaging.masks import MaskRules
from lama_edge.runtimes.batch.job import InpaintMany, options_text
from lama_edge.runtimes.batch.rows import Row, key_of, row_of
from lama_edge.runtimes.inpainting.files import InpaintOptions

ROW = Row(
    picture="a/b.jpg",
    mask="a/b.png",
    result="a/b.jpg",
    status="written",
    notes=("converted", "said"),
    width=640,
    height=480,
    hole_share=0.1,
    mask_channel="alpha",
    strategy="crop",
    reason="a small hole",
    windows=((64, 72), (128, 96)),
    seconds=1.25,
    worker="tcp://10.0.0.2:4711",
    attempts=1,
    picture_sha256="p",
    mask_sha256="m",
    model_sha256="o",
    options="{}",
    picture_bytes=5_000_000_000,
    version="1",
)


def test_a_row_travels_as_json() -> None:
    for row in (ROW, Row(picture="x.png", status="failed", error="no mask")):
        assert row_of(json.loads(json.dumps(row.to_dict()))) == row


def test_a_row_that_another_version_wrote_loses_what_nobody_knows() -> None:
    assert row_of({**ROW.to_dict(), "weather": "rain"}) == ROW


CHANGES: dict[str, Any] = {
    "strategy": "full",
    "max_side": 512,
    "tile": 256,
    "provider": "cpu",
    "strip_metadata": True,
    "mask_rules": MaskRules(grow=3),
    "picture_format": "png",
}
NO_CHANGES: dict[str, Any] = {"threads": 3, "max_pixels": 100, "recursive": True}


def test_every_option_either_changes_results_or_does_not() -> None:
    """A new one has to be put into one of the two lists, and into `options_text` or not."""
    assert {one.name for one in fields(InpaintOptions)} == {*CHANGES, *NO_CHANGES}
    plain = options_text(InpaintOptions())
    for name, value in CHANGES.items():
        assert options_text(InpaintOptions(**{name: value})) != plain, name
    for name, value in NO_CHANGES.items():
        assert options_text(InpaintOptions(**{name: value})) == plain, name


@pytest.mark.parametrize("field", ["channel", "grow", "invert"])
def test_every_rule_of_masks_changes_results(field: str) -> None:
    value = {"channel": "alpha", "grow": 1, "invert": True}[field]
    options = InpaintOptions(mask_rules=replace(MaskRules(), **{field: value}))
    assert options_text(options) != options_text(InpaintOptions())


def test_options_of_a_run_are_spelled_as_those_of_one_picture() -> None:
    job = InpaintMany("m.onnx", "in", "masks", "out", workers=3, resume=True, tile=256)
    assert options_text(job) == options_text(InpaintOptions(tile=256))


def test_names_that_are_no_utf_8_have_a_key() -> None:
    assert key_of("caf\udce9.jpg", "") == ("caf\\udce9.jpg", "")
    row = Row(picture="caf\udce9.jpg", status="failed")
    assert replace(row, picture=row.key[0]).key == row.key


@pytest.mark.parametrize("count", [0, -1])
@pytest.mark.parametrize("name", ["workers", "threads"])
def test_no_workers_and_no_threads_are_refused(name: str, count: int) -> None:
    options: dict[str, Any] = {name: count}
    with pytest.raises(UsageError, match=f"^{name} is {count}; give 1 or more$"):
        InpaintMany("m", "p", "k", "o", **options)


def test_workers_beside_a_cluster_are_refused() -> None:
    words: dict[str, Any] = {"workers": 2, "cluster": "tcp://h:1"}
    with pytest.raises(UsageError, match=r"^workers=2 does not go with cluster='tcp://h:1': "):
        InpaintMany("m", "p", "k", "o", **words)
    with spelling_flags(), pytest.raises(UsageError, match=r"^--workers 2 .* --cluster tcp://h:1:"):
        InpaintMany("m", "p", "k", "o", **words)
