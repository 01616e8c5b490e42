"""Pictures as the pages carry them."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from lama_edge.benchmarks.reports import images
from lama_edge.benchmarks.reports.images import Amplified


def _decoded(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))


def test_a_small_picture_keeps_every_pixel() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    assert np.array_equal(np.asarray(_decoded(images.photo(picture)(640))), picture)


def test_a_large_picture_is_reduced_and_keeps_its_shape() -> None:
    picture = np.zeros((400, 1000, 3), dtype=np.uint8)
    assert _decoded(images.photo(picture)(500)).size == (500, 200)


def test_one_bad_pixel_survives_reducing() -> None:
    values, hole = np.zeros((900, 700), np.float32), np.ones((900, 700), dtype=bool)
    values[451, 333] = 0.5
    shown = _decoded(images.difference(values, hole, Amplified(1e-4, 0.5))(64)).convert("RGBA")
    assert shown.height <= 64
    colours = {tuple(pixel) for pixel in np.asarray(shown).reshape(-1, 4)}
    assert (0x7C, 0x0A, 0x3C, 255) in colours


def test_known_pixels_of_a_difference_are_transparent() -> None:
    values = np.full((8, 8), 5e-5, np.float32)
    hole = np.zeros((8, 8), dtype=bool)
    hole[:, :4] = True
    shown = _decoded(images.difference(values, hole, Amplified(1e-4, 1e-4))(64)).convert("RGBA")
    assert np.array_equal(np.asarray(shown)[..., 3] == 255, hole)


def test_differences_get_lighter_up_to_the_top_and_red_above_it() -> None:
    values = np.array([[0, 5e-5, 1e-4, 1.1e-4, 0.5]], np.float32)
    hole = np.ones(values.shape, dtype=bool)
    shown = _decoded(images.difference(values, hole, Amplified(1e-4, 0.5))(64)).convert("RGB")
    colours = np.asarray(shown)[0].astype(int)
    grey = colours @ np.array([299, 587, 114]) / 1000
    assert grey[0] < grey[1] < grey[2]
    assert all(red > green for red, green, _ in colours[3:])
    assert tuple(colours[0]) == (0x10, 0x12, 0x3A)
    assert tuple(colours[2]) == (0xF6, 0xF2, 0xB4)


def test_values_that_are_not_finite_count_as_the_worst() -> None:
    values, hole = np.array([[np.nan, np.inf]], np.float32), np.ones((1, 2), dtype=bool)
    shown = _decoded(images.difference(values, hole, Amplified(1e-4, 0.5))(64)).convert("RGB")
    assert {tuple(pixel) for pixel in np.asarray(shown)[0]} == {(0x7C, 0x0A, 0x3C)}


def test_only_the_hole_is_tinted() -> None:
    picture, hole = np.full((4, 4, 3), 90, np.uint8), np.eye(4, dtype=bool)
    changed = (images.tinted(picture, hole) != picture).any(axis=-1)
    assert np.array_equal(changed, hole)
