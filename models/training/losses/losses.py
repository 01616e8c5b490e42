"""The losses of LaMa's recipe, and the reconstruction terms that small generators need.

Suvorov et al., "Resolution-robust Large Mask Inpainting with Fourier Convolutions", WACV 2022
(arXiv 2109.07161), section 2.3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace

from lama_edge.errors import UsageError, needs_extra

with needs_extra("train"):
    import torch
    from torch import Tensor
    from torch.nn.functional import avg_pool2d, interpolate, mse_loss, pad, softplus

_BLOCK_PIXELS = 8
# Keeps the gradient of a square root finite where a picture is flat.
_FLAT = 1e-6


@dataclass(frozen=True)
class LossWeights:
    """What each loss counts for; 0 leaves it out.

    Attributes:
        known: of the L1 on known pixels. A generator has no skip connections: before it has
            learned to reproduce colours it cannot carry one into the hole.
        hole: of the L1 on the hole. LaMa has none, its perceptual loss does that work.
        coarse: of the L1 on means over blocks of 8 by 8 pixels, relative to the two above; for
            colours.
        gradient: of the L1 on differences between neighbours, relative to the same; for edges.
        detail: of the L1 on the mean gradient magnitudes of the hole's 8 by 8 blocks, brightness
            and colour each: as much detail as in the truth, wherever it lies. LaMa has none.
        teacher: of the same terms in the hole, towards a teacher's fill.
        adversarial: of the generator's adversarial loss.
        r1: of the gradient penalty, within the discriminator's loss.
        feature_matching: of the distance between the discriminator's features.
        perceptual: of the distance between a segmentation network's features.

    Raises:
        UsageError: when a weight is negative or no number.
    """

    known: float = 10.0
    hole: float = 10.0
    coarse: float = 1.0
    gradient: float = 0.5
    detail: float = 0.0
    teacher: float = 10.0
    adversarial: float = 10.0
    r1: float = 0.001
    feature_matching: float = 100.0
    perceptual: float = 30.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not (math.isfinite(value) and value >= 0):
                raise UsageError(f"the loss weight {name} is {value}: give a number from 0 on")


# Before the adversarial phase: the hole counts most, and there is no discriminator.
RECONSTRUCTION_WEIGHTS = LossWeights(
    known=1.0, hole=5.0, teacher=5.0, adversarial=0.0, feature_matching=0.0, perceptual=0.0
)


def with_weights(weights: LossWeights, changes: Sequence[str]) -> LossWeights:
    """Return the weights with changes spelled ``name=value``.

    Raises:
        UsageError: when a name is unknown or a value no number from 0 on.
    """
    names = [field.name for field in fields(LossWeights)]
    for change in changes:
        name, _, text = change.partition("=")
        try:
            value = float(text)
        except ValueError:
            raise UsageError(f"the loss weight {change!r} is not of the form name=number") from None
        if name not in names:
            raise UsageError(f"there is no loss {name!r}: the losses are {', '.join(names)}")
        weights = replace(weights, **{name: value})
    return weights


def reconstruction(
    predicted: Tensor, target: Tensor, pixel_weights: Tensor, weights: LossWeights
) -> Tensor:
    """Weigh up the distance to a target: L1, L1 of block means and L1 of differences.

    Args:
        predicted: float32 [N,3,H,W] in [0,1], the raw fill.
        target: float32 [N,3,H,W] in [0,1].
        pixel_weights: float32 [N,1,H,W], of every pixel's error.
        weights: of the terms; `coarse` and `gradient` are used here.
    """
    weighted = (predicted - target) * pixel_weights
    gradient_l1 = weighted.diff(dim=2).abs().mean() + weighted.diff(dim=3).abs().mean()
    coarse_l1 = avg_pool2d(weighted, _BLOCK_PIXELS).abs().mean()
    return weighted.abs().mean() + weights.coarse * coarse_l1 + weights.gradient * gradient_l1


def detail(predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Compare how much detail blocks of the hole have, not where it lies.

    An L1 on pixels or on their differences prefers blur to detail that is a pixel off; the mean
    gradient magnitude of a block does not. Brightness and two colour differences are compared
    each by itself: of brightness alone, detail could be made out of coloured noise.

    Args:
        predicted: float32 [N,3,H,W] in [0,1], the raw fill.
        target: float32 [N,3,H,W] in [0,1].
        mask: float32 [N,1,H,W], 1 = hole.

    Returns:
        The mean absolute difference of the blocks' gradient magnitudes, on the 0-to-1 scale,
        summed over brightness and colours.
    """
    missing = (_gradient_magnitude(predicted) - _gradient_magnitude(target)) * mask
    blocks = avg_pool2d(missing, _BLOCK_PIXELS).abs().sum()
    return blocks / avg_pool2d(mask, _BLOCK_PIXELS).sum().clamp(min=1)


