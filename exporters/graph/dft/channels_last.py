"""The DFT of a fixed-size map whose channels lie last, as integer kernels want and give it.

A map is [N,H,W,C] here, and a matrix product from the left transforms an axis for all channels at
once; nothing is transposed. With J = H // 2 + 1 and F = W // 2 + 1 frequency bins:

    rows(H) @ [N,H,WC]                 columns transformed, (re, im) in turn      [N,2J,WC]
    viewed as [N,J,2W,C], spread @ …   the rows of bin j and of bin -j            [N,J,4F,C]
    viewed as [N·J·2F,2C]              real parts of all channels, then imaginary

The column of a real map's bin -j is the conjugate of bin j's, so that only half of the columns'
transform is computed; bins 0 and H / 2 come out twice, which costs 3 % at 64 rows. The inverse
mirrors it: the spectrum's two halves of a pair of bins add up in the product, and those that came
out twice count half each. The half plane of the spectrum is `numpy.fft.rfft2`'s own, because the
ReLU between transform and inverse sees real and imaginary parts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import needs_extra
from lama_edge.exporters.graph.builder import GraphBuilder
from lama_edge.exporters.graph.dft.forms import DftForm, Spectrum, dft_matrices
from lama_edge.exporters.graph.layers import Array, product

with needs_extra("export"):
    import onnx_ir as ir


class ChannelsLastDft(DftForm):
    """Matrix products on the left of maps with their channels last.

    The spectrum is one value, a row of 2C channels for every bin: all real parts, then all
    imaginary ones. So its convolution is one matrix product.
    """

    def __init__(self, builder: GraphBuilder, height: int, width: int, channels: int) -> None:
        super().__init__(builder)
        self._height, self._width, self._channels = height, width, channels
        b = builder
        rows = dft_matrices(width, height)
        spread, gather = _spread(width)
        self._columns = b.shared("dft.columns", rows.row)
        self._columns_inverse = b.shared(
            "dft.columns_inverse", np.ascontiguousarray(rows.row_inverse.T) / 2
        )
        self._spread = b.shared("dft.spread", spread)
        self._gather = b.shared("dft.gather", gather)

    def forward(self, x: ir.Value) -> Spectrum:
        """Transform [N,C,H,W] to one value [N·J·2F,2C]."""
        return (self.forward_last(self.builder.op("Transpose", "last", x, perm=[0, 2, 3, 1])),)

    def inverse(self, spectrum: Spectrum) -> ir.Value:
        """Transform such a spectrum back to [N,C,H,W]."""
        image = self.inverse_last(spectrum[0])
        return self.builder.op("Transpose", "map", image, perm=[0, 3, 1, 2])

    def forward_last(self, last: ir.Value) -> ir.Value:
        """Transform [N,H,W,C] to [N·J·2F,2C]."""
        b = self.builder
        lines = b.op("Reshape", "lines", last, b.integers(0, self._height, -1))
        columns = b.op("MatMul", "columns", self._columns, lines)
        pairs_shape = b.integers(0, self._height // 2 + 1, 2 * self._width, -1)
        pairs = b.op("Reshape", "pairs", columns, pairs_shape)
        rows = b.op("MatMul", "rows", self._spread, pairs)
        return b.op("Reshape", "spectrum", rows, b.integers(-1, 2 * self._channels))

    def inverse_last(self, spectrum: ir.Value) -> ir.Value:
        """Transform such a spectrum back to [N,H,W,C]."""
        b = self.builder
        bins = b.integers(-1, self._height // 2 + 1, 4 * (self._width // 2 + 1), self._channels)
        parts = b.op("Reshape", "parts", spectrum, bins)
        rows = b.op("MatMul", "rows_inverse", self._gather, parts)
        pairs_shape = b.integers(0, 2 * (self._height // 2 + 1), -1)
        pairs = b.op("Reshape", "pairs_inverse", rows, pairs_shape)
        columns = b.op("MatMul", "columns_inverse", self._columns_inverse, pairs)
        size = b.integers(0, self._height, self._width, -1)
        return b.op("Reshape", "map_last", columns, size)

    def product_last(
        self, role: str, last: ir.Value, weight: Array, bias: Array | None
    ) -> ir.Value:
        """Multiply the pixels of [N,H,W,C_in] by `weight` [C_out,C_in] and add `bias` [C_out]."""
        b = self.builder
        rows = b.op("Reshape", f"{role}_rows", last, b.integers(-1, weight.shape[1]))
        mixed = product(b, role, rows, weight, bias)
        size = b.integers(-1, self._height, self._width, len(weight))
        return b.op("Reshape", f"{role}_last", mixed, size)


def _spread(width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the product of a pair of columns (re, im) with all frequencies of a row, and back.

    The first is [4F,2W]: from (re, im) of W pixels each to (re, im) of each frequency, of bin j
    and then of bin -j. The second, [2W,4F], is its transpose with the Hermitian weights.
    """
    matrices = dft_matrices(1, width)
    sides = []
    for matrix in (matrices.row, matrices.row_inverse):
        cos, minus_sin = matrix[0::2], matrix[1::2]
        real, imaginary = np.hstack([cos, -minus_sin]), np.hstack([minus_sin, cos])
        mirrored_real, mirrored = np.hstack([cos, minus_sin]), np.hstack([minus_sin, -cos])
        pairs = [
            np.stack(pair, axis=1).reshape(-1, 2 * width)
            for pair in ((real, imaginary), (mirrored_real, mirrored))
        ]
        sides.append(np.vstack(pairs))
    return sides[0], np.ascontiguousarray(sides[1].T)
