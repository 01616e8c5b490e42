"""Training pictures and masks: repeatable from a seed, in range, and as wide as they claim."""

from __future__ import annotations

import numpy as np
import pytest

from lama_edge.models.training.masks import NARROW, WIDE, draw_mask, make_mask
from lama_edge.models.training.scenes import make_periodic_scene, make_scene
from lama_edge.models.training.textures import SMOOTH, STRUCTURED, fractal_noise

MASKS_DRAWN = 300
# Over 2000 wide masks at 128 x 128 the mean share is 0.27, over 2000 narrow ones 0.09.
MIN_MEAN_WIDE_SHARE = 0.18
MAX_MEAN_NARROW_SHARE = 0.13
MAX_HOLE_SHARE = 0.6


@pytest.mark.parametrize("make", [make_scene, make_periodic_scene])
def test_the_same_seed_gives_the_same_scene_and_another_seed_another(make):
    first, again = (make(np.random.default_rng(4), 48, 72) for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, make(np.random.default_rng(5), 48, 72))


def test_scenes_are_rgb_bytes_of_the_size_asked_for_and_seldom_flat():
    rng = np.random.default_rng(0)
    scenes = [make_scene(rng, 40, 56) for _ in range(40)]
    assert all(scene.shape == (40, 56, 3) and scene.dtype == np.uint8 for scene in scenes)
    assert np.median([scene.std() for scene in scenes]) > 15


@pytest.mark.parametrize("name", sorted({**STRUCTURED, **SMOOTH}))
def test_every_surface_is_finite_and_near_the_unit_range(name):
    surface = {**STRUCTURED, **SMOOTH}[name]
    v, u = np.mgrid[0:48, 0:64].astype(np.float32)
    for seed in range(5):
        colours = surface(np.random.default_rng(seed), u, v)
        assert colours.shape == (48, 64, 3)
        assert np.isfinite(colours).all()
        assert -1 < colours.mean() < 2


def test_fractal_noise_has_about_unit_spread():
    noise = fractal_noise(np.random.default_rng(1), 256, 256, cell_pixels=8)
    assert 0.6 < noise.std() < 1.6


def test_the_same_seed_gives_the_same_mask():
    first, again = (make_mask(np.random.default_rng(9), 64, 96) for _ in range(2))
    assert np.array_equal(first, again)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (64, 96), (128, 128)])
def test_masks_are_binary_never_empty_and_never_nearly_everything(height, width):
    rng = np.random.default_rng(2)
    for _ in range(MASKS_DRAWN):
        mask = make_mask(rng, height, width)
        assert mask.shape == (height, width)
        assert set(np.unique(mask)) == {0, 255}
        assert (mask > 0).mean() <= MAX_HOLE_SHARE


def test_wide_masks_are_wide_and_narrow_ones_narrow():
    rng = np.random.default_rng(3)
    wide, narrow = (
        np.mean([(draw_mask(rng, 128, 128, style=style) > 0).mean() for _ in range(MASKS_DRAWN)])
        for style in (WIDE, NARROW)
    )
    assert wide > MIN_MEAN_WIDE_SHARE
    assert narrow < MAX_MEAN_NARROW_SHARE


def test_some_holes_touch_the_border_and_some_do_not():
    rng = np.random.default_rng(6)
    touching = 0
    for _ in range(MASKS_DRAWN):
        mask = make_mask(rng, 64, 64)
        rim = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
        touching += bool(rim.any())
    assert MASKS_DRAWN * 0.2 < touching < MASKS_DRAWN * 0.95