def _gradient_magnitude(image: Tensor) -> Tensor:
    """Lengths of the gradients of brightness and colour differences: [N,3,H,W] to the same."""
    red, green, blue = image.unbind(dim=1)
    planes = torch.stack([(red + green + blue) / 3, red - green, blue - green], dim=1)
    down, right = planes.diff(dim=2), planes.diff(dim=3)
    squared = pad(down.square(), (0, 0, 0, 1)) + pad(right.square(), (0, 1, 0, 0))
    return (squared + _FLAT).sqrt()


def masked_l1(predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute difference where `mask` is 1: [N,3,H,W] twice and [N,1,H,W] to a scalar."""
    return ((predicted - target).abs() * mask).sum() / (3 * mask.sum()).clamp(min=1)


def generator_adversarial(fake_logits: Tensor, mask: Tensor | None = None) -> Tensor:
    """Non-saturating loss: every patch, known ones too, should be taken for real.

    Args:
        fake_logits: float32 [N,1,h,w], the discriminator's on the fills.
        mask: float32 [N,1,H,W], 1 = hole, where patches in the hole alone count; else None.
    """
    return _patch_mean(softplus(-fake_logits), mask)


def discriminator_adversarial(real_logits: Tensor, fake_logits: Tensor, mask: Tensor) -> Tensor:
    """Binary cross-entropy with the mask as the fakes' target.

    Only patches in the hole count as fake; in a fill's known part the discriminator is asked to
    see what it sees in real pictures.

    Args:
        real_logits: float32 [N,1,h,w], on pictures.
        fake_logits: float32 [N,1,h,w], on fills.
        mask: float32 [N,1,H,W], 1 = hole; its nearest pixel stands for a patch.
    """
    fake = _patches(mask, fake_logits)
    fake_loss = fake * softplus(fake_logits) + (1 - fake) * softplus(-fake_logits)
    return softplus(-real_logits).mean() + fake_loss.mean()


def discriminator_in_hole(real_logits: Tensor, fake_logits: Tensor, mask: Tensor) -> Tensor:
    """Binary cross-entropy of patches in the hole: real in pictures, fake in fills.

    Holes are a small share of a batch; where known patches count too, their weight keeps a
    discriminator from learning anything but that share.

    Args:
        real_logits: float32 [N,1,h,w], on pictures.
        fake_logits: float32 [N,1,h,w], on fills within the pictures.
        mask: float32 [N,1,H,W], 1 = hole; its nearest pixel stands for a patch.
    """
    return _patch_mean(softplus(-real_logits) + softplus(fake_logits), mask)


def _patch_mean(losses: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return losses.mean()
    weights = _patches(mask, losses)
    return (weights * losses).sum() / weights.sum().clamp(min=1)


def _patches(mask: Tensor, logits: Tensor) -> Tensor:
    return interpolate(mask, size=logits.shape[-2:], mode="nearest")


def r1_penalty(real_logits: Tensor, image: Tensor) -> Tensor:
    """Mean squared norm of the gradient of a picture's summed logits with respect to it.

    Mescheder et al., "Which Training Methods for GANs do actually Converge?", ICML 2018
    (arXiv 1801.04406), without their factor 1/2, as LaMa has it.

    Args:
        real_logits: float32 [N,1,h,w], computed from `image`.
        image: float32 [N,3,H,W] that requires a gradient.
    """
    (gradient,) = torch.autograd.grad(real_logits.sum(), image, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean()


def feature_matching(fake: Sequence[Tensor], real: Sequence[Tensor]) -> Tensor:
    """Mean over the layers of the mean squared difference; gradients reach `fake` alone."""
    distances = [mse_loss(f.float(), r.detach().float()) for f, r in zip(fake, real, strict=True)]
    return torch.stack(distances).mean()
