"""The pictures that precisions are weighed on: cropped to the hole, never too many."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lama_edge.benchmarks.tradeoff import cases as tradeoff_cases
from lama_edge.benchmarks.tradeoff.cases import holdout_cases, own_cases
from lama_edge.pictures.holdout import holdout
from lama_edge.spec import Size


@pytest.mark.parametrize("size", [Size(64, 64), Size(40, 128), Size(128, 24), Size(16, 16)])
def test_every_picture_has_the_size_and_a_hole(size: Size) -> None:
    cases = holdout_cases(size)
    for one in cases:
        assert one.case.size == size
        assert one.case.image.shape == (size.height, size.width, 3)
        assert one.case.hole.any()
    assert len({one.case.name for one in cases}) == len(cases)


def test_squares_are_the_holdouts_own() -> None:
    cases = holdout_cases(Size(128, 128))
    for one, sample in zip(cases, holdout(128, 2), strict=False):
        assert (one.case.image == sample.truth).all()
        assert (one.case.hole == sample.hole).all()


def test_a_crop_keeps_most_of_the_hole() -> None:
    cropped = holdout_cases(Size(64, 128))[0].case.hole
    whole = holdout(128, 1)[0].hole
    rows = whole.sum(axis=1)
    assert cropped.sum() == max(rows[start : start + 64].sum() for start in range(65))


def test_without_scikit_image_there_are_scenes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    assert {one.kind for one in holdout_cases(Size(64, 64))} == {"scene"}


def test_large_sizes_get_fewer_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tradeoff_cases, "_MOST_PIXELS", 8 * 64 * 64)
    names = [one.case.name for one in holdout_cases(Size(64, 64))]
    assert len(names) == 8
    assert "periodic scene 4" in names
    assert "scene 2" in names
    assert len(holdout_cases(Size(128, 128))) == 4


def test_of_many_pictures_some_at_equal_distances_are_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(70):
        pixels = np.full((16, 16, 3), number, dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"p{number:02d}.png")
    cases = own_cases(tmp_path, None, Size(16, 16))
    levels = [int(one.case.image.max()) for one in cases]
    assert levels == list(range(0, 70, 3))
    assert {one.kind for one in cases} == {"own"}
    assert "weighed on 24 of 70 pictures" in caplog.text
