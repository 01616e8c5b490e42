"""The arithmetic of the emulator as plain functions of torch tensors, for any graph format.

Each computes in the type that it is given, and changes none of its arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from lama_edge.errors import needs_extra

with needs_extra("export"):
    import torch
    import torch.nn.functional as F

PadMode = Literal["constant", "reflect", "edge", "wrap"]


def convolve(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    *,
    strides: Sequence[int] = (1, 1),
    pads: Sequence[int] = (0, 0, 0, 0),
    dilations: Sequence[int] = (1, 1),
    groups: int = 1,
) -> torch.Tensor:
    """Convolve in two dimensions.

    Args:
        x: [N,C_in,H,W].
        weight: [C_out,C_in/groups,K,L].
        bias: [C_out] or None.
        strides: vertical, horizontal.
        pads: zeros at the top, left, bottom and right.
        dilations: vertical, horizontal.
        groups: into which the channels fall.

    Returns:
        [N,C_out,H',W'].
    """
    top, left, bottom, right = pads
    padding = (top, left)
    if (top, left) != (bottom, right):
        x, padding = F.pad(x, (left, right, top, bottom)), (0, 0)
    return F.conv2d(x, weight, bias, tuple(strides), padding, tuple(dilations), groups)


def convolve_transposed(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    *,
    strides: Sequence[int] = (1, 1),
    pads: Sequence[int] = (0, 0, 0, 0),
    output_padding: Sequence[int] = (0, 0),
    dilations: Sequence[int] = (1, 1),
    groups: int = 1,
) -> torch.Tensor:
    """Convolve in two dimensions, transposed.

    Args:
        x: [N,C_in,H,W].
        weight: [C_in,C_out/groups,K,L].
        bias: [C_out] or None.
        strides: vertical, horizontal.
        pads: what is cut off at the top, left, bottom and right.
        output_padding: what is added at the bottom and on the right before that.
        dilations: vertical, horizontal.
        groups: into which the channels fall.

    Returns:
        [N,C_out,H',W'].
    """
    top, left, bottom, right = pads
    full = F.conv_transpose2d(
        x, weight, None, tuple(strides), groups=groups, dilation=tuple(dilations)
    )
    added_below, added_right = output_padding
    cut = F.pad(full, (-left, added_right - right, -top, added_below - bottom))
    return cut if bias is None else cut + bias.reshape(-1, 1, 1)


def pad(
    x: torch.Tensor,
    before: Sequence[int],
    after: Sequence[int],
    mode: PadMode,
    value: float = 0,
) -> torch.Tensor:
    """Pad a tensor of any element type; what is added copies elements, or is `value`.

    Args:
        x: of any shape.
        before: cells to add before each axis; with ``constant`` a negative number cuts off.
        after: cells to add behind each axis.
        mode: as numpy.pad has it.
        value: what ``constant`` adds.

    Raises:
        ValueError: for a negative amount in another mode than ``constant``, or none to copy.
    """
    if mode != "constant":
        return _pad_with_copies(x, before, after, mode)
    pairs = list(zip(before, after, strict=True))
    flat = [amount for pair in reversed(pairs) for amount in pair]
    return F.pad(x, flat, value=value)


def _pad_with_copies(
    x: torch.Tensor, before: Sequence[int], after: Sequence[int], mode: PadMode
) -> torch.Tensor:
    if min([*before, *after], default=0) < 0:
        raise ValueError(f"cannot pad by {[*before, *after]} in the mode {mode}")
    padded = x.new_empty([b + size + a for b, size, a in zip(before, x.shape, after, strict=True)])
    centre = padded
    for axis, (start, size) in enumerate(zip(before, x.shape, strict=True)):
        centre = centre.narrow(axis, start, size)
    centre.copy_(x)
    # Axis by axis: a corner is copied from the border that the axis before has filled.
    for axis, (start, size, end) in enumerate(zip(before, x.shape, after, strict=True)):
        sources = np.pad(np.arange(size), (start, end), mode=mode) + start
        for first, length in ((0, start), (start + size, end)):
            if length:
                rows = torch.from_numpy(sources[first : first + length])
                padded.narrow(axis, first, length).copy_(padded.index_select(axis, rows))
    return padded


def depth_to_space(x: torch.Tensor, block: int, *, depth_first: bool) -> torch.Tensor:
    """Spread channels over blocks of pixels.

    Args:
        x: [N,C·block²,H,W].
        block: the block's side.
        depth_first: whether a pixel's position in the block is the channels' outer index (ONNX's
            DCR) or the inner one (CRD, torch's pixel_shuffle).

    Returns:
        [N,C,block·H,block·W].
    """
    n, _, height, width = x.shape
    shape = (block, block, -1) if depth_first else (-1, block, block)
    order = (0, 3, 4, 1, 5, 2) if depth_first else (0, 1, 4, 2, 5, 3)
    parts = x.reshape(n, *shape, height, width).permute(order)
    return parts.reshape(n, -1, height * block, width * block)


def space_to_depth(x: torch.Tensor, block: int) -> torch.Tensor:
    """Undo `depth_to_space` with `depth_first`: [N,C,block·H,block·W] to [N,C·block²,H,W]."""
    n, channels, height, width = x.shape
    parts = x.reshape(n, channels, height // block, block, width // block, block)
    return parts.permute(0, 3, 5, 1, 2, 4).reshape(n, -1, height // block, width // block)


def quantise(
    x: torch.Tensor, scale: torch.Tensor, zero_point: torch.Tensor | None, element: torch.dtype
) -> torch.Tensor:
    """Divide by the scale, round half to even, add the zero point and saturate.

    Args:
        x: float32.
        scale: float32, shaped to broadcast against `x`.
        zero_point: of the scale's shape; None is zero.
        element: the integer type of the result.
    """
    limits = torch.iinfo(element)
    steps = torch.div(x, scale).round_()
    if zero_point is not None:
        steps += zero_point
    return steps.clamp_(limits.min, limits.max).to(element)


def dequantise(
    x: torch.Tensor, scale: torch.Tensor, zero_point: torch.Tensor | None
) -> torch.Tensor:
    """Subtract the zero point and multiply by the scale, in float32.

    Args:
        x: integers.
        scale: float32, shaped to broadcast against `x`.
        zero_point: integers of the scale's shape; None is zero.
    """
    if x.dtype not in (torch.int8, torch.uint8):
        # The difference of wider integers is exact as integers only.
        x = x.to(torch.int64)
        return (x if zero_point is None else x - zero_point).to(torch.float32) * scale
    steps = x.to(torch.float32)
    if zero_point is not None:
        steps -= zero_point
    return steps.mul_(scale)


def cast(x: torch.Tensor, to: torch.dtype) -> torch.Tensor:
    """Convert elements; floating-point numbers lose their fraction on the way to integers."""
    if x.is_floating_point() and not to.is_floating_point and to != torch.bool:
        # What lies outside is undefined in C and ONNX; this way it wraps on every machine.
        x = x.to(torch.int64)
    return x.to(to)


def divide_integers(x: torch.Tensor, y: torch.Tensor, *, floor: bool) -> torch.Tensor:
    """Divide integers, rounding towards zero or down.

    Raises:
        RuntimeError: for a divisor of zero.
    """
    # The processor traps when the smallest integer is divided by -1, and takes the process with it.
    minus_one = y == -1
    numerator, divisor = torch.where(minus_one, -x, x), torch.where(minus_one, 1, y)
    return torch.div(numerator, divisor, rounding_mode="floor" if floor else "trunc")


def widened(x: torch.Tensor | None) -> torch.Tensor | None:
    """Return float16 as float32 and integers as int64, which lose nothing; others as they are."""
    if x is None or x.dtype in (torch.bool, torch.float64):
        return x
    return x.to(torch.float32 if x.is_floating_point() else torch.int64)


def square_root(x: torch.Tensor) -> torch.Tensor:
    """Return the square root, correctly rounded; torch's in float32 is a unit off at times."""
    return torch.sqrt(x.to(torch.float64)).to(x.dtype)
