"""The convolutions of an `ffc_resnet` generator, and the arithmetic in them, counted exactly."""

from __future__ import annotations

from dataclasses import dataclass

from lama_edge.errors import needs_extra
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
    with needs_extra("torch"):
        import torch
        from torch import Tensor, nn

        from lama_edge.models.torch_modules.ffc_resnet import FfcResnetGenerator

    kinds = nn.Conv2d | nn.ConvTranspose2d
    found: list[Convolution] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        assert isinstance(module, kinds)
        transposed = isinstance(module, nn.ConvTranspose2d)
        height, width = (inputs[0] if transposed else output).shape[2:]
        sides = module.in_channels, module.out_channels, module.kernel_size[0], module.stride[0]
        found.append(Convolution(*sides, Size(height, width), transposed))

    # Shapes alone: nothing is computed.
    with torch.device("meta"), torch.inference_mode():
        generator = FfcResnetGenerator(config).eval()
        for module in generator.modules():
            if isinstance(module, kinds):
                module.register_forward_hook(note)
        generator(torch.empty(1, config.input_nc, size.height, size.width))
    return found
