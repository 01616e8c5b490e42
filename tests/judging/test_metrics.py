"""Figures of a fill: the differences put in come out, SSIM is the field's."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import structural_similarity as reference_similarity

from lama_edge.judging.metrics import differences, psnr_db, structural_similarity

# Both compute in float64: 4e-14 apart where this was written.
SSIM_LIMIT = 1e-6


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(4)


@pytest.mark.parametrize("shape", [(16, 16, 3), (40, 24, 3), (33, 57, 3)])
@pytest.mark.parametrize("noise", [0.5, 20.0, 120.0])
def test_ssim_is_scikit_images(rng: np.random.Generator, shape, noise: float) -> None:
    truth = rng.uniform(0, 255, shape)
    result = truth + rng.normal(0, noise, shape)
    _, expected = reference_similarity(
        truth / 255,
        result / 255,
        full=True,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1,
        channel_axis=2,
    )
    assert np.abs(structural_similarity(truth, result) - expected).max() < SSIM_LIMIT


def test_ssim_is_one_where_nothing_within_the_window_differs(rng: np.random.Generator) -> None:
    truth = rng.uniform(0, 255, (40, 40, 3))
    result = truth.copy()
    result[30:, :] += 50
    similarity = structural_similarity(truth, result)
    assert np.allclose(similarity[:25], 1)
    assert (similarity[32:] < 0.999).any()


def test_the_figures_are_those_put_in() -> None:
    truth = np.array([0.0, 100.0, 200.0, 100.0])
    result = truth + np.array([2.55, 0, 0, -2.55])
    figures = differences(truth, result)
    assert figures.max_abs_diff == pytest.approx(0.01)
    assert figures.mean_abs_diff == pytest.approx(0.005)
    assert figures.psnr_db == pytest.approx(43.0, abs=0.05)  # 10 log10(1 / 5e-5)
    # variance 5000 / 255², noise 5e-5
    assert figures.snr_db == pytest.approx(31.9, abs=0.05)
    assert figures.levels_differing == 0.5


def test_equal_values_have_no_decibels() -> None:
    values = np.linspace(0, 255, 7)
    figures = differences(values, values.copy())
    assert (figures.max_abs_diff, figures.psnr_db, figures.snr_db) == (0, None, None)
    assert figures.levels_differing == 0
    assert psnr_db(values, values) == np.inf
    # What cannot be told is not called equal.
    assert np.isnan(differences(values, values * np.nan).psnr_db)


@pytest.mark.parametrize("peak", [1.0, 255.0])
def test_psnr_is_taken_against_the_peak(peak: float) -> None:
    truth = np.full(4, 0.25) * peak
    assert psnr_db(truth, truth + 0.01 * peak, peak=peak) == pytest.approx(40)
    # Unsigned levels must not wrap round.
    assert psnr_db(np.uint8([0]), np.uint8([51])) == pytest.approx(-20 * np.log10(51 / 255))
    assert psnr_db(np.uint8([51]), np.uint8([0])) == pytest.approx(-20 * np.log10(51 / 255))


@pytest.mark.parametrize(
    ("rounded_sides", "apart", "expected"),
    [(0, 0.25, 0.25), (1, 0.5, 0), (1, 0.75, 0.25), (2, 1, 0), (2, 2, 1)],
)
def test_each_rounded_side_excuses_half_a_level(
    rounded_sides: int, apart: float, expected: float
) -> None:
    truth = np.full(3, 100.0)
    figures = differences(truth, truth + apart, rounded_sides=rounded_sides)
    assert figures.max_abs_diff == pytest.approx(expected / 255)


def test_levels_are_counted_as_a_picture_would_show_them() -> None:
    """Values beyond the range are clipped in any picture, so that they do not differ there."""
    figures = differences(np.array([255.0, 0.0, 10.0]), np.array([300.0, -3.0, 10.6]))
    assert figures.levels_differing == pytest.approx(1 / 3)
