"""The DFT of a fixed-size map as products of a last axis by a constant on the right.

Mobile accelerators know no other product with a constant: it is a 1×1 convolution of whatever lies
last. The spectrum is one map of 2C channels, the real parts of all, then the imaginary ones, so
that the convolution between transform and inverse is one too:

    X @ R, with R = (cos; -sin) of the rows, re and im in turn       [N,C,H,2F]
    transposed, viewed as [N,C,F,2H], @ (re, im) of each row in turn [N,C,F,2H]
    transposed to [N,F,2H,C], viewed as [N,F,H,2C]

Between two products an axis has to come last, and more transpositions than these are not needed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import needs_extra
from lama_edge.exporters.graph.builder import GraphBuilder
from lama_edge.exporters.graph.dft.forms import (
    FORWARD_MATRIX,
    INVERSE_MATRIX,
    NO_GAINS,
    DftForm,
    DftGains,
    Spectrum,
    dft_matrices,
)

with needs_extra("export"):
    import onnx_ir as ir


class LastAxisDft(DftForm):
    """Matrix products on the right of maps whose transformed axis lies last."""

    is_map = True

    def __init__(
        self, builder: GraphBuilder, height: int, width: int, gains: DftGains = NO_GAINS
    ) -> None:
        super().__init__(builder)
        b, m = builder, dft_matrices(height, width)
        self._height = height
        columns = np.stack([m.column_re, m.column_im], axis=2).reshape(2 * height, -1)
        inverse = m.column_inverse.reshape(2, height, -1).swapaxes(0, 1)
        self._row = b.shared(FORWARD_MATRIX, _gained(m.row.T, gains.forward))
        self._row_inverse = b.shared(INVERSE_MATRIX, _gained(m.row_inverse, gains.inverse))
        self._columns = b.shared("dft.columns", columns)
        self._columns_inverse = b.shared(
            "dft.columns_inverse", np.ascontiguousarray(inverse).reshape(2 * height, -1)
        )

    def forward(self, x: ir.Value) -> Spectrum:
        """Transform [N,C,H,W] to one value [N,2C,F,H]."""
        b = self.builder
        rows = b.op("MatMul", "rows", x, self._row)
        transposed = b.op("Transpose", "transposed", rows, perm=[0, 1, 3, 2])
        pairs = b.op("Reshape", "pairs", transposed, b.integers(0, 0, -1, 2 * self._height))
        columns = b.op("MatMul", "columns", pairs, self._columns)
        last = b.op("Transpose", "columns_last", columns, perm=[0, 2, 3, 1])
        joined = b.op("Reshape", "joined", last, b.integers(0, 0, self._height, -1))
        return (b.op("Transpose", "spectrum", joined, perm=[0, 3, 1, 2]),)

    def inverse(self, spectrum: Spectrum) -> ir.Value:
        """Transform such a spectrum back to [N,C,H,W]."""
        b = self.builder
        last = b.op("Transpose", "mixed_last", spectrum[0], perm=[0, 2, 3, 1])
        apart = b.op("Reshape", "apart", last, b.integers(0, 0, 2 * self._height, -1))
        pairs = b.op("Transpose", "pairs_inverse", apart, perm=[0, 3, 1, 2])
        columns = b.op("MatMul", "columns_inverse", pairs, self._columns_inverse)
        rows = b.op("Reshape", "rows_inverse", columns, b.integers(0, 0, -1, self._height))
        transposed = b.op("Transpose", "transposed_inverse", rows, perm=[0, 1, 3, 2])
        return b.op("MatMul", "map", transposed, self._row_inverse)


def _gained(matrix: NDArray[np.float32], exponent: int) -> NDArray[np.float32]:
    return np.ascontiguousarray(np.ldexp(matrix, exponent))
