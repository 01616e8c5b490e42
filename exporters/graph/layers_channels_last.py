"""Layers of a fixed-size map in the forms that integer kernels are fast in: channels last.

Runtimes with integer kernels keep maps with their channels last, where rows of pixels are rows of
memory: neighbours become channels, or the other way round, without a copy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lama_edge.errors import needs_extra
from lama_edge.exporters.graph.builder import GraphBuilder
from lama_edge.exporters.graph.layers import Array, convolution, map_of_rows, product, relu

with needs_extra("export"):
    import onnx_ir as ir

_WINDOW = 3
# Pixels of a row that are viewed as one, see `paired_convolution`, and how such values are named.
PAIR = 2
PAIRS = "_pairs"


def reflected_windows(b: GraphBuilder, height: int, width: int) -> ir.Value:
    """Return which pixels each 3×3 window sees, int64 [HW,9]; the map's edges reflect."""
    padded = np.pad(np.arange(height * width).reshape(height, width), 1, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (_WINDOW, _WINDOW))
    return b.shared("windows", windows.reshape(height * width, -1))


@dataclass(frozen=True)
class SeenPixels:
    """What every window of a map sees.

    Attributes:
        rows: [NHW,9C], the pixels of each window.
        last: [N,H,W,C], the map.
    """

    rows: ir.Value
    last: ir.Value


def gathered(
    b: GraphBuilder, role: str, x: ir.Value, windows: ir.Value, channels: int
) -> SeenPixels:
    """Gather the pixels of every window of a map.

    One gather of whole pixels stands for the padding and for the copies that a convolution by
    matrix products makes, and several convolutions can read it.

    Args:
        b: the graph under construction.
        role: prefix of the nodes' names.
        x: float32 [N,C,H,W].
        windows: from `reflected_windows`.
        channels: C.
    """
    last = b.op("Transpose", f"{role}_last", x, perm=[0, 2, 3, 1])
    pixels = b.op("Reshape", f"{role}_pixels", last, b.integers(0, -1, channels))
    seen = b.op("Gather", f"{role}_seen", pixels, windows, axis=1)
    rows = b.op("Reshape", f"{role}_rows", seen, b.integers(-1, _WINDOW**2 * channels))
    return SeenPixels(rows, last)


def gathered_convolution(
    b: GraphBuilder, role: str, seen: SeenPixels, weight: Array, bias: Array | None
) -> ir.Value:
    """Convolve as one product of the windows' pixels: an integer one can give floats.

    Args:
        b: the graph under construction.
        role: prefix of the nodes' names.
        seen: from `gathered`, of a map [N,C_in,H,W].
        weight: [C_out,C_in,3,3].
        bias: [C_out] or None.

    Returns:
        float32 [N,C_out,H,W].
    """
    outputs = len(weight)
    columns = np.moveaxis(weight, 1, -1).reshape(outputs, -1)
    mixed = product(b, f"{role}_product", seen.rows, columns, bias)
    return map_of_rows(b, role, mixed, seen.last, outputs)


def paired_convolution(
    b: GraphBuilder, role: str, x: ir.Value, weight: Array, bias: Array
) -> ir.Value:
    """Convolve few channels and apply ReLU, on pairs of neighbours in a row.

    A pair of pixels of C channels is one of 2C, and the kernel, half as wide, gives both results
    at once: vectors that few channels leave half empty are full, for a seventh more products.

    Args:
        b: the graph under construction.
        role: prefix of the nodes' names.
        x: float32 [N,C_in,H,W], padded, W even.
        weight: [C_out,C_in,K,K], K odd.
        bias: [C_out].

    Returns:
        float32 [N,C_out,H-K+1,W-K+1].
    """
    outputs, inputs, size, _ = weight.shape
    kernels = np.zeros((PAIR, outputs, inputs, size, size + 1))
    for pixel in range(PAIR):
        kernels[pixel, ..., pixel : pixel + size] = weight
    halves = kernels.reshape(PAIR * outputs, inputs, size, -1, PAIR)
    paired = np.moveaxis(halves, -1, 1).reshape(PAIR * outputs, PAIR * inputs, size, -1)
    pairs = _beside(b, f"{role}{PAIRS}", x, PAIR * inputs)
    result = relu(b, f"{role}_relu", convolution(b, role, pairs, paired, np.tile(bias, PAIR)))
    return _beside(b, f"{role}_pixels", result, outputs)


def _beside(b: GraphBuilder, role: str, x: ir.Value, channels: int) -> ir.Value:
    """View the pixels of a row as more pixels of fewer channels, or as fewer of more."""
    last = b.op("Transpose", f"{role}_last", x, perm=[0, 2, 3, 1])
    viewed = b.op("Reshape", f"{role}_viewed", last, b.integers(0, 0, -1, channels))
    return b.op("Transpose", role, viewed, perm=[0, 3, 1, 2])
