"""Figures of how far a fill is from the reference's: differences, PSNR, SNR and SSIM in the hole.

Pictures come on the 0-to-255 scale, figures are on the 0-to-1 scale. A side that was rounded to
whole levels moved each value by up to half a level; that much is no difference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.floating[Any]] | NDArray[np.uint8]

# Wang, Bovik, Sheikh, Simoncelli: "Image quality assessment: from error visibility to structural
# similarity", IEEE Transactions on Image Processing 13 (4), 2004, section III-C.
_SSIM_SIGMA_PX = 1.5
_SSIM_RADIUS_PX = 5
_SSIM_C1, _SSIM_C2 = 0.01**2, 0.03**2
_LEAST_SIGNAL = 1e-30


@dataclass(frozen=True)
class Differences:
    """How far values are from the reference's, on the 0-to-1 scale.

    Attributes:
        max_abs_diff: the largest absolute difference.
        mean_abs_diff: the mean absolute difference.
        psnr_db: peak signal-to-noise ratio with peak 1; None when the values are equal.
        snr_db: signal-to-noise ratio against the reference's variance; None when equal.
        levels_differing: share of values that round to another of the 256 levels, 0 to 1.
    """

    max_abs_diff: float
    mean_abs_diff: float
    psnr_db: float | None
    snr_db: float | None
    levels_differing: float


def differences(truth: Levels, result: Levels, *, rounded_sides: int = 0) -> Differences:
    """Compare values.

    Args:
        truth: the reference's, of any shape, on the 0-to-255 scale.
        result: those to judge, of the same shape; both must be finite.
        rounded_sides: how many of the two were rounded to whole levels (0, 1 or 2). Each excuses
            half a level; decibels are then taken between whole levels.
    """
    truth, result = truth.astype(np.float64), result.astype(np.float64)
    apart = absolute_differences(truth, result, rounded_sides=rounded_sides)
    levels = [np.rint(np.clip(values, 0, 255)) for values in (truth, result)]
    noise = np.rint(result) - np.rint(truth) if rounded_sides else result - truth
    noise_power = float(np.mean(np.square(noise / 255)))
    return Differences(
        max_abs_diff=float(apart.max()),
        mean_abs_diff=float(apart.mean()),
        psnr_db=_rounded(_decibels(1.0, noise_power)),
        snr_db=_rounded(_decibels(float(np.var(truth / 255)), noise_power)),
        levels_differing=float(np.mean(levels[0] != levels[1])),
    )


def worst(figures: Sequence[Differences]) -> Differences:
    """Return the worst of each figure over pictures; decibels that are None everywhere stay so."""

    # numpy's extremes, not Python's: they keep NaN wherever it stands.
    def most(name: str) -> float:
        return float(np.max([getattr(one, name) for one in figures]))

    def least(name: str) -> float | None:
        known = [value for one in figures if (value := getattr(one, name)) is not None]
        return float(np.min(known)) if known else None

    return Differences(
        max_abs_diff=most("max_abs_diff"),
        mean_abs_diff=most("mean_abs_diff"),
        psnr_db=least("psnr_db"),
        snr_db=least("snr_db"),
        levels_differing=most("levels_differing"),
    )


def absolute_differences(
    truth: Levels, result: Levels, *, rounded_sides: int = 0
) -> NDArray[np.float64]:
    """Return what `differences` takes its figures from, for each value, 0 to 1."""
    apart: NDArray[np.float64] = np.abs(result.astype(np.float64) - truth)
    return np.maximum(apart - 0.5 * rounded_sides, 0) / 255


def psnr_db(truth: Levels, result: Levels, *, peak: float = 255.0) -> float:
    """Return the peak signal-to-noise ratio of values of one shape, infinite where all are equal.

    `peak` is the largest value on their scale.
    """
    noise = (result.astype(np.float64) - truth) / peak
    return _decibels(1.0, float(np.mean(np.square(noise))))


def structural_similarity(truth: Levels, result: Levels) -> NDArray[np.float64]:
    """Return the SSIM of every pixel and channel, after Wang et al. 2004.

    Windows are 11 x 11 Gaussian weights of sigma 1.5; beyond the border the picture is mirrored
    with its border pixel repeated. K1 is 0.01 and K2 0.03.

    Args:
        truth: [H,W,C], on the 0-to-255 scale.
        result: [H,W,C], the same.

    Returns:
        float64 [H,W,C], 1 where the surroundings are equal.
    """
    x, y = truth.astype(np.float64) / 255, result.astype(np.float64) / 255
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x = _blur(x * x) - mean_x * mean_x
    variance_y = _blur(y * y) - mean_y * mean_y
    covariance = _blur(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _SSIM_C1) / (mean_x**2 + mean_y**2 + _SSIM_C1)
    structure = (2 * covariance + _SSIM_C2) / (variance_x + variance_y + _SSIM_C2)
    similarity: NDArray[np.float64] = luminance * structure
    return similarity


def _blur(planes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weight [H,W,C] by the Gaussian window along height and width."""
    offsets = np.arange(-_SSIM_RADIUS_PX, _SSIM_RADIUS_PX + 1)
    window = np.exp(-0.5 * (offsets / _SSIM_SIGMA_PX) ** 2)
    window /= window.sum()
    for axis in (0, 1):
        growth = [(0, 0)] * planes.ndim
        growth[axis] = (_SSIM_RADIUS_PX, _SSIM_RADIUS_PX)
        padded = np.pad(planes, growth, mode="symmetric")
        length = planes.shape[axis]
        planes = sum(
            (
                weight * np.take(padded, np.arange(start, start + length), axis=axis)
                for start, weight in enumerate(window)
            ),
            start=np.zeros_like(planes),
        )
    return planes


def _decibels(signal: float, noise: float) -> float:
    return 10 * math.log10(max(signal, _LEAST_SIGNAL) / noise) if noise else math.inf


def _rounded(decibels: float) -> float | None:
    return None if decibels == math.inf else round(decibels, 1)
