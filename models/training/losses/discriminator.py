"""The patch discriminator: tells, patch by patch, real pictures from fills.

LaMa takes the `NLayer` discriminator of Wang et al., "High-Resolution Image Synthesis and Semantic
Manipulation with Conditional GANs" (pix2pixHD), CVPR 2018 (arXiv 1711.11585), with four layers.
"""

from __future__ import annotations

from dataclasses import dataclass

from lama_edge.errors import UsageError, needs_extra

with needs_extra("train"):
    import torch
    from torch import Tensor, nn

_KERNEL = 4
_PADDING = 2
_SLOPE = 0.2
_MAX_CHANNELS = 512
# Brings a picture in [0,1] to about zero mean and unit variance.
_SCALE, _SHIFT = 4.0, -2.0


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Size of a patch discriminator; the defaults are LaMa's.

    Attributes:
        width: channels of the first layer; each further one doubles them, up to 512.
        layers: convolutions of stride 2; two of stride 1 follow.

    Raises:
        UsageError: when a value is out of range.
    """

    width: int = 64
    layers: int = 4

    def __post_init__(self) -> None:
        for name, value, high in (("width", self.width, 512), ("layers", self.layers, 6)):
            if not 1 <= value <= high:
                raise UsageError(f"the discriminator's {name} is {value}: give 1 to {high}")


class PatchDiscriminator(nn.Module):
    """Convolutions that judge overlapping patches.

    Input: float32 [N,C,H,W] in [0,1], RGB and, where C is 4, the mask. `forward` returns the
    logits [N,1,h,w], above 0 for real, and the feature maps of every layer before, for feature
    matching.
    """

    def __init__(self, config: DiscriminatorConfig, channels: int = 3) -> None:
        super().__init__()
        self.config = config
        widths = [min(config.width * 2**n, _MAX_CHANNELS) for n in range(config.layers + 1)]
        stages = [nn.Sequential(_conv(channels, widths[0], stride=2), nn.LeakyReLU(_SLOPE))]
        for index in range(1, config.layers + 1):
            stride = 1 if index == config.layers else 2
            stages.append(
                nn.Sequential(
                    _conv(widths[index - 1], widths[index], stride=stride),
                    nn.BatchNorm2d(widths[index]),
                    nn.LeakyReLU(_SLOPE),
                )
            )
        self.stages = nn.ModuleList(stages)
        self.judge = _conv(widths[-1], 1, stride=1)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Judge pictures; see the class."""
        x = x * _SCALE + _SHIFT
        features: list[Tensor] = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return self.judge(x), features


def new_discriminator(
    config: DiscriminatorConfig, seed: int, channels: int = 3
) -> PatchDiscriminator:
    """Build an untrained discriminator from a seed, in training mode."""
    torch.manual_seed(seed)
    return PatchDiscriminator(config, channels).train()


def _conv(inputs: int, outputs: int, *, stride: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, _KERNEL, stride, _PADDING)
