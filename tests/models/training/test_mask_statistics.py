"""Area and width of a hole: the distance to the nearest known pixel, whatever the hole is."""

from __future__ import annotations

import numpy as np
import pytest

from lama_edge.errors import UsageError
from lama_edge.models.training.data.mask_statistics import (
    KINDS,
    hole_width_px,
    kind_statistics,
    main,
)
from lama_edge.pictures.masks import NARROW, WIDE

pytest.importorskip("cv2")


def mask_with(rows, columns, *, value=255, size=(12, 16)):
    mask = np.zeros(size, dtype=np.uint8)
    mask[rows, columns] = value
    return mask


def test_the_width_is_the_mean_distance_to_the_nearest_known_pixel():
    assert hole_width_px(mask_with(5, 5)) == 1
    # Eight pixels at distance 1 round one at distance 2.
    assert hole_width_px(mask_with(slice(3, 6), slice(3, 6))) == pytest.approx(10 / 9)


def test_distances_are_euclidean_and_not_estimated():
    mask = np.full((11, 11), 255, dtype=np.uint8)
    mask[5, 5] = 0
    y, x = np.mgrid[-5:6, -5:6]
    distance = np.hypot(y, x)
    assert hole_width_px(mask) == pytest.approx(distance.sum() / (11 * 11 - 1), rel=1e-6)


def test_the_border_of_the_picture_is_not_known():
    assert hole_width_px(mask_with(slice(None), slice(0, 4))) == pytest.approx(2.5)


def test_any_value_above_zero_is_hole():
    marks = slice(0, 6), slice(None)
    assert hole_width_px(mask_with(*marks, value=1)) == hole_width_px(mask_with(*marks))


def test_a_picture_without_a_hole_has_width_zero_and_one_without_a_known_pixel_has_none():
    assert hole_width_px(np.zeros((8, 8), np.uint8)) == 0
    assert hole_width_px(np.full((8, 8), 255, np.uint8)) is None


def test_wide_and_narrow_masks_differ_in_width_and_hardly_in_area():
    wide, narrow = (kind_statistics(style, 64, 100) for style in (WIDE, NARROW))
    assert wide.width_px.mean > 3 * narrow.width_px.mean
    assert wide.area_share.mean == pytest.approx(narrow.area_share.mean, abs=0.15)
    for spread in (wide.width_px, wide.area_share):
        assert spread.low < spread.median < spread.high


def test_statistics_are_the_same_in_every_run():
    assert kind_statistics(None, 32, 10) == kind_statistics(None, 32, 10)


def test_nothing_to_measure_is_refused():
    with pytest.raises(UsageError, match="count 0"):
        kind_statistics(WIDE, 64, 0)


def test_the_command_prints_every_kind(capsys):
    assert main(["--size", "32", "--count", "5"]) == 0
    table = capsys.readouterr().out
    assert all(name in table for name in KINDS)
    assert main(["--size", "0"]) == 2
    assert "size 0" in capsys.readouterr().err
