"""The convolutions of an `ffc_resnet` generator, and the arithmetic in them, counted exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lama_edge.models.config import FfcResnetConfig
from lama_edge.spec import Size


@dataclass(frozen=True)
class Convolution:
    """One convolution without padding of its own: LaMa pads by reflection before it.

    Attributes:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel: side of the kernel.
        stride: step of the kernel; of a transposed convolution, the upsampling.
        size: height and width of the output; of a transposed convolution, of the input. Either
            way it is where the kernel stands once.
        transposed: whether it is a transposed convolution.
    """

    in_channels: int
    out_channels: int
    kernel: int
    stride: int
    size: Size
    transposed: bool = False

    @property
    def flop(self) -> int:
        """Floating-point operations of one run, two for each multiply-add."""
        places = self.size.height * self.size.width
        return 2 * self.in_channels * self.out_channels * self.kernel**2 * places

    def __str__(self) -> str:
        kind = " transposed" if self.transposed else ""
        step = f" stride {self.stride}" if self.stride > 1 else ""
        shape = f"{self.kernel}x{self.kernel}{kind}{step}"
        return f"{shape} {self.in_channels} to {self.out_channels} at {self.size}"


def convolutions(config: FfcResnetConfig, size: Size) -> list[Convolution]:
    """Return every convolution of the generator as it is trained, in the order in which it runs.

    Nothing is merged or folded, and what is no convolution is left out: the FFTs, batch norm,
    activations and sums of big-lama's shape have less than 1 % of its arithmetic.

    Args:
        config: the architecture.
        size: of the picture, multiples of `config.size_multiple`.
    """
    return [*_encoder(config, size), *_blocks(config, size), *_decoder(config, size)]


def _reduced(size: Size, level: int) -> Size:
    return Size(size.height >> level, size.width >> level)


def _encoder(config: FfcResnetConfig, size: Size) -> Iterator[Convolution]:
    widths = config.level_widths
    yield Convolution(config.input_nc, config.ngf, 7, 1, size)
    for level in range(1, config.n_downsampling + 1):
        last = level == config.n_downsampling
        outputs = config.bottleneck_channels if last else (widths[level],)
        for channels in outputs:
            yield Convolution(widths[level - 1], channels, 3, 2, _reduced(size, level))


def _blocks(config: FfcResnetConfig, size: Size) -> list[Convolution]:
    n_local, n_global = config.bottleneck_channels
    hidden = n_global // 2
    cells = _reduced(size, config.n_downsampling)
    # A real transform keeps the bins from 0 to Nyquist of the last axis.
    spectrum = Size(cells.height, cells.width // 2 + 1)
    once = [
        Convolution(n_local, n_local, 3, 1, cells),
        Convolution(n_local, n_global, 3, 1, cells),
        Convolution(n_global, n_local, 3, 1, cells),
        Convolution(n_global, hidden, 1, 1, cells),
        Convolution(2 * hidden, 2 * hidden, 1, 1, spectrum),
        Convolution(hidden, n_global, 1, 1, cells),
    ]
    return once * (2 * config.n_blocks)


def _decoder(config: FfcResnetConfig, size: Size) -> Iterator[Convolution]:
    widths = config.level_widths
    for level in range(config.n_downsampling, 0, -1):
        yield Convolution(
            widths[level], widths[level - 1], 3, 2, _reduced(size, level), transposed=True
        )
    yield Convolution(config.ngf, config.output_nc, 7, 1, size)
