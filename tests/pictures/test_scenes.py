"""Training pictures: repeatable from a seed, in range, and seldom flat."""

from __future__ import annotations

import numpy as np
import pytest

from lama_edge.pictures.scenes import make_periodic_scene, make_scene
from lama_edge.pictures.textures import SMOOTH, STRUCTURED, fractal_noise


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
