"""The generator's two ends, which have its largest maps, a band of rows at a time.

The stem and the first halving, the last doubling and the head work at the picture's own
resolution: with 64 channels of float32 a megapixel is 256 MB, and whole maps of it are written and
read four times. In loops (ONNX's `Scan`) over bands they stay small. Edges reflect by way of the
rows that a band gathers: of the picture, and again of the maps between two convolutions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lama_edge.errors import needs_extra
from lama_edge.exporters.graph.builder import GraphBuilder
from lama_edge.exporters.graph.expressions import Expression, best_divisor, extent
from lama_edge.exporters.graph.layers import (
    HEAD_BLOCK,
    Array,
    Weights,
    blocked_convolution,
    reflect_pad,
    upsampled,
    upsampling_convolution,
    upsampling_parameters,
)

with needs_extra("export"):
    import onnx_ir as ir

_REACH = 3  # of the stem and of the head, in pixels
# Rows that a band of the decoder reads on each side of its own, of those that are doubled: the
# three pixels that the head sees lie in two of them.
_BESIDE = 2
# Pixels of a band at half the resolution: 68 rows of 256 are 18 MB doubled, with 64 channels.
_BEST_PIXELS = 1 << 14
_CACHE_SHARE = 1 / 16
# Halvings and doublings from which rows come in blocks of the head's.
LEAST_STEPS = 2

# Writes a convolution and its ReLU: what it reads, padded, to its result.
Layer = Callable[[ir.Value], ir.Value]


def encoder_start(b: GraphBuilder, x: ir.Value, stem: Layer, down: Layer) -> ir.Value:
    """Write the stem and the first halving.

    Args:
        b: the graph under construction.
        x: float32 [N,C,H,W], H a multiple of 4.
        stem: writes the 7×7 convolution.
        down: writes the 3×3 convolution of stride 2.

    Returns:
        float32 [N,C_out,H/2,W/2].
    """
    height = extent(b, x, 2)
    half, width = height // 2, extent(b, x, 3) // 2
    rows = _rows_of_a_band(half, width)
    first = ((half // rows).steps() * rows).apart(1) * 2 - 1
    read = (first + (rows * 2 + (1 + 2 * _REACH)).steps() - _REACH).reflected(height)
    seen = (first + (rows * 2 + 1).steps()).reflected(height) - first

    def band(read: ir.Value, seen: ir.Value) -> Sequence[ir.Value]:
        piece = b.op("Gather", "rows", x, read, axis=2)
        piece = stem(reflect_pad(b, "pad", piece, _REACH, rows=0))
        piece = b.op("Gather", "down_rows", piece, seen, axis=2)
        return (down(reflect_pad(b, "down_pad", piece, 1, rows=0)),)

    (bands,) = b.scan("bands", (read.value, seen.value), (), band, own_constants=True)
    return _together(b, bands, half, width)


def _together(b: GraphBuilder, bands: ir.Value, height: Expression, width: Expression) -> ir.Value:
    """Join bands [B,N,C,R,W] to a map [N,C,H,W]."""
    together = b.op("Transpose", "bands_together", bands, perm=[1, 2, 0, 3, 4])
    shape = b.extents("map_shape", 0, 0, height.value, width.value)
    return b.op("Reshape", "map", together, shape)


def decoder_in_bands(
    b: GraphBuilder, x: ir.Value, layers: Weights, first: int, n_upsampling: int
) -> ir.Value:
    """Write what `layers.decoder` does, `LEAST_STEPS` doublings or more, its end in bands."""
    x = upsampled(b, x, layers, first, n_upsampling - 1)
    last = first + 3 * n_upsampling
    head = layers.at(str(last + 1))
    with b.scope("end"):
        up = upsampling_parameters(layers, last - 3)
        x = _end(b, x, up, (head["weight"], head["bias"]))
        return b.op("Sigmoid", "sigmoid", x)


def _end(
    b: GraphBuilder, x: ir.Value, up: tuple[Array, Array], head: tuple[Array, Array]
) -> ir.Value:
    """Write the last doubling and the head, [N,C,h,w] to [N,3,2h,2w], h even."""
    height, width = extent(b, x, 2), extent(b, x, 3)
    rows = _rows_of_a_band(height, width)
    first = ((height // rows).steps() * rows).apart(1)
    read = first + (rows + 2 * _BESIDE).steps() - _BESIDE
    inside = read.node("Max", 0).node("Min", height - 1)
    # Beyond the last row there is nothing, which a doubling sees as zeros.
    there = (height - read).node("Max", 0).node("Min", 1).as_type("float32").apart(2)
    pixels = first * 2 + (rows * 2 + 2 * _REACH).steps() - _REACH
    seen = pixels.reflected(height * 2) - (first - _BESIDE) * 2

    def band(inside: ir.Value, seen: ir.Value, there: ir.Value) -> Sequence[ir.Value]:
        piece = b.op("Gather", "rows", x, inside, axis=2)
        piece = b.op("Mul", "rows_there", piece, there)
        doubled = upsampling_convolution(b, "conv", piece, *up)
        padded = b.op("Gather", "pixel_rows", doubled, seen, axis=2)
        padded = reflect_pad(b, "pad", padded, _REACH, rows=0)
        return (blocked_convolution(b, "head", padded, *head, HEAD_BLOCK),)

    (bands,) = b.scan("bands", (inside.value, seen.value), (there.value,), band, own_constants=True)
    return _together(b, bands, height * 2, width * 2)


def _rows_of_a_band(height: Expression, width: Expression) -> Expression:
    """Return the even divisor of the height that costs least for each pixel."""
    half = height // 2
    candidates = half.steps() + 1
    rows = candidates.as_type("float32") * 2.0
    again = (rows + 2.0 * _BESIDE) / rows
    share = rows * width.as_type("float32") / float(_BEST_PIXELS)
    cost = again * (share.off_balance() * _CACHE_SHARE + 1.0)
    return best_divisor(half, cost, candidates) * 2
