"""Convolution in two dimensions as matrix products."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.kernels.threads import shared

Array = NDArray[Any]

# Of what is laid out for a matrix product, or comes from it, at a time: a share of the last cache.
_BAND_BYTES = 8 << 20


def convolve(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    strides: Sequence[int] = (1, 1),
    pads: Sequence[int] = (0, 0, 0, 0),
    dilations: Sequence[int] = (1, 1),
    groups: int = 1,
    most: int | None = None,
) -> Array:
    """Convolve in two dimensions, as neural networks do: without turning the kernel round.

    Args:
        x: floats [N,C_in,H,W].
        weight: [C_out,C_in/groups,K,L], of the same type.
        bias: [C_out] of the same type, or None.
        strides: vertical, horizontal.
        pads: zeros at the top, left, bottom and right.
        dilations: vertical, horizontal.
        groups: into which the channels fall.
        most: elements of the largest array to make room for; None is any.

    Returns:
        [N,C_out,H',W'], of the same type.

    Raises:
        ValueError: when shapes or types do not fit, the window is larger than the padded map, or
            an array would be too large.
    """
    size = _checked_size(x, weight, bias, strides, pads, dilations, groups, most)
    out_channels, share, *window = weight.shape
    top, left, bottom, right = pads
    if any(pads):
        x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    out = np.empty((len(x), out_channels, *size), x.dtype)
    # The columns hold every input of a window, the products every output: the fewer are cheaper.
    products = tuple(strides) == (1, 1) and window != [1, 1] and 2 * out_channels <= x.shape[1]
    per_group = out_channels // groups
    for picture, result in zip(x, out, strict=True):
        for group in range(groups):
            inputs = slice(group * share, (group + 1) * share)
            outputs = slice(group * per_group, (group + 1) * per_group)
            maps, kernels, into = picture[inputs], weight[outputs], result[outputs]
            offset = None if bias is None else bias[outputs, None, None]
            if products:
                _add_products(maps, kernels, offset, into, dilations)
            else:
                _multiply_columns(maps, kernels, offset, into, strides, dilations)
    return out


def _checked_size(
    x: Array,
    weight: Array,
    bias: Array | None,
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    groups: int,
    most: int | None,
) -> list[int]:
    """Return the result's height and width; arguments and errors are those of `convolve`."""
    fits = x.ndim == weight.ndim == 4 and x.dtype == weight.dtype
    if not fits or x.dtype.kind != "f":
        raise ValueError(f"cannot convolve {x.dtype}{x.shape} with {weight.dtype}{weight.shape}")
    if min(*strides, *dilations, groups) < 1 or min(pads) < 0:
        raise ValueError(
            f"cannot convolve with {strides=}, {dilations=}, {groups=}, pads of {pads}"
        )
    out_channels, share, *window = weight.shape
    if x.shape[1] != share * groups or out_channels % groups or not weight.size:
        raise ValueError(f"{x.shape[1]} channels in {groups} groups do not fit {weight.shape}")
    if bias is not None and (bias.shape != (out_channels,) or bias.dtype != x.dtype):
        raise ValueError(f"a bias {bias.dtype}{bias.shape} does not fit {weight.shape}")
    top, left, bottom, right = pads
    padded = x.shape[2] + top + bottom, x.shape[3] + left + right
    size = [
        (side - (taps - 1) * gap - 1) // step + 1
        for side, taps, gap, step in zip(padded, window, dilations, strides, strict=True)
    ]
    if min(size) < 1:
        raise ValueError(f"a window of {window} spread by {list(dilations)} is larger than the map")
    # The padded map, the result, and the least band of columns.
    for shape in (
        (*x.shape[:2], *padded),
        (len(x), out_channels, *size),
        (*weight.shape[1:], size[1]),
    ):
        if most is not None and math.prod(shape) > most:
            raise ValueError(f"a map of {list(shape)} is too large")
    return size


def _multiply_columns(
    x: Array,
    weight: Array,
    bias: Array | None,
    out: Array,
    strides: Sequence[int],
    dilations: Sequence[int],
) -> None:
    """Fill ``out`` [C_out,H',W'] from ``x`` [C_in,H,W], a column of the product for each window."""
    (out_channels, height, width), window = out.shape, weight.shape[2:]
    rows = weight.reshape(out_channels, -1)
    band = _band(height, max(rows.shape) * width * x.itemsize)
    columns = np.empty((len(x), *window, band, width), x.dtype)
    for first in range(0, height, band):
        into = out[:, first : first + band]
        gathered = columns[:, :, :, : into.shape[1]]

        def gather(share: slice, first: int = first, gathered: Array = gathered) -> None:
            for i, j in np.ndindex(*window):
                y, left = first * strides[0] + i * dilations[0], j * dilations[1]
                bottom = y + (gathered.shape[3] - 1) * strides[0] + 1
                right = left + (width - 1) * strides[1] + 1
                gathered[share, i, j] = x[share, y : bottom : strides[0], left : right : strides[1]]

        if window == (1, 1) and tuple(strides) == (1, 1):
            gathered = x[:, first : first + band]
        else:
            shared(gather, len(x), gathered.size)
        count = into.shape[1] * width
        np.matmul(rows, gathered.reshape(-1, count), out=into.reshape(-1, count))
        if bias is not None:
            into += bias


def _add_products(
    x: Array, weight: Array, bias: Array | None, out: Array, dilations: Sequence[int]
) -> None:
    """Do the same for strides of 1: multiply every pixel by every tap, and add what lands on one.

    Low-memory GEMM-based convolution: Anderson et al. 2017, https://arxiv.org/abs/1709.03395.
    """
    (out_channels, height, width), window = out.shape, weight.shape[2:]
    taps = np.ascontiguousarray(weight.transpose(2, 3, 0, 1)).reshape(-1, len(x))
    out[:] = 0 if bias is None else bias
    band = _band(x.shape[1], len(taps) * x.shape[2] * x.itemsize)
    for first in range(0, x.shape[1], band):
        pixels = x[:, first : first + band]
        products = np.matmul(taps, pixels.reshape(len(x), -1))
        products = products.reshape(*window, out_channels, *pixels.shape[1:])
        top = max(0, first - (window[0] - 1) * dilations[0])
        bottom = min(height, first + pixels.shape[1])

        def add(
            share: slice, first: int = first, top: int = top, products: Array = products
        ) -> None:
            for i, j in np.ndindex(*window):
                down, left = i * dilations[0] - first, j * dilations[1]
                start = max(top + share.start, -down)
                end = min(top + share.stop, products.shape[3] - down)
                if start < end:
                    landed = products[i, j, :, start + down : end + down, left : left + width]
                    out[:, start:end] += landed

        shared(add, bottom - top, products.size)


def _band(height: int, row_bytes: int) -> int:
    """Return how many rows to compute at a time."""
    return max(1, min(height, _BAND_BYTES // max(1, row_bytes)))
