"""Ops that sum: convolutions, matrix products, batch normalisation and reductions.

Documented in coremltools' "MIL Ops" reference on the pages conv, linear, normalization and
reduction; `Operator.page` names each op's entry.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from lama_edge.errors import needs_extra
from lama_edge.runtimes.emulator.kernels import convolve, convolve_transposed
from lama_edge.runtimes.mil_interpreter.registry import (
    Kernel,
    Operation,
    Operator,
    integer,
    integers,
    operator,
)

with needs_extra("coreml"):
    import torch
    from torch import Tensor

OPERATORS: dict[str, Operator] = {}

# The op set of iOS 17, in which weights may have another type than what they weigh.
_IOS17 = 7
_Pads = tuple[int, int, int, int]


@operator(OPERATORS, "iOS15.conv.conv", mixed_from=_IOS17)
def _conv(
    operation: Operation,
    x: Tensor,
    weight: Tensor,
    pad_type: str = "valid",
    bias: Tensor | None = None,
    strides: Tensor | None = None,
    pad: Tensor | None = None,
    dilations: Tensor | None = None,
    groups: Tensor | None = None,
) -> Tensor:
    """Convolve in two dimensions; see iOS15.conv.conv."""
    steps, spread = _window(x, weight, strides, dilations)
    extents = _extents(weight, spread)
    # As TensorFlow does: as much as makes the output the input's size over the stride.
    totals = [
        max(0, (-(-side // step) - 1) * step + extent - side)
        for side, step, extent in zip(x.shape[2:], steps, extents, strict=True)
    ]
    top, left, bottom, right = pads = _pads(pad_type, pad, totals)
    padded = (x.shape[2] + top + bottom, x.shape[3] + left + right)
    sides = zip(padded, extents, steps, strict=True)
    result = [(side - extent) // step + 1 for side, extent, step in sides]
    operation.result.check((x.shape[0], weight.shape[0], *result))
    return convolve(
        x,
        weight,
        bias,
        strides=steps,
        pads=pads,
        dilations=spread,
        groups=1 if groups is None else integer(groups),
    )


@operator(OPERATORS, "iOS15.conv.conv_transpose", mixed_from=_IOS17)
def _conv_transpose(
    operation: Operation,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    pad: Tensor | None = None,
    output_shape: Tensor | None = None,
    pad_type: str = "valid",
    strides: Tensor | None = None,
    dilations: Tensor | None = None,
    groups: Tensor | None = None,
) -> Tensor:
    """Convolve in two dimensions, transposed; see iOS15.conv.conv_transpose."""
    steps, spread = _window(x, weight, strides, dilations)
    extents = _extents(weight, spread)
    count = 1 if groups is None else integer(groups)
    full = [
        (side - 1) * step + extent
        for side, step, extent in zip(x.shape[2:], steps, extents, strict=True)
    ]
    wanted = [side * step for side, step in zip(x.shape[2:], steps, strict=True)]
    if output_shape is not None and pad_type == "same":
        wanted = integers(output_shape)[2:]
    totals = [max(0, side - goal) for side, goal in zip(full, wanted, strict=True)]
    top, left, bottom, right = pads = _pads(pad_type, pad, totals)
    # A kernel smaller than its stride leaves cells empty behind the last one.
    added = [0, 0]
    if pad_type.startswith("same"):
        added = [max(0, goal - side) for side, goal in zip(full, wanted, strict=True)]
    height, width = full[0] - top - bottom + added[0], full[1] - left - right + added[1]
    shape = (x.shape[0], weight.shape[1] * count, height, width)
    operation.result.check(shape)
    if output_shape is not None and tuple(integers(output_shape)) != shape:
        raise ValueError(f"output_shape is {integers(output_shape)}, and it gives {list(shape)}")
    return convolve_transposed(
        x,
        weight,
        bias,
        strides=steps,
        pads=pads,
        output_padding=added,
        dilations=spread,
        groups=count,
    )


def _window(
    x: Tensor, weight: Tensor, strides: Tensor | None, dilations: Tensor | None
) -> tuple[list[int], list[int]]:
    """Return strides and dilations, vertical and horizontal."""
    if x.dim() != 4 or weight.dim() != 4:
        raise ValueError(f"takes four axes, not {list(x.shape)} and {list(weight.shape)}")
    steps = [1, 1] if strides is None else integers(strides)
    spread = [1, 1] if dilations is None else integers(dilations)
    if len(steps) != 2 or len(spread) != 2 or min(*steps, *spread) < 1:
        raise ValueError(f"cannot convolve with the strides {steps} and dilations {spread}")
    return steps, spread


def _extents(weight: Tensor, spread: Sequence[int]) -> list[int]:
    """Return the height and width that a dilated kernel covers."""
    return [(side - 1) * gap + 1 for side, gap in zip(weight.shape[2:], spread, strict=True)]


def _pads(pad_type: str, pad: Tensor | None, totals: Sequence[int]) -> _Pads:
    """Return the pads at the top, left, bottom and right.

    Args:
        pad_type: ``valid``, ``custom``, ``same`` or ``same_lower``.
        pad: those of ``custom``: top, bottom, left, right.
        totals: vertical and horizontal ones together, for the last two.
    """
    if pad_type == "valid":
        return 0, 0, 0, 0
    if pad_type == "custom":
        given = [0, 0, 0, 0] if pad is None else integers(pad)
        if len(given) != 4 or min(given) < 0:
            raise ValueError(f"cannot pad two axes by {given}")
        top, bottom, left, right = given
        return top, left, bottom, right
    less, more = [total // 2 for total in totals], [-(-total // 2) for total in totals]
    if pad_type == "same":
        return less[0], less[1], more[0], more[1]
    if pad_type == "same_lower":
        return more[0], more[1], less[0], less[1]
    raise ValueError(f"there is no pad_type {pad_type!r}")


@operator(OPERATORS, "iOS15.linear.matmul", mixed_from=_IOS17)
def _matmul(
    operation: Operation,
    x: Tensor,
    y: Tensor,
    transpose_x: Tensor | None = None,
    transpose_y: Tensor | None = None,
) -> Tensor:
    """Multiply matrices, broadcasting the axes before them; see iOS15.linear.matmul."""
    left = x.mT if x.dim() > 1 and transpose_x is not None and transpose_x.item() else x
    right = y.mT if y.dim() > 1 and transpose_y is not None and transpose_y.item() else y
    if left.dim() > 1 and right.dim() > 1:
        batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
        operation.result.check((*batch, left.shape[-2], right.shape[-1]))
    return torch.matmul(left, right)


@operator(OPERATORS, "iOS15.linear.linear", mixed_from=_IOS17)
def _linear(operation: Operation, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x · weightᵀ + bias; see iOS15.linear.linear."""
    operation.result.check((*x.shape[:-1], weight.shape[0]))
    product = torch.matmul(x, weight.mT)
    return product if bias is None else product + bias


