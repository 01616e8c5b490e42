"""What a fill is judged by, inside the hole alone: PSNR, SSIM, and how sharp it is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lama_edge.errors import needs_extra
from lama_edge.judging.metrics import psnr_db
from lama_edge.models.training.samples import Picture, Sample

_EXACT_DB = 100.0
_LUMA = (0.299, 0.587, 0.114)


def hole_psnr_db(result: Picture, sample: Sample) -> float:
    """PSNR with peak 1.0 over the hole's pixels, in dB; `result` is uint8 [H,W,3].

    An exact fill gives 100 dB.
    """
    return min(_EXACT_DB, psnr_db(sample.truth[sample.hole], result[sample.hole]))


def hole_ssim(result: Picture, sample: Sample) -> float:
    """Mean of the SSIM map over the hole's pixels and the three channels.

    The settings are those of Wang et al., IEEE TIP 2004: a Gaussian window of sigma 1.5. Windows
    at the hole's rim see known pixels too.

    Args:
        result: uint8 [H,W,3], at least 11 pixels a side.
        sample: the truth and the hole.

    Raises:
        MissingBackendError: when scikit-image is not installed.
    """
    with needs_extra("demo"):
        from skimage.metrics import structural_similarity

    _, similarity = structural_similarity(
        sample.truth,
        result,
        channel_axis=2,
        data_range=255,
        gaussian_weights=True,
        use_sample_covariance=False,
        full=True,
    )
    return float(similarity[sample.hole].mean())


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
