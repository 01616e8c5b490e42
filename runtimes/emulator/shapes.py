"""Operators that make, move, join, cut and reshape tensors of any element type."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from lama_edge.errors import needs_extra
from lama_edge.runtimes.emulator.kernels import PadMode, depth_to_space, pad, space_to_depth
from lama_edge.runtimes.emulator.registry import Node, Operator, operator, own_type

with needs_extra("export"):
    import torch
    from torch import Tensor

OPERATORS: dict[str, Operator] = {}
_PAD_MODES = ("constant", "reflect", "edge", "wrap")


def _ints(x: Tensor) -> list[int]:
    """Return the elements of a tensor of up to one axis."""
    return [int(value) for value in x.reshape(-1).tolist()]


@operator(OPERATORS, "Shape", attributes=("start", "end"), exact=True, result=own_type)
def _shape(node: Node, x: Tensor) -> Tensor:
    start, end = node.attributes.get("start", 0), node.attributes.get("end")
    return torch.tensor(x.shape[start:end], dtype=torch.int64)


@operator(OPERATORS, "Reshape", attributes=("allowzero",), exact=True)
def _reshape(node: Node, x: Tensor, shape: Tensor) -> Tensor:
    sides = _ints(shape)
    if not node.attributes.get("allowzero", 0):
        sides = [x.shape[axis] if side == 0 else side for axis, side in enumerate(sides)]
    return x.reshape(sides)


@operator(OPERATORS, "Flatten", attributes=("axis",), exact=True)
def _flatten(node: Node, x: Tensor) -> Tensor:
    axis = node.attributes.get("axis", 1)
    return x.reshape(math.prod(x.shape[:axis]), -1)


@operator(OPERATORS, "Squeeze", exact=True)
def _squeeze(node: Node, x: Tensor, axes: Tensor | None = None) -> Tensor:
    if axes is None:
        return x.squeeze()
    dropped = {axis % x.dim() for axis in _ints(axes)}
    if any(x.shape[axis] != 1 for axis in dropped):
        raise ValueError(f"an axis to drop is not 1 in {tuple(x.shape)}")
    return x.reshape([side for axis, side in enumerate(x.shape) if axis not in dropped])


@operator(OPERATORS, "Unsqueeze", exact=True)
def _unsqueeze(node: Node, x: Tensor, axes: Tensor) -> Tensor:
    rank = x.dim() + axes.numel()
    for axis in sorted(axis % rank for axis in _ints(axes)):
        x = x.unsqueeze(axis)
    return x


@operator(OPERATORS, "Expand", exact=True)
def _expand(node: Node, x: Tensor, shape: Tensor) -> Tensor:
    return x.expand(np.broadcast_shapes(tuple(x.shape), tuple(_ints(shape))))


@operator(
    OPERATORS,
    "Constant",
    attributes=("value", "value_int", "value_ints", "value_float", "value_floats"),
)
def _never_called(node: Node) -> Tensor:
    raise NotImplementedError


@operator(OPERATORS, "ConstantOfShape", attributes=("value",), exact=True, result=own_type)
def _constant_of_shape(node: Node, shape: Tensor) -> Tensor:
    value: Tensor = node.attributes.get("value", torch.zeros(1))
    return value.reshape(()).expand(_ints(shape)).clone()


@operator(OPERATORS, "Range")
def _range(node: Node, start: Tensor, limit: Tensor, delta: Tensor) -> Tensor:
    first, end, step = (value.reshape(()).item() for value in (start, limit, delta))
    count = max(int(-((first - end) // step)), 0)
    return start.reshape(()) + torch.arange(count).to(start.dtype) * delta.reshape(())


@operator(OPERATORS, "Slice", exact=True)
def _slice(
    node: Node,
    x: Tensor,
    starts: Tensor,
    ends: Tensor,
    axes: Tensor | None = None,
    steps: Tensor | None = None,
) -> Tensor:
    first = _ints(starts)
    along = list(range(len(first))) if axes is None else _ints(axes)
    strides = [1] * len(first) if steps is None else _ints(steps)
    for axis, start, end, step in zip(along, first, _ints(ends), strides, strict=True):
        taken = range(*slice(start, end, step).indices(x.shape[axis]))
        if step > 0:
            index: list[Any] = [slice(None)] * x.dim()
            index[axis] = slice(taken.start, max(taken.start, taken.stop), step)
            x = x[tuple(index)]
        else:
            x = x.index_select(axis, torch.tensor(list(taken), dtype=torch.int64))
    return x


@operator(OPERATORS, "Split", attributes=("axis", "num_outputs"), exact=True)
def _split(node: Node, x: Tensor, sizes: Tensor | None = None) -> Sequence[Tensor]:
    axis, count = node.attributes.get("axis", 0) % x.dim(), len(node.outputs)
    if sizes is not None:
        lengths = _ints(sizes)
    else:
        side = math.ceil(x.shape[axis] / count)
        lengths = [side] * (count - 1)
        lengths.append(x.shape[axis] - sum(lengths))
    if sum(lengths) != x.shape[axis]:
        raise ValueError(f"cannot split {x.shape[axis]} into {lengths}")
    starts = np.cumsum([0, *lengths[:-1]]).tolist()
    return [x.narrow(axis, start, side) for start, side in zip(starts, lengths, strict=True)]


@operator(OPERATORS, "Gather", attributes=("axis",), exact=True)
def _gather(node: Node, x: Tensor, indices: Tensor) -> Tensor:
    axis = node.attributes.get("axis", 0) % x.dim()
    wanted = indices.to(torch.int64)
    positive = torch.where(wanted < 0, wanted + x.shape[axis], wanted)
    taken = x.index_select(axis, positive.reshape(-1))
    return taken.reshape(x.shape[:axis] + indices.shape + x.shape[axis + 1 :])


@operator(OPERATORS, "ArgMin", attributes=("axis",), exact=True, result=own_type)
def _arg_min(node: Node, x: Tensor) -> Tensor:
    return torch.argmin(x, node.attributes.get("axis", 0), keepdim=True)


@operator(OPERATORS, "Concat", attributes=("axis",), exact=True)
def _concat(node: Node, *parts: Tensor) -> Tensor:
    return torch.cat(parts, node.attributes["axis"])


@operator(OPERATORS, "Transpose", attributes=("perm",), exact=True)
def _transpose(node: Node, x: Tensor) -> Tensor:
    return x.permute(node.attributes.get("perm", tuple(reversed(range(x.dim())))))


@operator(OPERATORS, "DepthToSpace", attributes=("blocksize", "mode"), exact=True)
def _depth_to_space(node: Node, x: Tensor) -> Tensor:
    mode = node.attributes.get("mode", "DCR")
    if mode not in ("DCR", "CRD"):
        raise ValueError(f"there is no mode {mode!r}")
    return depth_to_space(x, node.attributes["blocksize"], depth_first=mode == "DCR")


@operator(OPERATORS, "SpaceToDepth", attributes=("blocksize",), exact=True)
def _space_to_depth(node: Node, x: Tensor) -> Tensor:
    return space_to_depth(x, node.attributes["blocksize"])


@operator(OPERATORS, "Pad", attributes=("mode",), exact=True)
def _pad(
    node: Node,
    x: Tensor,
    pads: Tensor,
    value: Tensor | None = None,
    axes: Tensor | None = None,
) -> Tensor:
    mode = node.attributes.get("mode", "constant")
    if mode not in _PAD_MODES:
        raise ValueError(f"there is no mode {mode!r}")
    along = range(x.dim()) if axes is None else _ints(axes)
    amounts = _ints(pads)
    before, after = [0] * x.dim(), [0] * x.dim()
    for position, axis in enumerate(along):
        before[axis], after[axis] = amounts[position], amounts[len(along) + position]
    filling = 0 if value is None else value.reshape(()).item()
    return pad(x, before, after, cast(PadMode, mode), filling)
