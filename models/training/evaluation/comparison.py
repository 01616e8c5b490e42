"""A generator against OpenCV's classical inpainting, on the same pictures and holes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lama_edge.errors import UsageError, needs_extra
from lama_edge.models.training.data.mask_statistics import hole_width_px
from lama_edge.models.training.losses.metrics import hole_gradient, hole_psnr_db, hole_ssim
from lama_edge.pictures.holdout import Picture, Sample

with needs_extra("train"):
    import torch
    from torch import nn

TELEA = "Telea"
NAVIER_STOKES = "Navier–Stokes"
OURS = "ours"
_RADIUS_PIXELS = 3


@dataclass(frozen=True)
class FillScore:
    """One fill: PSNR in dB, SSIM, and the sum of its gradients (see `metrics`)."""

    psnr_db: float
    ssim: float
    gradient: float


@dataclass(frozen=True)
class SampleScore:
    """One sample: its side and its hole's width in pixels, the truth's gradients, the fills."""

    size: int
    width_px: float | None
    truth_gradient: float
    fills: Mapping[str, FillScore]


@dataclass(frozen=True)
class Quality:
    """Fills of many samples: mean PSNR in dB, mean SSIM, and sharpness (1 = the truth's)."""

    psnr_db: float
    ssim: float
    sharpness: float


@dataclass(frozen=True)
class Comparison:
    """The three methods on `count` pictures of `size` pixels a side."""

    size: int
    count: int
    telea: Quality
    navier_stokes: Quality
    ours: Quality

    @property
    def margin_db(self) -> float:
        """How far our mean PSNR is above that of the better classical method."""
        return self.ours.psnr_db - max(self.telea.psnr_db, self.navier_stokes.psnr_db)


def fill(generator: nn.Module, image: Picture, mask: Picture) -> Picture:
    """Inpaint one picture whose sides suit the generator.

    Args:
        generator: in evaluation mode, on any device.
        image: uint8 [H,W,3] RGB; what it holds in the hole is ignored.
        mask: uint8 [H,W], above 0 = hole.

    Returns:
        uint8 [H,W,3]: the generator's fill in the hole, `image` elsewhere.
    """
    hole = mask > 0
    known = torch.from_numpy(np.where(hole[..., None], 0, image)).permute(2, 0, 1).float() / 255
    device = next(generator.parameters()).device
    with torch.inference_mode():
        x = torch.cat([known, torch.from_numpy(hole)[None].float()])[None].to(device)
        predicted = generator(x)[0].permute(1, 2, 0).cpu().numpy()
    filled = np.rint(predicted * 255).clip(0, 255).astype(np.uint8)
    return np.where(hole[..., None], filled, image)


def classical(sample: Sample) -> tuple[Picture, Picture]:
    """Inpaint with OpenCV: (Telea, Navier-Stokes), each uint8 [H,W,3].

    Raises:
        MissingBackendError: when OpenCV is not installed.
    """
    with needs_extra("dev"):
        import cv2
    holed = np.where(sample.hole[..., None], 0, sample.truth).astype(np.uint8)
    telea = cv2.inpaint(holed, sample.mask, _RADIUS_PIXELS, cv2.INPAINT_TELEA)
    navier_stokes = cv2.inpaint(holed, sample.mask, _RADIUS_PIXELS, cv2.INPAINT_NS)
    return np.asarray(telea, np.uint8), np.asarray(navier_stokes, np.uint8)


def fill_by_every_method(generator: nn.Module, sample: Sample) -> dict[str, Picture]:
    """Fill one sample by `TELEA`, `NAVIER_STOKES` and `OURS`; each uint8 [H,W,3]."""
    telea, navier_stokes = classical(sample)
    ours = fill(generator, sample.truth, sample.mask)
    return {TELEA: telea, NAVIER_STOKES: navier_stokes, OURS: ours}


def score(fills: Mapping[str, Picture], sample: Sample) -> SampleScore:
    """Judge every method's fill of one sample."""
    return SampleScore(
        size=sample.truth.shape[0],
        width_px=hole_width_px(sample.mask),
        truth_gradient=hole_gradient(sample.truth, sample),
        fills={
            method: FillScore(
                hole_psnr_db(result, sample),
                hole_ssim(result, sample),
                hole_gradient(result, sample),
            )
            for method, result in fills.items()
        },
    )


def summarise(scores: Sequence[SampleScore]) -> Comparison:
    """Average scores of samples of one size.

    Raises:
        UsageError: when there are none.
    """
    if not scores:
        raise UsageError("no sample was judged: ask for at least one")
    three = (_quality(scores, method) for method in (TELEA, NAVIER_STOKES, OURS))
    return Comparison(scores[0].size, len(scores), *three)


def _quality(scores: Sequence[SampleScore], method: str) -> Quality:
    fills = [one.fills[method] for one in scores]
    truth = sum(one.truth_gradient for one in scores)
    return Quality(
        psnr_db=float(np.mean([one.psnr_db for one in fills])),
        ssim=float(np.mean([one.ssim for one in fills])),
        sharpness=sum(one.gradient for one in fills) / truth if truth > 0 else float("nan"),
    )
