"""The arithmetic of the emulator as plain functions of torch tensors, for any graph format.

Each computes in the type that it is given, and changes none of its arguments.
"""

from __future__ import annotations

from collections.abc import Sequence

from lama_edge.errors import needs_extra

with needs_extra("export"):
    import torch
    import torch.nn.functional as F


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


def reflect_pad(x: torch.Tensor, before: Sequence[int], after: Sequence[int]) -> torch.Tensor:
    """Pad a tensor of any element type by reflection that does not repeat the edge.

    Args:
        x: of any shape.
        before: cells to add before each axis, fewer than it has.
        after: cells to add behind each axis, fewer than it has.

    Raises:
        ValueError: when an axis is too short, or an amount negative.
    """
    if any(not 0 <= each < side for each, side in zip((*before, *after), x.shape * 2, strict=True)):
        raise ValueError(f"cannot reflect {tuple(x.shape)} by {(*before, *after)}")
    padded = x.new_empty([b + size + a for b, size, a in zip(before, x.shape, after, strict=True)])
    centre = padded
    for axis, (start, size) in enumerate(zip(before, x.shape, strict=True)):
        centre = centre.narrow(axis, start, size)
    centre.copy_(x)
    # Axis by axis: a corner is copied from the border that the axis before has filled.
    for axis, (start, size, end) in enumerate(zip(before, x.shape, after, strict=True)):
        for first, source, length in (
            (0, start + 1, start),
            (start + size, start + size - 1 - end, end),
        ):
            mirrored = padded.narrow(axis, source, length).flip(axis)
            padded.narrow(axis, first, length).copy_(mirrored)
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


def quantise(x: torch.Tensor, scale: torch.Tensor, zero_point: torch.Tensor) -> torch.Tensor:
    """Divide by the scale, round half to even, add the zero point and saturate.

    Args:
        x: float32.
        scale: float32, shaped to broadcast against `x`.
        zero_point: of the scale's shape and the result's integer type.
    """
    limits = torch.iinfo(zero_point.dtype)
    steps = torch.div(x, scale).round_().add_(zero_point)
    return steps.clamp_(limits.min, limits.max).to(zero_point.dtype)


def dequantise(
    x: torch.Tensor, scale: torch.Tensor, zero_point: torch.Tensor | None
) -> torch.Tensor:
    """Subtract the zero point and multiply by the scale, in float32.

    Args:
        x: integers.
        scale: floats, shaped to broadcast against `x`.
        zero_point: integers of the scale's shape; None is zero.
    """
    steps = x if zero_point is None else x.to(torch.int32) - zero_point
    return steps.to(torch.float32) * scale.to(torch.float32)


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


def remainder(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return what dividing integers leaves over, of the divisor's sign; see `divide_integers`."""
    return torch.remainder(x, torch.where(y == -1, 1, y))


def widened(x: torch.Tensor | None) -> torch.Tensor | None:
    """Return float16 as float32 and integers as int64, which lose nothing; others as they are."""
    if x is None or x.dtype in (torch.bool, torch.float64):
        return x
    return x.to(torch.float32 if x.is_floating_point() else torch.int64)


def square_root(x: torch.Tensor) -> torch.Tensor:
    """Return the square root, correctly rounded; torch's in float32 is a unit off at times."""
    return torch.sqrt(x.to(torch.float64)).to(x.dtype)


def integers(x: torch.Tensor) -> list[int]:
    """Return the elements of a tensor of up to one axis."""
    return [int(value) for value in x.reshape(-1).tolist()]
