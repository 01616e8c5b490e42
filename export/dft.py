"""The orthonormal 2-D real DFT of a feature map, written in operators that runtimes have.

The spectrum is kept as LaMa's Fourier unit wants it: [N,2C,H,W/2+1] with real and imaginary
parts interleaved in the channel axis. As matrix products that needs no transposition:

    A = concat_H(X @ cosW, X @ -sinW)        [N,C,2H,W/2+1]
    M @ A, with M = [[cosH, sinH], [-sinH, cosH]], viewed as [N,2C,H,W/2+1]

and the inverse mirrors it, with Hermitian weights 1 for bin 0 (and Nyquist) and 2 otherwise.
Every matrix carries 1/sqrt(length) of its axis, so that no stage grows (numpy.fft's "ortho").
Angles are reduced as integers, `k * n mod N`, before cosine and sine: the product loses digits
in float32 as N grows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import needs_extra
from lama_edge.export.graph_builder import GraphBuilder

with needs_extra("export"):
    import onnx_ir as ir

_FLOAT = int(ir.DataType.FLOAT)
_TWO_PI = np.float32(2 * np.pi)


@dataclass(frozen=True)
class DftMatrices:
    """The four matrices of a map of size H x W, with F = W // 2 + 1 frequency bins.

    Attributes:
        row_cos: [W,F], forward transform of rows, real part.
        row_sin: [W,F], forward transform of rows, imaginary part.
        column: [2H,2H], forward transform of columns on stacked (re; im).
        column_inverse: [2H,2H], inverse transform of columns.
        row_cos_inverse: [F,W], real output from the real part.
        row_sin_inverse: [F,W], real output from the imaginary part.
    """

    row_cos: NDArray[np.float32]
    row_sin: NDArray[np.float32]
    column: NDArray[np.float32]
    column_inverse: NDArray[np.float32]
    row_cos_inverse: NDArray[np.float32]
    row_sin_inverse: NDArray[np.float32]


def dft_matrices(height: int, width: int) -> DftMatrices:
    """Compute the matrices in float64 and round them once."""
    bins = width // 2 + 1
    row_angle = _angles(np.arange(width), np.arange(bins), width)
    row_cos, row_sin = np.cos(row_angle) / np.sqrt(width), -np.sin(row_angle) / np.sqrt(width)
    column_angle = _angles(np.arange(height), np.arange(height), height)
    cos, sin = np.cos(column_angle) / np.sqrt(height), np.sin(column_angle) / np.sqrt(height)
    hermitian = np.full((bins, 1), 2.0)
    hermitian[0] = 1
    if width % 2 == 0:
        hermitian[-1] = 1
    return DftMatrices(
        *(
            matrix.astype(np.float32)
            for matrix in (
                row_cos,
                row_sin,
                np.block([[cos, sin], [-sin, cos]]),
                np.block([[cos, -sin], [sin, cos]]),
                row_cos.T * hermitian,
                row_sin.T * hermitian,
            )
        )
    )


def _angles(
    positions: NDArray[np.int64], frequencies: NDArray[np.int64], length: int
) -> NDArray[np.float64]:
    return 2 * np.pi * (np.outer(positions, frequencies) % length) / length


class DftForm(ABC):
    """One way to write the transform and its inverse into a graph."""

    def __init__(self, builder: GraphBuilder) -> None:
        self.builder = builder

    @abstractmethod
    def forward(self, x: ir.Value, channels: int) -> ir.Value:
        """Transform [N,C,H,W] to the interleaved spectrum [N,2C,H,F]."""

    @abstractmethod
    def inverse(self, spectrum: ir.Value, channels: int) -> ir.Value:
        """Transform the interleaved spectrum [N,2C,H,F] of C channels back to [N,C,H,W]."""


class MatmulDft(DftForm):
    """Matrix products with the matrices given as graph values."""

    def __init__(self, builder: GraphBuilder, matrices: dict[str, ir.Value]) -> None:
        super().__init__(builder)
        self._matrices = matrices

    def forward(self, x: ir.Value, channels: int) -> ir.Value:
        """See `DftForm.forward`."""
        b, m = self.builder, self._matrices
        real = b.op("MatMul", "rows_re", x, m["row_cos"])
        imag = b.op("MatMul", "rows_im", x, m["row_sin"])
        rows = b.op("Concat", "rows", real, imag, axis=2)
        both = b.op("MatMul", "columns", m["column"], rows)
        return b.op("Reshape", "spectrum", both, self._spectrum_shape(2 * channels, "forward"))

    def inverse(self, spectrum: ir.Value, channels: int) -> ir.Value:
        """See `DftForm.inverse`."""
        b, m = self.builder, self._matrices
        stacked = b.op("Reshape", "stacked", spectrum, self._spectrum_shape(channels, "inverse"))
        columns = b.op("MatMul", "columns_inverse", m["column_inverse"], stacked)
        half, end, axis = m["height"], b.integers(np.iinfo(np.int64).max), b.integers(2)
        real = b.op("Slice", "re", columns, b.integers(0), half, axis)
        imag = b.op("Slice", "im", columns, half, end, axis)
        from_real = b.op("MatMul", "rows_from_re", real, m["row_cos_inverse"])
        from_imag = b.op("MatMul", "rows_from_im", imag, m["row_sin_inverse"])
        return b.op("Add", "map", from_real, from_imag)

    def _spectrum_shape(self, channels: int, direction: str) -> ir.Value:
        """Return the Reshape target [0, channels, rows, 0]: batch and bins copied."""
        b = self.builder
        rows = "height" if direction == "forward" else "height_twice"
        name = f"dft.shape_{rows}_{channels}"
        if name not in self._matrices:
            fixed = self._matrices[rows].const_value
            if fixed is not None:
                shape = np.array([0, channels, int(fixed.numpy()[0]), 0], dtype=np.int64)
                self._matrices[name] = b.shared(name, shape)
            else:
                parts = (b.integers(0, channels), self._matrices[rows], b.integers(0))
                self._matrices[name] = b.op("Concat", f"shape_{channels}", *parts, axis=0)
        return self._matrices[name]


def constant_matmul_dft(builder: GraphBuilder, height: int, width: int) -> MatmulDft:
    """Return the matmul form for one bottleneck size, with constant matrices."""
    matrices = dft_matrices(height, width)
    values = {
        name: builder.shared(f"dft.{name}", getattr(matrices, name))
        for name in DftMatrices.__dataclass_fields__
    }
    values["height"] = builder.integers(height)
    values["height_twice"] = builder.integers(2 * height)
    return MatmulDft(builder, values)


def dynamic_matmul_dft(builder: GraphBuilder, feature_map: ir.Value) -> MatmulDft:
    """Return the matmul form whose matrices the graph makes from the shape of `feature_map`."""
    b = builder
    with b.scope("dft"):
        height, width = _side(b, "height", feature_map, 2), _side(b, "width", feature_map, 3)
        two = b.integers(2)
        half = b.op("Div", "width_half", width, two)
        bins = b.op("Add", "bins", half, b.integers(1))
        positions, frequencies = _range(b, "positions", width), _range(b, "frequencies", bins)
        cos, sin = _cos_sin(b, "row", positions, frequencies, width)
        row_sin = b.op("Neg", "row_sin_negative", sin)
        weights = _hermitian_weights(b, frequencies, width)
        rows = _range(b, "rows", height)
        column_cos, column_sin = _cos_sin(b, "column", rows, rows, height)
        negative = b.op("Neg", "column_sin_negative", column_sin)

        def block(name: str, upper: ir.Value, lower: ir.Value) -> ir.Value:
            top = b.op("Concat", f"{name}_top", column_cos, upper, axis=1)
            bottom = b.op("Concat", f"{name}_bottom", lower, column_cos, axis=1)
            return b.op("Concat", name, top, bottom, axis=0)

        def weighted_transpose(name: str, matrix: ir.Value) -> ir.Value:
            return b.op("Mul", name, b.op("Transpose", f"{name}_t", matrix, perm=[1, 0]), weights)

        values = {
            "row_cos": cos,
            "row_sin": row_sin,
            "column": block("column", column_sin, negative),
            "column_inverse": block("column_inverse", negative, column_sin),
            "row_cos_inverse": weighted_transpose("row_cos_inverse", cos),
            "row_sin_inverse": weighted_transpose("row_sin_inverse", row_sin),
            "height": height,
            "height_twice": b.op("Mul", "height_twice", height, two),
        }
    return MatmulDft(builder, values)


class OperatorDft(DftForm):
    """ONNX's own `DFT` operator, for runtimes that have it."""

    def __init__(self, builder: GraphBuilder, feature_map: ir.Value) -> None:
        super().__init__(builder)
        b = builder
        with b.scope("dft"):
            self._height = _side(b, "height", feature_map, 2)
            self._width = _side(b, "width", feature_map, 3)
            area = b.op("Mul", "area", self._height, self._width)
            self._root = b.op("Sqrt", "root", b.op("Cast", "area_float", area, to=_FLOAT))
            half = b.op("Div", "width_half", self._width, b.integers(2))
            bins = b.op("Add", "bins", half, b.integers(1))
            weights = _hermitian_weights(b, _range(b, "frequencies", bins), self._width)
            shape = b.integers(1, 1, 1, -1, 1)
            self._weights = b.op("Reshape", "weights_5d", weights, shape)
            self._width_scalar = b.op("Squeeze", "width_scalar", self._width)

    def forward(self, x: ir.Value, channels: int) -> ir.Value:
        """See `DftForm.forward`."""
        b = self.builder
        scaled = b.op("Div", "scaled", x, self._root)
        real = b.op("Unsqueeze", "real", scaled, b.integers(-1))
        rows = self._dft("rows", real, axis=3, onesided=1)
        columns = self._dft("columns", rows, axis=2)
        parts = b.op("Transpose", "parts", columns, perm=[0, 1, 4, 2, 3])
        shape = b.op(
            "Concat", "shape", b.integers(0, 2 * channels), self._height, b.integers(-1), axis=0
        )
        return b.op("Reshape", "spectrum", parts, shape)

    def inverse(self, spectrum: ir.Value, channels: int) -> ir.Value:
        """See `DftForm.inverse`.

        The rows of a real map are the real part of the inverse DFT of its weighted half
        spectrum, zero-padded to the full length.
        """
        b = self.builder
        shape = b.op(
            "Concat",
            "shape_inverse",
            b.integers(0, channels, 2),
            self._height,
            b.integers(-1),
            axis=0,
        )
        parts = b.op("Reshape", "parts_inverse", spectrum, shape)
        pairs = b.op("Transpose", "pairs", parts, perm=[0, 1, 3, 4, 2])
        columns = self._dft("columns_inverse", pairs, axis=2, inverse=1)
        weighted = b.op("Mul", "weighted", columns, self._weights)
        rows = self._dft("rows_inverse", weighted, axis=3, inverse=1, length=self._width_scalar)
        zero = b.shared("int64_scalar_0", np.array(0, dtype=np.int64))
        real = b.op("Gather", "real_part", rows, zero, axis=4)
        return b.op("Mul", "map", real, self._root)

    def _dft(
        self, role: str, x: ir.Value, *, axis: int, length: ir.Value | None = None, **flags: int
    ) -> ir.Value:
        if self.builder.opset < 20:
            inputs: list[Any] = [x] if length is None else [x, length]
            return self.builder.op("DFT", role, *inputs, axis=axis, **flags)
        axis_value = self.builder.shared(f"int64_scalar_{axis}", np.array(axis, dtype=np.int64))
        return self.builder.op("DFT", role, x, length, axis_value, **flags)


