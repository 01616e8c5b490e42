"""The orthonormal 2-D real DFT of a feature map, written in operators that runtimes have.

The spectrum of a map [N,C,H,W] is its real and its imaginary part, each [N,C,F,H] with
F = W // 2 + 1 frequency bins of the rows: which bin lies where does not matter to the 1×1
convolution between transform and inverse. As matrix products:

    R @ Xᵀ, with R = (cos; -sin) of the rows, re and im in turn      [N,C,2F,H]
    viewed as [N,C,F,2H], @ [cos; sin] and @ [-sin; cos]             [N,C,F,H] each

so that the second stage, which has most of the arithmetic, is one product with all channels' rows
on its left and not one small product for each channel. Runtimes fold the transposition into the
product. The inverse mirrors it, with Hermitian weights 1 for bin 0 (and Nyquist) and 2 otherwise.
Every matrix carries 1/sqrt(length) of its axis, so that no stage grows (numpy.fft's "ortho").
Angles are reduced as integers, `k * n mod N`, before cosine and sine: the product loses digits
in float32 as N grows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import needs_extra
from lama_edge.exporters.graph.builder import GraphBuilder

with needs_extra("export"):
    import onnx_ir as ir

# The names of the matrices that carry a graph's `DftGains`.
FORWARD_MATRIX = "dft.row"
INVERSE_MATRIX = "dft.row_inverse"

_FLOAT = int(ir.DataType.FLOAT)
_TWO_PI = np.float32(2 * np.pi)


# The real and the imaginary part, or, in some forms, both in one value.
Spectrum = tuple[ir.Value, ...]


@dataclass(frozen=True)
class DftGains:
    """Powers of two that are folded into the matrices, so that a spectrum fits a number format.

    Attributes:
        forward: of the transform.
        inverse: of its inverse.
    """

    forward: int = 0
    inverse: int = 0

    def by_matrix(self) -> dict[str, int]:
        """Return each gain by the name of the matrix that carries it."""
        return {FORWARD_MATRIX: self.forward, INVERSE_MATRIX: self.inverse}


NO_GAINS = DftGains()


@dataclass(frozen=True)
class DftMatrices:
    """The matrices of a map of size H x W, with F = W // 2 + 1 frequency bins.

    Attributes:
        row: [2F,W], transform of rows; cosines and negative sines of a bin follow each other.
        row_inverse: [2F,W], back to real rows.
        column_re: [2H,H], transform of columns from (re, im) to the real part.
        column_im: [2H,H], to the imaginary part.
        column_inverse: [2H,2H], from (re, im) to (re, im).
    """

    row: NDArray[np.float32]
    row_inverse: NDArray[np.float32]
    column_re: NDArray[np.float32]
    column_im: NDArray[np.float32]
    column_inverse: NDArray[np.float32]


def dft_matrices(height: int, width: int) -> DftMatrices:
    """Compute the matrices in float64 and round them once."""
    bins = width // 2 + 1
    row_angle = _angles(np.arange(bins), np.arange(width), width)
    row = np.stack([np.cos(row_angle), -np.sin(row_angle)], axis=1) / np.sqrt(width)
    hermitian = np.full((bins, 1, 1), 2.0)
    hermitian[0] = 1
    if width % 2 == 0:
        hermitian[-1] = 1
    column_angle = _angles(np.arange(height), np.arange(height), height)
    cos, sin = np.cos(column_angle) / np.sqrt(height), np.sin(column_angle) / np.sqrt(height)
    return DftMatrices(
        *(
            matrix.astype(np.float32)
            for matrix in (
                row.reshape(2 * bins, width),
                (row * hermitian).reshape(2 * bins, width),
                np.vstack([cos, sin]),
                np.vstack([-sin, cos]),
                np.block([[cos, sin], [-sin, cos]]),
            )
        )
    )


def _angles(
    positions: NDArray[np.int64], frequencies: NDArray[np.int64], length: int
) -> NDArray[np.float64]:
    return 2 * np.pi * (np.outer(positions, frequencies) % length) / length


class DftForm(ABC):
    """One way to write the transform and its inverse into a graph.

    Attributes:
        is_map: whether a spectrum of one value is a map [N,2C,F,H], and not rows of channels.
    """

    is_map: ClassVar[bool] = False

    def __init__(self, builder: GraphBuilder) -> None:
        self.builder = builder

    @abstractmethod
    def forward(self, x: ir.Value) -> Spectrum:
        """Transform [N,C,H,W] to the real and the imaginary part of its spectrum, [N,C,F,H]."""

    @abstractmethod
    def inverse(self, spectrum: Spectrum) -> ir.Value:
        """Transform such a spectrum back to [N,C,H,W]."""


class MatmulDft(DftForm):
    """Matrix products with the matrices given as graph values."""

    def __init__(
        self, builder: GraphBuilder, matrices: dict[str, ir.Value], shapes: dict[str, ir.Value]
    ) -> None:
        super().__init__(builder)
        self._matrices = matrices
        self._shapes = shapes

    def forward(self, x: ir.Value) -> Spectrum:
        """See `DftForm.forward`."""
        b, m = self.builder, self._matrices
        transposed = b.op("Transpose", "transposed", x, perm=[0, 1, 3, 2])
        rows = b.op("MatMul", "rows", m["row"], transposed)
        pairs = b.op("Reshape", "pairs", rows, self._shapes["pairs"])
        return (
            b.op("MatMul", "columns_re", pairs, m["column_re"]),
            b.op("MatMul", "columns_im", pairs, m["column_im"]),
        )

    def inverse(self, spectrum: Spectrum) -> ir.Value:
        """See `DftForm.inverse`."""
        b, m = self.builder, self._matrices
        pairs = b.op("Concat", "pairs_inverse", *spectrum, axis=3)
        columns = b.op("MatMul", "columns_inverse", pairs, m["column_inverse"])
        rows = b.op("Reshape", "rows_inverse", columns, self._shapes["rows"])
        transposed = b.op("Transpose", "transposed_inverse", rows, perm=[0, 1, 3, 2])
        return b.op("MatMul", "map", transposed, m["row_inverse"])


def constant_matmul_dft(
    builder: GraphBuilder, height: int, width: int, gains: DftGains = NO_GAINS
) -> MatmulDft:
    """Return the matmul form for one bottleneck size, with constant matrices."""
    matrices = dft_matrices(height, width)
    exponents = gains.by_matrix()
    values = {
        name: builder.shared(
            f"dft.{name}", np.ldexp(getattr(matrices, name), exponents.get(f"dft.{name}", 0))
        )
        for name in DftMatrices.__dataclass_fields__
    }
    shapes = {
        "pairs": builder.integers(0, 0, -1, 2 * height),
        "rows": builder.integers(0, 0, -1, height),
    }
    return MatmulDft(builder, values, shapes)


def dynamic_matmul_dft(
    builder: GraphBuilder, feature_map: ir.Value, gains: DftGains = NO_GAINS
) -> MatmulDft:
    """Return the matmul form whose matrices the graph makes from the shape of `feature_map`."""
    b = builder
    with b.scope("dft"):
        height, width = _side(b, "height", feature_map, 2), _side(b, "width", feature_map, 3)
        two = b.integers(2)
        half = b.op("Div", "width_half", width, two)
        bins = b.op("Add", "bins", half, b.integers(1))
        positions, frequencies = _range(b, "positions", width), _range(b, "frequencies", bins)
        row_cos, row_sin = _cos_sin(b, "row", frequencies, positions, width)
        row_pairs = b.op(
            "Concat",
            "row_pairs",
            b.op("Unsqueeze", "row_re", row_cos, b.integers(1)),
            b.op("Unsqueeze", "row_im", b.op("Neg", "row_minus", row_sin), b.integers(1)),
            axis=1,
        )
        weights = _hermitian_weights(b, frequencies, width)
        weights = b.op("Unsqueeze", "weights_3d", weights, b.integers(2))
        weighted = b.op("Mul", "row_weighted", row_pairs, weights)
        row_shape = b.op("Concat", "row_shape", b.integers(-1), width, axis=0)
        rows = _range(b, "rows", height)
        cos, sin = _cos_sin(b, "column", rows, rows, height)
        minus = b.op("Neg", "column_minus", sin)
        re = b.op("Concat", "column_re", cos, sin, axis=0)
        im = b.op("Concat", "column_im", minus, cos, axis=0)
        # The matrix of (re, im) to (re, im) is the forward one's transpose.
        forward = b.op("Concat", "column_forward", re, im, axis=1)
        matrices = {
            "row": b.op("Reshape", "row", _gained(b, row_pairs, gains.forward), row_shape),
            "row_inverse": b.op(
                "Reshape", "row_inverse", _gained(b, weighted, gains.inverse), row_shape
            ),
            "column_re": re,
            "column_im": im,
            "column_inverse": b.op("Transpose", "column_inverse", forward, perm=[1, 0]),
        }
        keep = b.integers(0, 0, -1)
        twice = b.op("Mul", "height_twice", height, two)
        shapes = {
            "pairs": b.op("Concat", "pairs_shape", keep, twice, axis=0),
            "rows": b.op("Concat", "rows_shape", keep, height, axis=0),
        }
    return MatmulDft(builder, matrices, shapes)


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
            self._weights = weights
            self._width_scalar = b.op("Squeeze", "width_scalar", self._width)

    def forward(self, x: ir.Value) -> Spectrum:
        """See `DftForm.forward`."""
        b = self.builder
        scaled = b.op("Div", "scaled", x, self._root)
        real = b.op("Unsqueeze", "real", scaled, b.integers(-1))
        rows = self._dft("rows", real, axis=3, onesided=1)
        columns = self._dft("columns", rows, axis=2)
        parts = b.op("Transpose", "parts", columns, perm=[4, 0, 1, 3, 2])
        return self._part("columns_re", parts, 0), self._part("columns_im", parts, 1)

    def inverse(self, spectrum: Spectrum) -> ir.Value:
        """See `DftForm.inverse`.

        The rows of a real map are the real part of the inverse DFT of its weighted half
        spectrum, zero-padded to the full length.
        """
        b = self.builder
        parts = [
            b.op("Unsqueeze", f"{name}_first", part, b.integers(0))
            for name, part in zip(("re", "im"), spectrum, strict=True)
        ]
        joined = b.op("Concat", "parts_inverse", *parts, axis=0)
        pairs = b.op("Transpose", "pairs", joined, perm=[1, 2, 4, 3, 0])
        columns = self._dft("columns_inverse", pairs, axis=2, inverse=1)
        weighted = b.op("Mul", "weighted", columns, self._weights)
        rows = self._dft("rows_inverse", weighted, axis=3, inverse=1, length=self._width_scalar)
        return b.op("Mul", "map", self._part("real_part", rows, 0, axis=4), self._root)

    def _part(self, role: str, x: ir.Value, index: int, *, axis: int = 0) -> ir.Value:
        scalar = self.builder.shared(f"int64_scalar_{index}", np.array(index, dtype=np.int64))
        return self.builder.op("Gather", role, x, scalar, axis=axis)

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


def _gained(b: GraphBuilder, x: ir.Value, exponent: int) -> ir.Value:
    """Multiply by a power of two."""
    if exponent == 0:
        return x
    role = str(x.name).rpartition(".")[2]
    factor = np.array(np.ldexp(1.0, exponent), dtype=np.float32)
    return b.op("Mul", f"{role}_gained", x, b.constant(f"{role}_gain", factor))


def _hermitian_weights(b: GraphBuilder, frequencies: ir.Value, width: ir.Value) -> ir.Value:
    """Return float32 [F,1]: 1 where a bin is its own mirror image (2k mod W = 0), else 2."""
    doubled = b.op("Mul", "doubled", frequencies, b.integers(2))
    mirror = b.op("Mod", "doubled_reduced", doubled, width)
    own = b.op("Equal", "own_mirror", mirror, b.integers(0))
    one = b.shared("float_1", np.array([1], dtype=np.float32))
    two = b.shared("float_2", np.array([2], dtype=np.float32))
    weights = b.op("Where", "weights", own, one, two)
    return b.op("Unsqueeze", "weights_column", weights, b.integers(1))
