"""LaMa's `ffc_resnet` generator: a ResNet of Fast Fourier Convolutions.

Suvorov et al., "Resolution-robust Large Mask Inpainting with Fourier Convolutions", WACV 2022
(arXiv 2109.07161); the convolution is from Chi et al., "Fast Fourier Convolution", NeurIPS 2020.
Module names follow the official checkpoints, so their `generator.*` tensors load unchanged.
"""

from __future__ import annotations

from typing import Literal

from lama_edge.errors import needs_extra
from lama_edge.models.config import FfcResnetConfig
from lama_edge.models.torch_modules.decoder import decoder

with needs_extra("torch"):
    import torch
    from torch import Tensor, nn

LocalGlobal = tuple[Tensor, Tensor | None]


class FourierUnit(nn.Module):
    """A 1×1 convolution over the real and imaginary parts of the map's 2-D spectrum.

    Input and output: float32 [N,C,H,W]. The transform is orthonormal, so the spectrum keeps the
    map's scale; real and imaginary parts interleave in the channel axis (re0, im0, re1, …).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_layer = nn.Conv2d(2 * channels, 2 * channels, kernel_size=1, bias=False)
        self.bn = nn.BatchNorm2d(2 * channels)

    def forward(self, x: Tensor) -> Tensor:
        """Filter `x` in the frequency domain."""
        n, c, h, w = x.shape
        spectrum = torch.view_as_real(torch.fft.rfft2(x.float(), norm="ortho"))
        interleaved = spectrum.permute(0, 1, 4, 2, 3).reshape(n, 2 * c, h, w // 2 + 1)
        filtered = torch.relu(self.bn(self.conv_layer(interleaved)))
        pairs = filtered.float().reshape(n, c, 2, h, w // 2 + 1).permute(0, 1, 3, 4, 2)
        out: Tensor = torch.fft.irfft2(
            torch.view_as_complex(pairs.contiguous()), s=(h, w), norm="ortho"
        )
        return out.to(x.dtype)


class SpectralTransform(nn.Module):
    """The global-to-global path: reduce channels, filter in the frequency domain, expand."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        hidden = out_channels // 2
        self.conv1 = nn.Sequential(
            nn.Conv2d(in_channels, hidden, kernel_size=1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
        )
        self.fu = FourierUnit(hidden)
        self.conv2 = nn.Conv2d(hidden, out_channels, kernel_size=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Transform [N,C_in,H,W] to [N,C_out,H,W]."""
        x = self.conv1(x)
        out: Tensor = self.conv2(x + self.fu(x))
        return out


class FastFourierConv(nn.Module):
    """Four paths between a local part (convolutions) and a global part (spectral transform)."""

    def __init__(
        self,
        in_channels: tuple[int, int],
        out_channels: tuple[int, int],
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
    ) -> None:
        """Build the paths; channels are (local, global) pairs, and a part may be empty."""
        super().__init__()
        in_local, in_global = in_channels
        out_local, out_global = out_channels

        def spatial(cin: int, cout: int) -> nn.Conv2d:
            window = cin, cout, kernel_size, stride, padding
            mode: Literal["reflect", "zeros"] = "reflect" if padding else "zeros"
            return nn.Conv2d(*window, bias=False, padding_mode=mode)

        self.convl2l = spatial(in_local, out_local)
        self.convl2g = spatial(in_local, out_global) if out_global else None
        self.convg2l = spatial(in_global, out_local) if in_global else None
        self.convg2g = (
            SpectralTransform(in_global, out_global) if in_global and out_global else None
        )

    def forward(self, x: LocalGlobal) -> LocalGlobal:
        """Map (local, global) to (local, global)."""
        x_local, x_global = x
        out_local = self.convl2l(x_local)
        out_global = self.convl2g(x_local) if self.convl2g is not None else None
        if self.convg2l is not None:
            out_local = out_local + self.convg2l(x_global)
        if self.convg2g is not None:
            out_global = out_global + self.convg2g(x_global)
        return out_local, out_global


class FfcBnAct(nn.Module):
    """A Fast Fourier Convolution with batch norm and ReLU on each part."""

    def __init__(
        self, in_channels: tuple[int, int], out_channels: tuple[int, int], **window: int
    ) -> None:
        """Build the layer; the convolutions' window is given as `FastFourierConv` takes it."""
        super().__init__()
        self.ffc = FastFourierConv(in_channels, out_channels, **window)
        self.bn_l = nn.BatchNorm2d(out_channels[0])
        self.bn_g = nn.BatchNorm2d(out_channels[1]) if out_channels[1] else None

    def forward(self, x: Tensor | LocalGlobal) -> LocalGlobal:
        """Map (local, global), or a plain tensor taken as local, to (local, global)."""
        x_local, x_global = self.ffc(x if isinstance(x, tuple) else (x, None))
        x_local = torch.relu(self.bn_l(x_local))
        if self.bn_g is not None:
            x_global = torch.relu(self.bn_g(x_global))
        return x_local, x_global


class FfcResnetBlock(nn.Module):
    """Two Fast Fourier Convolutions with a residual connection on each part."""

    def __init__(self, channels: tuple[int, int]) -> None:
        super().__init__()
        self.conv1 = FfcBnAct(channels, channels, kernel_size=3, padding=1)
        self.conv2 = FfcBnAct(channels, channels, kernel_size=3, padding=1)

    def forward(self, x: LocalGlobal) -> LocalGlobal:
        """Map (local, global) to (local, global) of the same shapes."""
        out_local, out_global = self.conv2(self.conv1(x))
        return x[0] + out_local, x[1] + out_global


class ConcatLocalGlobal(nn.Module):
    """Joins the local and the global part into one map."""

    def forward(self, x: LocalGlobal) -> Tensor:
        """Map ([N,L,H,W], [N,G,H,W]) to [N,L+G,H,W]."""
        x_local, x_global = x
        return x_local if x_global is None else torch.cat([x_local, x_global], dim=1)


class FfcResnetGenerator(nn.Module):
    """The whole generator.

    Input: float32 [N,4,H,W], three channels of RGB in [0,1] with the hole set to 0 and one mask
    channel (1 = hole); H and W multiples of `config.size_multiple` and at least
    `config.min_size`. Output: float32 [N,3,H,W] in [0,1], the raw fill everywhere.
    """

    def __init__(self, config: FfcResnetConfig) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = [
            nn.ReflectionPad2d(3),
            FfcBnAct((config.input_nc, 0), (config.ngf, 0), kernel_size=7),
        ]
        widths = config.level_widths
        bottleneck = config.bottleneck_channels
        for level in range(config.n_downsampling):
            last = level == config.n_downsampling - 1
            out = bottleneck if last else (widths[level + 1], 0)
            layers.append(FfcBnAct((widths[level], 0), out, kernel_size=3, stride=2, padding=1))
        layers += [FfcResnetBlock(bottleneck) for _ in range(config.n_blocks)]
        layers.append(ConcatLocalGlobal())
        layers += decoder(config)
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Predict the whole picture from the masked picture and its mask."""
        out: Tensor = self.model(x)
        return out