def _side(b: GraphBuilder, name: str, x: ir.Value, axis: int) -> ir.Value:
    """Return the extent of one axis of `x` as int64 [1]."""
    return b.op("Shape", name, x, start=axis, end=axis + 1)


def _range(b: GraphBuilder, name: str, length: ir.Value) -> ir.Value:
    """Return int64 [0, 1, …, length - 1]."""
    zero = b.shared("int64_scalar_0", np.array(0, dtype=np.int64))
    one = b.shared("int64_scalar_1", np.array(1, dtype=np.int64))
    return b.op("Range", name, zero, b.op("Squeeze", f"{name}_end", length), one)


def _cos_sin(
    b: GraphBuilder, name: str, rows: ir.Value, columns: ir.Value, length: ir.Value
) -> tuple[ir.Value, ir.Value]:
    """Return cos and sin of 2π·row·column/length, both over sqrt(length), as float32."""
    product = b.op(
        "Mul",
        f"{name}_product",
        b.op("Unsqueeze", f"{name}_i", rows, b.integers(1)),
        b.op("Unsqueeze", f"{name}_k", columns, b.integers(0)),
    )
    reduced = b.op("Mod", f"{name}_reduced", product, length)
    length_float = b.op("Cast", f"{name}_length", length, to=_FLOAT)
    step = b.op("Div", f"{name}_step", b.shared("two_pi", _TWO_PI.reshape(1)), length_float)
    angle = b.op("Mul", f"{name}_angle", b.op("Cast", f"{name}_turns", reduced, to=_FLOAT), step)
    root = b.op("Sqrt", f"{name}_root", length_float)
    cos = b.op("Div", f"{name}_cos", b.op("Cos", f"{name}_cos_raw", angle), root)
    sin = b.op("Div", f"{name}_sin", b.op("Sin", f"{name}_sin_raw", angle), root)
    return cos, sin


def _hermitian_weights(b: GraphBuilder, frequencies: ir.Value, width: ir.Value) -> ir.Value:
    """Return float32 [F,1]: 1 where a bin is its own mirror image (2k mod W = 0), else 2."""
    doubled = b.op("Mul", "doubled", frequencies, b.integers(2))
    mirror = b.op("Mod", "doubled_reduced", doubled, width)
    own = b.op("Equal", "own_mirror", mirror, b.integers(0))
    one = b.shared("float_1", np.array([1], dtype=np.float32))
    two = b.shared("float_2", np.array([2], dtype=np.float32))
    weights = b.op("Where", "weights", own, one, two)
    return b.op("Unsqueeze", "weights_column", weights, b.integers(1))
