"""A Fourier unit that builds its DFT matrices while it runs: a re-creation of public exports.

Public ONNX exports of LaMa replace `torch.fft` by matrix products whose cosines and sines are
computed in the graph from the size of the input, on complex numbers kept as pairs in a last axis.
The inverse rebuilds the half of the spectrum that a real transform leaves out by reversing the
other half, so it needs an even width at the bottleneck. This is a re-creation of that approach,
written for the comparison, and nobody's actual export.
"""

from __future__ import annotations

import math

from lama_edge.errors import needs_extra
from lama_edge.models.torch_modules.ffc_resnet import FourierUnit

with needs_extra("torch"):
    import torch
    from torch import Tensor, nn


class RuntimeMatrixFourierUnit(nn.Module):
    """A `FourierUnit` with the same weights, its transforms written as matrix products.

    Input and output: float32 [N,C,H,W], W even.
    """

    def __init__(self, unit: FourierUnit) -> None:
        super().__init__()
        self.conv_layer = unit.conv_layer
        self.bn = unit.bn

    def forward(self, x: Tensor) -> Tensor:
        """Filter `x` in the frequency domain."""
        n, c, h, w = x.shape
        spectrum = _rfft2(x)
        interleaved = spectrum.permute(0, 1, 4, 2, 3).reshape(n, 2 * c, h, w // 2 + 1)
        filtered = torch.relu(self.bn(self.conv_layer(interleaved)))
        pairs = filtered.reshape(n, c, 2, h, w // 2 + 1).permute(0, 1, 3, 4, 2)
        return _irfft2(pairs, h, w)


def with_runtime_matrices(generator: nn.Module) -> nn.Module:
    """Replace every Fourier unit of a generator, in place, and return the generator."""
    for module in generator.modules():
        for name, child in module.named_children():
            if isinstance(child, FourierUnit):
                setattr(module, name, RuntimeMatrixFourierUnit(child))
    return generator


def _matrix(rows: int, columns: int, period: int) -> tuple[Tensor, Tensor]:
    """Return cosines and sines of 2·pi·row·column / period, [rows,columns] each, orthonormal."""
    row = torch.arange(rows, dtype=torch.float32)
    column = torch.arange(columns, dtype=torch.float32)
    angles = row[:, None] * column[None, :] * (2 * math.pi / period)
    scale = 1.0 / torch.sqrt(torch.ones(()) * period)
    return torch.cos(angles) * scale, torch.sin(angles) * scale


def _rfft2(x: Tensor) -> Tensor:
    """Transform [N,C,H,W] to [N,C,H,W/2+1,2], as `torch.fft.rfft2` with `norm="ortho"`."""
    h, w = x.shape[2], x.shape[3]
    cos, sin = _matrix(w, w // 2 + 1, w)
    real = torch.einsum("nchw,wk->nchk", x, cos)
    imaginary = torch.einsum("nchw,wk->nchk", x, -sin)
    return torch.stack(_along_height(real, imaginary, h, sign=1.0), dim=-1)


def _irfft2(pairs: Tensor, h: int, w: int) -> Tensor:
    """Transform [N,C,H,W/2+1,2] back to [N,C,H,W], as `torch.fft.irfft2` with `norm="ortho"`."""
    real, imaginary = _along_height(pairs[..., 0], pairs[..., 1], h, sign=-1.0)
    real = torch.cat([real, torch.flip(real[..., 1:-1], dims=[-1])], dim=-1)
    imaginary = torch.cat([imaginary, -torch.flip(imaginary[..., 1:-1], dims=[-1])], dim=-1)
    cos, sin = _matrix(w, w, w)
    return torch.einsum("nchk,kw->nchw", real, cos) - torch.einsum("nchk,kw->nchw", imaginary, sin)


def _along_height(real: Tensor, imaginary: Tensor, h: int, *, sign: float) -> tuple[Tensor, Tensor]:
    """Transform a complex [N,C,H,K] along H; `sign` is 1 forward and -1 inverse."""
    cos, sin = _matrix(h, h, h)
    sin = sign * sin

    # The matrices are symmetric. For an Einsum, which public exports have here too, ONNX Runtime
    # transposes every operand: big-lama's shape then spends 1.3 s a run in its transforms'
    # products, 0.4 s with these. The peer gets its better form.
    return (
        torch.matmul(cos, real) + torch.matmul(sin, imaginary),
        torch.matmul(cos, imaginary) - torch.matmul(sin, real),
    )
