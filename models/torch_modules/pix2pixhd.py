"""LaMa's convolutional generators: `pix2pixhd_global` and `pix2pixhd_multidilated`.

Wang et al., "High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs",
CVPR 2018, for the shape; the variants are the ablations of the LaMa paper (arXiv 2109.07161,
section 4), published as lama-regular and LaMa-Dilated. Module names follow the official
checkpoints, so their `generator.*` tensors load unchanged.
"""

from __future__ import annotations

from lama_edge.errors import needs_extra
from lama_edge.models.config import GeneratorConfig, Pix2PixHdMultidilatedConfig
from lama_edge.models.torch_modules.decoder import decoder

with needs_extra("torch"):
    import torch
    from torch import Tensor, nn


class MultidilatedConv(nn.Module):
    """Parallel convolutions of growing dilation, each on its share of the input, summed.

    The official `comb_mode: cat_in`. Input and output: float32 [N,C,H,W].
    """

    def __init__(self, channels: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        share = channels // len(dilations)
        self.convs = nn.ModuleList(
            nn.Conv2d(share, channels, 3, padding=each, dilation=each, padding_mode="reflect")
            for each in dilations
        )

    def forward(self, x: Tensor) -> Tensor:
        """Convolve; H and W must exceed the largest dilation."""
        shares = torch.chunk(x, len(self.convs), dim=1)
        outputs = [conv(share) for conv, share in zip(self.convs, shares, strict=True)]
        return torch.stack(outputs).sum(dim=0)


class ResnetBlock(nn.Module):
    """Two convolutions with batch norm and a residual connection, none of it after the sum."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        channels = config.level_widths[-1]
        layers: list[nn.Module] = []
        for last in (False, True):
            if isinstance(config, Pix2PixHdMultidilatedConfig):
                layers.append(MultidilatedConv(channels, config.dilations))
            else:
                layers += [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, kernel_size=3)]
            layers.append(nn.BatchNorm2d(channels))
            if not last:
                layers.append(nn.ReLU())
        self.conv_block = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N,C,H,W] to the same shape."""
        out: Tensor = x + self.conv_block(x)
        return out


class Pix2PixHdGenerator(nn.Module):
    """The whole generator; inputs and output as `FfcResnetGenerator`."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.level_widths
        layers: list[nn.Module] = [
            nn.ReflectionPad2d(3),
            nn.Conv2d(config.input_nc, config.ngf, kernel_size=7),
            nn.BatchNorm2d(config.ngf),
            nn.ReLU(),
        ]
        for level in range(config.n_downsampling):
            layers += [
                nn.Conv2d(widths[level], widths[level + 1], kernel_size=3, stride=2, padding=1),
                nn.BatchNorm2d(widths[level + 1]),
                nn.ReLU(),
            ]
        layers += [ResnetBlock(config) for _ in range(config.n_blocks)]
        layers += decoder(config)
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Predict the whole picture from the masked picture and its mask."""
        out: Tensor = self.model(x)
        return out
