"""Convolution in two dimensions as matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.kernels.threads import shared

Array = NDArray[Any]

# Of the columns that one matrix product takes.
_BAND_BYTES = 32 << 20


def convolve(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    strides: Sequence[int] = (1, 1),
    pads: Sequence[int] = (0, 0, 0, 0),
    dilations: Sequence[int] = (1, 1),
    groups: int = 1,
) -> Array:
    """Convolve in two dimensions, as neural networks do: without turning the kernel round.

    Args:
        x: floats [N,C_in,H,W].
        weight: [C_out,C_in/groups,K,L], of the same type.
        bias: [C_out] or None.
        strides: vertical, horizontal.
        pads: zeros at the top, left, bottom and right.
        dilations: vertical, horizontal.
        groups: into which the channels fall.

    Returns:
        [N,C_out,H',W'], of the same type.

    Raises:
        ValueError: when channels do not fit, or the window is larger than the padded map.
    """
    n, channels, *_ = x.shape
    out_channels, share, *window = weight.shape
    if channels != share * groups or out_channels % groups:
        raise ValueError(f"{channels} channels in {groups} groups do not fit {weight.shape}")
    top, left, bottom, right = pads
    if any(pads):
        x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    height, width = (
        (side - (taps - 1) * gap - 1) // step + 1
        for side, taps, gap, step in zip(x.shape[2:], window, dilations, strides, strict=True)
    )
    if min(height, width) < 1:
        raise ValueError(f"a window of {window} spread by {list(dilations)} is larger than the map")
    out = np.empty((n, out_channels, height, width), np.result_type(x, weight))
    flat = weight.reshape(groups, out_channels // groups, -1)
    for picture, result in zip(x, out, strict=True):
        for maps, rows, into in zip(
            picture.reshape(groups, share, *picture.shape[1:]),
            flat,
            result.reshape(groups, out_channels // groups, height * width),
            strict=True,
        ):
            _convolve_map(maps, rows, into, window, strides, dilations, (height, width))
    if bias is not None:
        out += bias[:, None, None]
    return out


def _convolve_map(
    x: Array,
    weight: Array,
    out: Array,
    window: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    size: tuple[int, int],
) -> None:
    """Fill ``out`` [C_out,H'·W'] from ``x`` [C_in,H,W] and ``weight`` [C_out,C_in·K·L]."""
    height, width = size
    if window == [1, 1] and tuple(strides) == (1, 1):
        np.matmul(weight, x.reshape(len(x), -1), out=out)
        return
    taps = len(x) * window[0] * window[1]
    rows = max(1, min(height, _BAND_BYTES // (taps * width * x.itemsize)))
    columns = np.empty((len(x), *window, rows, width), x.dtype)
    for first in range(0, height, rows):
        count = min(rows, height - first)
        band = columns if count == rows else columns[:, :, :, :count]

        def fill(channels: slice, first: int = first, band: Array = band) -> None:
            for i in range(window[0]):
                top = first * strides[0] + i * dilations[0]
                bottom = top + (band.shape[3] - 1) * strides[0] + 1
                for j in range(window[1]):
                    left = j * dilations[1]
                    right = left + (width - 1) * strides[1] + 1
                    band[channels, i, j] = x[
                        channels, top : bottom : strides[0], left : right : strides[1]
                    ]

        shared(fill, len(x), band.size)
        np.matmul(
            weight,
            band.reshape(taps, count * width),
            out=out[:, first * width : (first + count) * width],
        )