@operator(OPERATORS, "iOS15.normalization.batch_norm", mixed_from=_IOS17)
def _batch_norm(
    operation: Operation,
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    epsilon: Tensor | None = None,
) -> Tensor:
    """Normalise each channel; see iOS15.normalization.batch_norm."""
    scale = torch.rsqrt(variance + (1e-5 if epsilon is None else epsilon))
    if gamma is not None:
        scale = scale * gamma
    shift = -mean * scale if beta is None else beta - mean * scale
    shape = (-1, *[1] * (x.dim() - 2))
    return x * scale.reshape(shape) + shift.reshape(shape)


def _reduction(function: Callable[..., Tensor]) -> Kernel:
    def kernel(
        operation: Operation,
        x: Tensor,
        axes: Tensor | None = None,
        keep_dims: Tensor | None = None,
    ) -> Tensor:
        along = tuple(range(x.dim())) if axes is None else tuple(integers(axes))
        return function(x, along, keep_dims is not None and bool(keep_dims.item()))

    return kernel


# A mean of integers is one of iOS15.reduction.reduce_mean's types, and its rounding not said.
def _mean(x: Tensor, along: tuple[int, ...], keep: bool) -> Tensor:
    if not x.is_floating_point():
        raise ValueError("it takes the mean of floating-point numbers only")
    return torch.mean(x, along, keep)


_REDUCTIONS: dict[str, Callable[..., Tensor]] = {
    "iOS15.reduction.reduce_sum": torch.sum,
    "iOS15.reduction.reduce_mean": _mean,
    "iOS15.reduction.reduce_max": torch.amax,
    "iOS15.reduction.reduce_min": torch.amin,
}
for _page, _function in _REDUCTIONS.items():
    operator(OPERATORS, _page)(_reduction(_function))
