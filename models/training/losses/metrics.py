"""What a fill is judged by, inside the hole alone: PSNR, SSIM, and how sharp it is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lama_edge.judging.metrics import psnr_db, structural_similarity
from lama_edge.pictures.holdout import Picture, Sample

_EXACT_DB = 100.0
_LUMA = (0.299, 0.587, 0.114)


def hole_psnr_db(result: Picture, sample: Sample) -> float:
    """PSNR with peak 1.0 over the hole's pixels, in dB; `result` is uint8 [H,W,3].

    An exact fill gives 100 dB.
    """
    return min(_EXACT_DB, psnr_db(sample.truth[sample.hole], result[sample.hole]))


def hole_ssim(result: Picture, sample: Sample) -> float:
    """Mean of the SSIM map over the hole's pixels and the three channels.

    Windows at the hole's rim see known pixels too.

    Args:
        result: uint8 [H,W,3].
        sample: the truth and the hole.
    """
    return float(structural_similarity(sample.truth, result)[sample.hole].mean())


def hole_gradient(picture: Picture, sample: Sample) -> float:
    """Sum of gradient magnitudes inside the hole; sharpness is a ratio of such sums.

    The gradient is that of the luma (ITU-R BT.601, 0 to 1) by central differences, at those
    pixels whose four neighbours are in the hole as well: neither the seam between fill and
    surroundings nor the surroundings count. The **sharpness** of fills is the sum over all of
    them divided by the same sum over the truth, so 1 is as sharp as the truth, blur lies below,
    and pictures weigh by how much there is to see in the hole rather than all the same.

    Args:
        picture: uint8 [H,W,3], the fill or the truth.
        sample: whose hole is meant.

    Returns:
        The sum, 0 where the hole is thinner than three pixels.
    """
    luma = picture.astype(np.float64) @ np.array(_LUMA) / 255
    down, right = np.gradient(luma)
    return float(np.hypot(down, right)[_interior(sample.hole)].sum())


def _interior(hole: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Pixels of the hole whose four neighbours exist and belong to it."""
    inside = np.zeros_like(hole)
    inside[1:-1, 1:-1] = (
        hole[1:-1, 1:-1] & hole[:-2, 1:-1] & hole[2:, 1:-1] & hole[1:-1, :-2] & hole[1:-1, 2:]
    )
    return inside
