"""The DFT of maps with their channels last, rows within bands and columns for some frequencies.

The orthonormal 2-D real DFT again, cut so that each part works on what the caches hold. A row
[W,C] is multiplied from the left, R @ row, to [2F,C]: real and imaginary part of each of
F = W // 2 + 1 bins in turn. For a bin, its H lines [H,2C] are the complex columns' transform's
input. That one is done in two factors H = J·K, as Cooley and Tukey have it ("An algorithm for the
machine calculation of complex Fourier series", Mathematics of Computation 19, 1965), with
n = K·n1 + n2 and k = k1 + J·k2:

    cos and sin of n1·k1 / J, apart     [2J,J] @ [J,K·2C]     real arithmetic on whole lines
    all the rest, for each k1           [2K,4K] @ [4K,C]      joins the parts, turns, sums over n2

so that nothing is transposed or multiplied apart; lines come out with k1 before k2, which the 1×1
convolution between transform and inverse does not mind. Every matrix is its inverse's transpose
(with Hermitian weights for the rows). Angles are reduced as integers and everything is computed
in float64 before it is rounded once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lama_edge.errors import needs_extra
from lama_edge.exporters.graph.builder import GraphBuilder
from lama_edge.exporters.graph.expressions import Expression, best_divisor, extent, stacked

with needs_extra("export"):
    import onnx_ir as ir


@dataclass(frozen=True)
class RowMatrices:
    """The transform of rows of W pixels.

    Attributes:
        forward: float32 [2F,W].
        inverse: float32 [W,2F], of the half spectrum of a real row.
        twice_bins: int64 [1], 2F.
    """

    forward: ir.Value
    inverse: ir.Value
    twice_bins: ir.Value


@dataclass(frozen=True)
class ColumnMatrices:
    """The transform of H = JK complex lines, in two factors.

    Attributes:
        first: float32 [2J,J].
        second: float32 [J,2K,4K].
        second_inverse: float32 [J,4K,2K].
        first_inverse: float32 [J,2J].
        first_shape: int64 [3], views lines [H,2C] of any number of frequencies as [J,2KC] each.
        joined_shape: int64 [3], views them as [2J,2KC].
        second_shape: int64 [4], views them as [J,4K,C].
        spectrum_shape: int64 [4], views them as [J,2K,C].
    """

    first: ir.Value
    second: ir.Value
    second_inverse: ir.Value
    first_inverse: ir.Value
    first_shape: ir.Value
    joined_shape: ir.Value
    second_shape: ir.Value
    spectrum_shape: ir.Value


def row_matrices(b: GraphBuilder, x: ir.Value) -> RowMatrices:
    """Return the matrices for rows of maps [N,1,H,W,C] like `x`."""
    with b.scope("dft_rows"):
        width = extent(b, x, 3)
        bins = width // 2 + 1
        cos, sin = _turns(bins.steps().apart(1) * width.steps(), width, width)
        pairs = stacked([cos, -sin], 1)
        # A bin that is its own mirror image (2k mod W = 0) counts once, others twice.
        own = (bins.steps() * 2 % width).apart(1, 2).equals(0)
        weighted = pairs.where(own, pairs * 2.0)
        forward = pairs.shaped(-1, width)
        inverse = weighted.shaped(-1, width).moved(1, 0)
        return RowMatrices(_rounded(forward), _rounded(inverse), (bins * 2).value)


def column_matrices(b: GraphBuilder, spectrum: ir.Value, channels: int) -> ColumnMatrices:
    """Return the matrices for the columns of spectra [N,1,H,F,2C] like `spectrum`."""
    with b.scope("dft_columns"):
        height = extent(b, spectrum, 2)
        first_factor = _factor_near_root(height)
        second_factor = height // first_factor
        n1, n2 = first_factor.steps(), second_factor.steps()
        cos, sin = _turns(n1.apart(1) * n1, first_factor, first_factor)
        first = stacked([cos, sin], 1).shaped(-1, first_factor)
        k = n1.apart(1) + n2 * first_factor
        cos, sin = _turns(k.apart(2) * n2, height, second_factor)
        # (re', im') = (c_re + s_im, c_im - s_re) of the first stage, times cos - i sin.
        to_re, to_im = [cos, sin, -sin, cos], [-sin, cos, -cos, -sin]
        joined = stacked(to_re + to_im, 2).shaped(0, 0, 2, 2, 2, second_factor)
        twice, four_times = (second_factor * 2).value, (second_factor * 4).value
        second = joined.moved(0, 1, 2, 3, 5, 4).shaped(0, second_factor * 2, second_factor * 4)
        long = (second_factor * (2 * channels)).value
        return ColumnMatrices(
            _rounded(first),
            _rounded(second),
            _rounded(second.moved(0, 2, 1)),
            _rounded(first.moved(1, 0)),
            b.extents("first_shape", -1, first_factor.value, long),
            b.extents("joined_shape", -1, (first_factor * 2).value, long),
            b.extents("second_shape", -1, first_factor.value, four_times, channels),
            b.extents("spectrum_shape", -1, first_factor.value, twice, channels),
        )


def transformed_columns(
    b: GraphBuilder,
    lines: ir.Value,
    matrices: ColumnMatrices,
    channels: int,
    mix: Callable[[ir.Value], ir.Value],
) -> ir.Value:
    """Transform the lines of some frequencies, mix their channels and transform them back.

    Args:
        b: the graph under construction.
        lines: float32 [NH,2C], the H lines of each of N frequencies, real parts first.
        matrices: for H lines.
        channels: C.
        mix: what happens to the spectrum's lines [NH,2C], in whatever order they are.

    Returns:
        float32 [N,J,2KC], the same lines.
    """
    m = matrices
    x = b.op("Reshape", "lines", lines, m.first_shape)
    x = b.op("MatMul", "columns_first", m.first, x)
    x = b.op("Reshape", "columns_apart", x, m.second_shape)
    x = b.op("MatMul", "columns_second", m.second, x)
    x = mix(b.op("Reshape", "columns", x, b.integers(-1, 2 * channels)))
    x = b.op("Reshape", "mixed_columns", x, m.spectrum_shape)
    x = b.op("MatMul", "columns_second_inverse", m.second_inverse, x)
    x = b.op("Reshape", "columns_joined", x, m.joined_shape)
    return b.op("MatMul", "columns_first_inverse", m.first_inverse, x)


def _turns(
    products: Expression, length: Expression, share: Expression
) -> tuple[Expression, Expression]:
    """Return cos and sin of 2π·products / length, over the root of `share`, float64."""
    angle = (products % length).as_type("float64") * (2 * np.pi) / length.as_type("float64")
    root = share.as_type("float64").node("Sqrt")
    # Sines alone: ONNX Runtime 1.16 and 1.18 have no cosine of float64.
    return (angle + np.pi / 2).node("Sin") / root, angle.node("Sin") / root


def _factor_near_root(number: Expression) -> Expression:
    """Return the divisor nearest to the root, on the logarithmic scale."""
    candidates = number.steps() + 1
    share = candidates.as_type("float32") / number.as_type("float32").node("Sqrt")
    return best_divisor(number, share.off_balance(), candidates)


def _rounded(matrix: Expression) -> ir.Value:
    return matrix.as_type("float32").value
