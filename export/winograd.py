"""3×3 convolutions of wide maps in Winograd's form: a quarter of the products.

A tile of 4×4 results is read from 6×6 pixels; both are transformed by small constant matrices,
and between them each of the 36 positions is a matrix product over the channels alone:
F(4×4, 3×3) of Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016,
arXiv 1509.09308. The transforms are matrix products too, so nothing is gained by simple entries,
and the interpolation points are of little rounding error (Barabasz et al., "Error analysis and
improving the accuracy of Winograd convolution for deep neural networks", ACM TOMS 2020, arXiv
1803.10986). Maps have their channels last here, so that a tile is a gather of whole pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import needs_extra
from lama_edge.export.graph_builder import GraphBuilder
from lama_edge.export.layers import Array
from lama_edge.spec import Size

with needs_extra("export"):
    import onnx_ir as ir

TILE = 4
_TAPS = 3
_SEEN = TILE + _TAPS - 1
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
    results, weights = np.zeros((TILE, _SEEN)), np.zeros((_SEEN, _TAPS))
    pixels = np.zeros((_SEEN, _SEEN))
    for index, point in enumerate(points):
        others = np.delete(points, index)
        results[:, index] = point ** np.arange(TILE)
        weights[index] = point ** np.arange(_TAPS) / np.prod(point - others)
        pixels[index, :-1] = np.poly(others)[::-1]
    results[-1, -1] = weights[-1, -1] = 1
    pixels[-1] = np.poly(points)[::-1]
    both = (np.kron(one, one).astype(np.float64) for one in (pixels, weights, results))
    return Transforms(*both)


@dataclass(frozen=True)
class Tiling:
    """Where the pixels of a map's tiles are.

    Attributes:
        seen: int64 [36,T], the pixels that each of T tiles sees; the map's edges reflect.
        place: int64 [HW], where each pixel's result is among the [16,T] results.
        size: int64 [2], H and W.
    """

    seen: ir.Value
    place: ir.Value
    size: ir.Value


def fixed_tiling(b: GraphBuilder, size: Size) -> Tiling:
    """Return the tiling of maps of one size as constants that the graph shares."""
    down, across = (-(-side // TILE) for side in (size.height, size.width))
    rows, columns = (_seen(side) for side in (size.height, size.width))
    seen = rows[:, np.newaxis, :, np.newaxis] * size.width + columns[np.newaxis, :, np.newaxis]
    y, x = np.arange(size.height)[:, np.newaxis], np.arange(size.width)
    within = y % TILE * TILE + x % TILE
    place = within * (down * across) + y // TILE * across + x // TILE
    return Tiling(
        b.shared("winograd.seen", seen.reshape(_SEEN**2, -1)),
        b.shared("winograd.place", place.ravel()),
        b.integers(size.height, size.width),
    )


def _seen(side: int) -> NDArray[np.int64]:
    """Return the rows that each tile sees, int64 [6,tiles]."""
    rows = np.abs(np.arange(0, side, TILE) + np.arange(_SEEN)[:, np.newaxis] - 1)
    reflected: NDArray[np.int64] = np.maximum(side - 1 - np.abs(side - 1 - rows), 0)
    return reflected


def dynamic_tiling(b: GraphBuilder, x: ir.Value) -> Tiling:
    """Return the tiling of a map [N,C,H,W], made in the graph from its shape."""
    with b.scope("tiling"):
        size = b.op("Shape", "size", x, start=2, end=4)
        height, width = (b.op("Shape", n, x, start=a, end=a + 1) for n, a in (("h", 2), ("w", 3)))
        rows = _seen_in_graph(b, "rows", height)
        columns = _seen_in_graph(b, "columns", width)
        lines = b.op("Unsqueeze", "lines", b.op("Mul", "starts", rows, width), b.integers(1, 3))
        across = b.op("Unsqueeze", "across", columns, b.integers(0, 2))
        pixels = b.op("Add", "pixels", lines, across)
        seen = b.op("Reshape", "seen", pixels, b.integers(_SEEN**2, -1))
        tiles = b.op("Shape", "tiles", seen, start=1, end=2)
        tiles_across = b.op("Shape", "tiles_across", columns, start=1, end=2)
        down_step = b.op("Mul", "down_step", tiles, b.integers(TILE))
        by_row = _place_in_graph(b, "y", height, down_step, tiles_across)
        by_column = _place_in_graph(b, "x", width, tiles, b.integers(1))
        down = b.op("Unsqueeze", "down", by_row, b.integers(1))
        place = b.op("Add", "place_map", down, by_column)
        return Tiling(seen, b.op("Reshape", "place", place, b.integers(-1)), size)


def _place_in_graph(
    b: GraphBuilder, role: str, side: ir.Value, within_step: ir.Value, tile_step: ir.Value
) -> ir.Value:
    """Return each row's share of its pixels' places, int64 [side], from int64 [1] each."""
    zero, one = (b.shared(f"int64_scalar_{n}", np.array(n, dtype=np.int64)) for n in (0, 1))
    end = b.op("Squeeze", f"{role}_end", side)
    rows = b.op("Range", role, zero, end, one)
    rest = b.op("Mod", f"{role}_rest", rows, b.integers(TILE))
    tile = b.op("Div", f"{role}_tile", rows, b.integers(TILE))
    within = b.op("Mul", f"{role}_within", rest, within_step)
    return b.op("Add", f"{role}_place", within, b.op("Mul", f"{role}_tiles", tile, tile_step))


def _seen_in_graph(b: GraphBuilder, role: str, side: ir.Value) -> ir.Value:
    """Return what `_seen` returns, from a side as int64 [1]."""
    zero, one, four = (
        b.shared(f"int64_scalar_{n}", np.array(n, dtype=np.int64)) for n in (0, 1, 4)
    )
    starts = b.op("Range", f"{role}_starts", zero, b.op("Squeeze", f"{role}_end", side), four)
    taps = b.shared("winograd.taps", np.arange(-1, _SEEN - 1, dtype=np.int64)[:, np.newaxis])
    before = b.op("Abs", f"{role}_before", b.op("Add", f"{role}_taps", starts, taps))
    last = b.op("Sub", f"{role}_last", side, one)
    beyond = b.op("Abs", f"{role}_beyond", b.op("Sub", f"{role}_off", last, before))
    return b.op("Max", role, b.op("Sub", f"{role}_reflected", last, beyond), zero)


def transformed_pixels(
    b: GraphBuilder, role: str, x: ir.Value, tiling: Tiling, channels: int
) -> ir.Value:
    """Return a map's tiles, transformed.

    Args:
        b: the graph under construction.
        role: prefix of the nodes' names.
        x: float32 [N,C,H,W].
        tiling: the map's.
        channels: C.

    Returns:
        float32 [N,36,T,C].
    """
    matrix = b.shared("winograd.pixels", transforms().pixels.astype(np.float32))
    last = b.op("Transpose", f"{role}_last", x, perm=[0, 2, 3, 1])
    pixels = b.op("Reshape", f"{role}_pixels", last, b.integers(0, -1, channels))
    seen = b.op("Gather", f"{role}_seen", pixels, tiling.seen, axis=1)
    flat = b.op("Reshape", f"{role}_flat", seen, b.integers(0, _SEEN**2, -1))
    moved = b.op("MatMul", f"{role}_transformed", matrix, flat)
    return b.op("Reshape", f"{role}_tiles", moved, b.integers(0, _SEEN**2, -1, channels))


def transformed_convolution(b: GraphBuilder, role: str, tiles: ir.Value, weight: Array) -> ir.Value:
    """Convolve transformed tiles [N,36,T,C_in] with `weight` [C_out,C_in,3,3].

    The file keeps the nine taps; runtimes transform them once, when they fold constants.

    Returns:
        float32 [N,36,T,C_out], transformed results; those of several convolutions add up.
    """
    outputs, inputs = weight.shape[:2]
    taps = weight.reshape(outputs, inputs, -1).transpose(2, 1, 0).reshape(_TAPS**2, -1)
    matrix = b.shared("winograd.weights", transforms().weights.astype(np.float32))
    stored = b.constant(f"{role}.weight", taps.astype(np.float32))
    moved = b.op("MatMul", f"{role}_weights", matrix, stored)
    kernels = b.op("Reshape", f"{role}_kernels", moved, b.integers(_SEEN**2, inputs, outputs))
    return b.op("MatMul", f"{role}_products", tiles, kernels)


def results(
    b: GraphBuilder,
    role: str,
    products: ir.Value,
    bias: Array | None,
    tiling: Tiling,
    channels: int,
) -> ir.Value:
    """Return the map [N,C,H,W] of transformed results [N,36,T,C], a bias [C] added."""
    matrix = b.shared("winograd.results", transforms().results.astype(np.float32))
    flat = b.op("Reshape", f"{role}_flat", products, b.integers(0, _SEEN**2, -1))
    moved = b.op("MatMul", f"{role}_results", matrix, flat)
    pixels = b.op("Reshape", f"{role}_pixels", moved, b.integers(0, -1, channels))
    placed = b.op("Gather", f"{role}_placed", pixels, tiling.place, axis=1)
    if bias is not None:
        offset = b.constant(f"{role}.bias", bias.astype(np.float32))
        placed = b.op("Add", f"{role}_biased", placed, offset)
    shape = b.op(
        "Concat", f"{role}_shape", b.integers(0), tiling.size, b.integers(channels), axis=0
    )
    image = b.op("Reshape", f"{role}_image", placed, shape)
    return b.op("Transpose", role, image, perm=[0, 3, 1, 2])
