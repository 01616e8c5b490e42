"""The measurement: a fixed holdout, PSNR over the hole alone, known pixels untouched."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lama_edge.models.config import FfcResnetConfig
from lama_edge.models.generators.ffc_resnet import FfcResnetGenerator
from lama_edge.models.training.evaluate import (
    Sample,
    compare,
    contact_sheet,
    fill,
    holdout,
    hole_psnr_db,
)


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return FfcResnetGenerator(FfcResnetConfig(ngf=4, n_blocks=1)).eval()


def test_the_holdout_is_the_same_every_time():
    first, again = holdout(32, 3), holdout(32, 3)
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a.truth, b.truth)
        assert np.array_equal(a.mask, b.mask)


def test_psnr_has_peak_one_and_sees_the_hole_alone():
    truth = np.full((8, 8, 3), 100, dtype=np.uint8)
    mask = np.zeros((8, 8), dtype=np.uint8)
    mask[2:4, 2:4] = 255
    result = np.zeros_like(truth)
    result[2:4, 2:4] = 151
    assert hole_psnr_db(result, Sample(truth, mask)) == pytest.approx(-20 * np.log10(51 / 255))
    assert hole_psnr_db(truth, Sample(truth, mask)) == pytest.approx(100)


def test_a_fill_keeps_known_pixels_and_ignores_what_was_in_the_hole(generator):
    (sample,) = holdout(32, 1)
    filled = fill(generator, sample.truth, sample.mask)
    known = sample.mask == 0
    assert np.array_equal(filled[known], sample.truth[known])
    erased = np.where(known[..., None], sample.truth, 77).astype(np.uint8)
    assert np.array_equal(filled, fill(generator, erased, sample.mask))


def test_the_comparison_and_the_sheet_cover_every_sample(generator):
    pytest.importorskip("cv2")
    samples = holdout(32, 2)
    comparison = compare(generator, samples)
    assert (comparison.size, comparison.count) == (32, 2)
    best = max(comparison.telea_db, comparison.navier_stokes_db)
    assert comparison.margin_db == pytest.approx(comparison.ours_db - best)
    assert contact_sheet(generator, samples).size == (5 * 32, 2 * 32)
