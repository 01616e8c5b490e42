"""Kernels that only move elements, of any type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def reflect_pad(x: Array, before: Sequence[int], after: Sequence[int]) -> Array:
    """Pad an array by reflection that does not repeat the edge.

    Args:
        x: of any shape.
        before: cells to add before each axis, fewer than it has.
        after: cells to add behind each axis, fewer than it has.

    Raises:
        ValueError: when an axis is too short, or an amount negative.
    """
    if any(not 0 <= each < side for each, side in zip((*before, *after), x.shape * 2, strict=True)):
        raise ValueError(f"cannot reflect {tuple(x.shape)} by {(*before, *after)}")
    extents = [b + side + a for b, side, a in zip(before, x.shape, after, strict=True)]
    padded = np.empty(extents, x.dtype)
    padded[tuple(slice(b, b + side) for b, side in zip(before, x.shape, strict=True))] = x
    # Axis by axis: a corner is copied from the border that the axis before has filled.
    for axis, (b, side, a) in enumerate(zip(before, x.shape, after, strict=True)):
        along = np.moveaxis(padded, axis, 0)
        along[:b] = along[b + 1 : 2 * b + 1][::-1]
        along[b + side :] = along[b + side - 1 - a : b + side - 1][::-1]
    return padded


def depth_to_space(x: Array, block: int, *, depth_first: bool) -> Array:
    """Spread channels over blocks of pixels.

    Args:
        x: [N,C·block²,H,W].
        block: the block's side.
        depth_first: whether a pixel's position in the block is the channels' outer index (ONNX's
            DCR) or the inner one (CRD, torch's pixel_shuffle).

    Returns:
        [N,C,block·H,block·W].
    """
    n, channels, height, width = x.shape
    left = channels // block**2
    shape = (block, block, left) if depth_first else (left, block, block)
    order = (0, 3, 4, 1, 5, 2) if depth_first else (0, 1, 4, 2, 5, 3)
    parts = x.reshape(n, *shape, height, width).transpose(order)
    spread: Array = parts.reshape(n, left, height * block, width * block)
    return spread
