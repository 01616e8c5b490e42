"""The decoder that every LaMa generator ends with: upsampling, last convolution, sigmoid."""

from __future__ import annotations

from lama_edge.errors import needs_extra
from lama_edge.models.config import GeneratorConfig

with needs_extra("torch"):
    from torch import nn


def decoder(config: GeneratorConfig) -> list[nn.Module]:
    """Return the layers from the bottleneck [N,C,h,w] to the picture [N,3,H,W] in [0,1]."""
    widths = config.level_widths
    layers: list[nn.Module] = []
    for level in range(config.n_downsampling, 0, -1):
        wide, narrow = widths[level], widths[level - 1]
        layers += [
            nn.ConvTranspose2d(wide, narrow, kernel_size=3, stride=2, padding=1, output_padding=1),
            nn.BatchNorm2d(narrow),
            nn.ReLU(),
        ]
    return [
        *layers,
        nn.ReflectionPad2d(3),
        nn.Conv2d(config.ngf, config.output_nc, kernel_size=7),
        nn.Sigmoid(),
    ]
