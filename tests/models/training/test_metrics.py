"""The measures: peak 1.0, the hole alone, and sharpness that neither seam nor surroundings feed."""

from __future__ import annotations

import numpy as np
import pytest

from lama_edge.models.training.losses.metrics import hole_gradient, hole_psnr_db, hole_ssim
from lama_edge.pictures.holdout import Sample

SIDE = 24


def sample_with(truth, rows=slice(6, 18), columns=slice(6, 18)):
    mask = np.zeros(truth.shape[:2], dtype=np.uint8)
    mask[rows, columns] = 255
    return Sample(truth, mask)


@pytest.fixture
def noisy():
    rng = np.random.default_rng(0)
    return sample_with(rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8))


@pytest.fixture
def ramp():
    """Brightness rises by 5 levels a column."""
    row = np.arange(SIDE, dtype=np.uint8) * 5
    return sample_with(np.broadcast_to(row[None, :, None], (SIDE, SIDE, 3)).copy())


def with_hole(sample, value):
    return np.where(sample.hole[..., None], value, sample.truth).astype(np.uint8)


def test_psnr_has_peak_one_and_sees_the_hole_alone():
    sample = sample_with(np.full((8, 8, 3), 100, np.uint8), slice(2, 4), slice(2, 4))
    result = np.zeros_like(sample.truth)
    result[sample.hole] = 151
    assert hole_psnr_db(result, sample) == pytest.approx(-20 * np.log10(51 / 255))
    assert hole_psnr_db(sample.truth, sample) == pytest.approx(100)


def test_ssim_is_one_for_the_truth_lower_for_a_flat_fill_and_blind_far_from_the_hole(noisy):
    assert hole_ssim(noisy.truth, noisy) == pytest.approx(1)
    assert hole_ssim(with_hole(noisy, 128), noisy) < 0.3
    elsewhere = noisy.truth.copy()
    elsewhere[0, :] = 0
    assert hole_ssim(elsewhere, noisy) == pytest.approx(1)


def test_the_gradient_is_that_of_the_luma_over_the_hole_without_its_rim(ramp):
    # 10 x 10 pixels of the 12 x 12 hole have all four neighbours in it.
    assert hole_gradient(ramp.truth, ramp) == pytest.approx(100 * 5 / 255)
    green = ramp.truth.copy()
    green[..., [0, 2]] = 0
    assert hole_gradient(green, ramp) == pytest.approx(0.587 * 100 * 5 / 255)


def test_a_flat_fill_has_no_gradient_however_hard_its_seam(ramp):
    assert hole_gradient(with_hole(ramp, 255), ramp) == 0


def test_known_pixels_do_not_feed_the_gradient(ramp):
    result = ramp.truth.copy()
    result[~ramp.hole] = np.random.default_rng(0).integers(0, 256, (SIDE**2 - 144, 3))
    assert hole_gradient(result, ramp) == pytest.approx(hole_gradient(ramp.truth, ramp))


def test_blur_lowers_the_gradient(noisy):
    blurred = (noisy.truth.astype(int) + np.roll(noisy.truth, 1, axis=1)) // 2
    ratio = hole_gradient(with_hole(noisy, blurred), noisy) / hole_gradient(noisy.truth, noisy)
    assert 0.5 < ratio < 0.95


def test_a_hole_at_the_border_and_a_thin_one_have_their_gradients_too(ramp):
    everything = Sample(ramp.truth, np.full((SIDE, SIDE), 255, np.uint8))
    assert hole_gradient(ramp.truth, everything) == pytest.approx((SIDE - 2) ** 2 * 5 / 255)
    thin = sample_with(ramp.truth, rows=slice(4, 6))
    assert hole_gradient(ramp.truth, thin) == 0
