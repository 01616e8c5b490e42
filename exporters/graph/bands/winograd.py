"""3×3 convolutions of wide maps in Winograd's form: a quarter of the products.

A tile of 4×4 results is read from 6×6 pixels; both are transformed by small constant matrices,
and between them each of the 36 positions is a matrix product over the channels alone:
F(4×4, 3×3) of Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016,
arXiv 1509.09308. The transforms are matrix products too, so nothing is gained by simple entries,
and the interpolation points are of little rounding error (Barabasz et al., "Error analysis and
improving the accuracy of Winograd convolution for deep neural networks", ACM TOMS 2020, arXiv
1803.10986). Maps are rows of channels here, one for each pixel, so that a tile is a gather of rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import needs_extra
from lama_edge.exporters.graph.builder import GraphBuilder
from lama_edge.exporters.graph.layers import Array

with needs_extra("export"):
    import onnx_ir as ir

TILE = 4
TAPS = 3
SEEN = TILE + TAPS - 1
# Root mean square of the error of sums over 256 channels, relative to the result's: 1.1e-6; with
# Lavin and Gray's 0, 1, -1, 2, -2 it is 2.6e-6, a direct convolution's 3e-7.
_POINTS = (0.0, 0.625, -0.625, 1.5, -1.5)


@dataclass(frozen=True)
class Transforms:
    """The three matrices of F(4×4, 3×3), for both axes at once.

    Attributes:
        pixels: float64 [36,36], of a tile's pixels.
        weights: float64 [36,9], of a kernel's taps.
        results: float64 [16,36], to a tile's results.
    """

    pixels: NDArray[np.float64]
    weights: NDArray[np.float64]
    results: NDArray[np.float64]


def transforms() -> Transforms:
    """Return the matrices: Toom and Cook's interpolation at `_POINTS` and at infinity."""
    points = np.array(_POINTS)
    results, weights = np.zeros((TILE, SEEN)), np.zeros((SEEN, TAPS))
    pixels = np.zeros((SEEN, SEEN))
    for index, point in enumerate(points):
        others = np.delete(points, index)
        results[:, index] = point ** np.arange(TILE)
        weights[index] = point ** np.arange(TAPS) / np.prod(point - others)
        pixels[index, :-1] = np.poly(others)[::-1]
    results[-1, -1] = weights[-1, -1] = 1
    pixels[-1] = np.poly(points)[::-1]
    both = (np.kron(one, one).astype(np.float64) for one in (pixels, weights, results))
    return Transforms(*both)


def weights_matrix(b: GraphBuilder, x: ir.Value) -> ir.Value:
    """Return the weights' transform, float32 [36,9], as a value that depends on the input `x`.

    So no runtime can take transformed weights for constants and keep them: they are four times as
    large as the taps, and making them anew in the caches takes hardly longer than reading them
    from memory. The dependence is on a value, since extents may be constants: nothing is over
    the largest number, so what it is changes nothing.
    """
    flat = b.op("Reshape", "flat", x, b.integers(-1))
    first = b.op("Gather", "first", flat, b.integers(0))
    largest = b.shared("float_largest", np.array(np.finfo(np.float32).max))
    never, always = (b.shared(f"float_{n}", np.array(v, np.float32)) for n, v in ((0, 0), (1, [1])))
    one = b.op("Where", "one", b.op("Greater", "over", first, largest), never, always)
    matrix = b.shared("winograd.weights", transforms().weights.astype(np.float32))
    return b.op("Mul", "weights_matrix", matrix, one)


def transformed_weights(b: GraphBuilder, role: str, weight: Array, matrix: ir.Value) -> ir.Value:
    """Return `weight` [C_out,C_in,3,3] transformed by `matrix`, float32 [36,C_in,C_out]."""
    outputs, inputs = weight.shape[:2]
    taps = weight.reshape(outputs, inputs, -1).transpose(2, 1, 0).reshape(TAPS**2, -1)
    stored = b.constant(f"{role}.weight", taps.astype(np.float32))
    moved = b.op("MatMul", f"{role}_weights", matrix, stored)
    return b.op("Reshape", f"{role}_kernels", moved, b.integers(SEEN**2, inputs, outputs))


def transformed_pixels(
    b: GraphBuilder, role: str, pixels: ir.Value, seen: ir.Value, channels: int
) -> ir.Value:
    """Return the tiles of a map, transformed: ready for products with transformed weights.

    Args:
        b: the graph under construction.
        role: prefix of the nodes' names.
        pixels: float32 [P,C], a map's.
        seen: int64 [36,T], which of them each tile sees.
        channels: C.

    Returns:
        float32 [36,T,C].
    """
    matrix = b.shared("winograd.pixels", transforms().pixels.astype(np.float32))
    gathered = b.op("Gather", f"{role}_seen", pixels, seen, axis=0)
    flat = b.op("Reshape", f"{role}_flat", gathered, b.integers(SEEN**2, -1))
    moved = b.op("MatMul", f"{role}_transformed", matrix, flat)
    return b.op("Reshape", f"{role}_tiles", moved, b.integers(SEEN**2, -1, channels))


def results(
    b: GraphBuilder, role: str, products: ir.Value, place: ir.Value, channels: int
) -> ir.Value:
    """Return the pixels [P,C] that transformed results stand for.

    Args:
        b: the graph under construction.
        role: prefix of the nodes' names.
        products: float32 [36,T,C], tiles times weights; those of several convolutions add up.
        place: int64 [P], where each pixel is among the [16,T] results.
        channels: C.
    """
    matrix = b.shared("winograd.results", transforms().results.astype(np.float32))
    flat = b.op("Reshape", f"{role}_flat", products, b.integers(SEEN**2, -1))
    moved = b.op("MatMul", f"{role}_results", matrix, flat)
    pixels = b.op("Reshape", f"{role}_results_pixels", moved, b.integers(-1, channels))
    return b.op("Gather", f"{role}_placed", pixels, place, axis=0)
