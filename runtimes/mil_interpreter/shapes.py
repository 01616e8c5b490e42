"""Ops that make, move, join, cut and reshape tensors.

Documented in coremltools' "MIL Ops" reference on the pages tensor_operation,
tensor_transformation, scatter_gather and image_resizing; `Operator.page` names each op's entry.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from lama_edge.errors import needs_extra
from lama_edge.runtimes.emulator.kernels import PadMode, depth_to_space, pad, space_to_depth
from lama_edge.runtimes.mil_interpreter.elements import FP32, INT32, Element
from lama_edge.runtimes.mil_interpreter.registry import (
    Declared,
    Operation,
    Operator,
    always,
    integer,
    integers,
    like,
    operator,
)

with needs_extra("coreml"):
    import torch
    from torch import Tensor

OPERATORS: dict[str, Operator] = {}

_OPERATION = "iOS15.tensor_operation"
_TRANSFORMATION = "iOS15.tensor_transformation"
_RESIZING = "iOS15.image_resizing"
_PAD_MODES: dict[str, PadMode] = {
    "constant": "constant",
    "reflect": "reflect",
    "replicate": "edge",
}
# The op set of iOS 17, in which 0 in a shape to reshape to counts axes from the right.
_IOS17 = 7


@operator(OPERATORS, f"{_OPERATION}.concat", exact=True, result=like("values"), variadic="values")
def _concat(
    operation: Operation, values: list[Tensor], axis: Tensor, interleave: Tensor | None = None
) -> Tensor:
    """Join along an axis, or take turns along it; see iOS15.tensor_operation.concat."""
    along = integer(axis)
    if interleave is None or not interleave.item():
        return torch.cat(values, along)
    along = along % values[0].dim()
    return torch.stack(values, along + 1).flatten(along, along + 1)


@operator(OPERATORS, f"{_OPERATION}.split", exact=True)
def _split(
    operation: Operation,
    x: Tensor,
    axis: Tensor,
    num_splits: Tensor | None = None,
    split_sizes: Tensor | None = None,
) -> Sequence[Tensor]:
    """Cut along an axis; see iOS15.tensor_operation.split."""
    along = integer(axis)
    length, count = x.shape[along], len(operation.outputs)
    sizes = [length // count] * count if split_sizes is None else integers(split_sizes)
    if sum(sizes) != length or len(sizes) != count:
        raise ValueError(f"cannot split {length} into {count} parts of {sizes}")
    if num_splits is not None and integer(num_splits) != count:
        raise ValueError(f"num_splits is {integer(num_splits)}, and it has {count} outputs")
    return torch.split(x, sizes, along)


@operator(OPERATORS, f"{_OPERATION}.pad", exact=True)
def _pad(
    operation: Operation,
    x: Tensor,
    pad: Tensor,
    mode: str = "constant",
    constant_val: Tensor | None = None,
) -> Tensor:
    """Pad the last axes; see iOS15.tensor_operation.pad."""
    amounts = integers(pad)
    if mode not in _PAD_MODES:
        raise ValueError(f"there is no mode {mode!r}")
    if min(amounts, default=0) < 0 or len(amounts) % 2 or len(amounts) > 2 * x.dim():
        raise ValueError(f"cannot pad {x.dim()} axes by {amounts}")
    untouched = [0] * (x.dim() - len(amounts) // 2)
    before, after = [*untouched, *amounts[::2]], [*untouched, *amounts[1::2]]
    sides = zip(before, x.shape, after, strict=True)
    operation.result.check(tuple(sum(parts) for parts in sides))
    if mode == "reflect" and any(
        max(pair) >= side for *pair, side in zip(before, after, x.shape, strict=True) if any(pair)
    ):
        raise ValueError(f"cannot reflect {list(x.shape)} by {amounts}")
    value = 0 if constant_val is None else constant_val.reshape(()).item()
    return _padded(x, before, after, _PAD_MODES[mode], value)


# The kernel's own name is that of one of the op's inputs.
_padded = pad


@operator(OPERATORS, f"{_OPERATION}.tile", exact=True)
def _tile(operation: Operation, x: Tensor, reps: Tensor) -> Tensor:
    """Repeat along each axis; see iOS15.tensor_operation.tile."""
    counts = integers(reps)
    operation.result.check(tuple(s * n for s, n in zip(x.shape, counts, strict=True)))
    return x.repeat(counts)


@operator(OPERATORS, f"{_OPERATION}.shape", exact=True, result=always(INT32))
def _shape(operation: Operation, x: Tensor) -> Tensor:
    """Return the extents; see iOS15.tensor_operation.shape."""
    return torch.tensor(x.shape)


def _filled_type(declared: Declared) -> Element:
    given = declared.types.get("value")
    return FP32 if given is None else given.element


@operator(OPERATORS, f"{_OPERATION}.fill", exact=True, result=_filled_type)
def _fill(operation: Operation, shape: Tensor, value: Tensor | None = None) -> Tensor:
    """Return a tensor full of one value; see iOS15.tensor_operation.fill."""
    sides = integers(shape)
    operation.result.check(tuple(sides))
    filling = torch.zeros(()) if value is None else value.reshape(())
    return filling.expand(sides).clone()


@operator(OPERATORS, f"{_OPERATION}.range_1d", result=like("start"))
def _range_1d(operation: Operation, start: Tensor, end: Tensor, step: Tensor) -> Tensor:
    """Count from start up to but not including end; see iOS15.tensor_operation.range_1d."""
    first, last, stride = (each.reshape(()).item() for each in (start, end, step))
    count = max(math.ceil((last - first) / stride), 0)
    operation.result.check((count,))
    return start.reshape(()) + torch.arange(count).to(start.dtype) * step.reshape(())


@operator(OPERATORS, f"{_TRANSFORMATION}.transpose", exact=True)
def _transpose(operation: Operation, x: Tensor, perm: Tensor) -> Tensor:
    """Permute the axes; see iOS15.tensor_transformation.transpose."""
    return x.permute(integers(perm))


@operator(OPERATORS, f"{_TRANSFORMATION}.reshape", exact=True)
def _reshape(operation: Operation, x: Tensor, shape: Tensor) -> Tensor:
    """Change the shape; see iOS15.tensor_transformation.reshape and iOS17's."""
    sides = integers(shape)
    if 0 in sides and operation.opset < _IOS17 and len(sides) != x.dim():
        raise ValueError(f"0 in {sides} stands for no axis of {list(x.shape)}")
    missing = x.dim() - len(sides)
    for axis, side in enumerate(sides):
        if side == 0:
            sides[axis] = x.shape[axis + missing] if axis + missing >= 0 else 1
    return x.reshape(sides)


@operator(OPERATORS, f"{_TRANSFORMATION}.expand_dims", exact=True)
def _expand_dims(operation: Operation, x: Tensor, axes: Tensor) -> Tensor:
    """Insert axes of 1; see iOS15.tensor_transformation.expand_dims."""
    rank = x.dim() + axes.numel()
    for axis in sorted(axis % rank for axis in integers(axes)):
        x = x.unsqueeze(axis)
    return x


@operator(OPERATORS, f"{_TRANSFORMATION}.squeeze", exact=True)
def _squeeze(operation: Operation, x: Tensor, axes: Tensor | None = None) -> Tensor:
    """Drop axes, if they are 1; see iOS15.tensor_transformation.squeeze."""
    return x.squeeze() if axes is None else x.squeeze(tuple(integers(axes)))


@operator(OPERATORS, f"{_TRANSFORMATION}.slice_by_index", exact=True)
def _slice_by_index(
    operation: Operation,
    x: Tensor,
    begin: Tensor,
    end: Tensor,
    stride: Tensor | None = None,
    begin_mask: Tensor | None = None,
    end_mask: Tensor | None = None,
    squeeze_mask: Tensor | None = None,
) -> Tensor:
    """Slice as NumPy does; see iOS15.tensor_transformation.slice_by_index."""
    rank = x.dim()
    starts, ends = integers(begin), integers(end)
    steps = [1] * rank if stride is None else integers(stride)
    masks = (begin_mask, end_mask, squeeze_mask)
    from_start, to_end, dropped = ([False] * rank if m is None else m.tolist() for m in masks)
    for axis in range(rank):
        if dropped[axis]:
            x = x.narrow(axis, range(x.shape[axis])[starts[axis]], 1)
            continue
        start = None if from_start[axis] else starts[axis]
        stop = None if to_end[axis] else ends[axis]
        x = _taken(x, axis, range(x.shape[axis])[start : stop : steps[axis]])
    return x.reshape([side for side, gone in zip(x.shape, dropped, strict=True) if not gone])


def _taken(x: Tensor, axis: int, places: range) -> Tensor:
    """Return the cells at evenly spaced places of an axis; backwards too."""
    if places.step > 0:
        whole = [slice(None)] * x.dim()
        whole[axis] = slice(places.start, max(places.start, places.stop), places.step)
        return x[tuple(whole)]
    return x.index_select(axis, torch.tensor(list(places), dtype=torch.int64))


@operator(OPERATORS, f"{_TRANSFORMATION}.slice_by_size", exact=True)
def _slice_by_size(operation: Operation, x: Tensor, begin: Tensor, size: Tensor) -> Tensor:
    """Slice from a start, -1 to the end; see iOS15.tensor_transformation.slice_by_size."""
    for axis, (start, length) in enumerate(zip(integers(begin), integers(size), strict=True)):
        rest = x.shape[axis] - start
        x = x.narrow(axis, start, rest if length == -1 else length)
    return x


@operator(OPERATORS, "iOS16.scatter_gather.gather", exact=True)
def _gather(
    operation: Operation,
    x: Tensor,
    indices: Tensor,
    axis: Tensor | None = None,
    batch_dims: Tensor | None = None,
    validate_indices: Tensor | None = None,
) -> Tensor:
    """Take slices along an axis; see iOS17.scatter_gather.gather. Indices are always checked."""
    if batch_dims is not None and integer(batch_dims):
        raise ValueError("batch_dims is not supported")
    along = (0 if axis is None else integer(axis)) % x.dim()
    sides = (*x.shape[:along], *indices.shape, *x.shape[along + 1 :])
    operation.result.check(sides)
    wanted = indices.to(torch.int64).reshape(-1)
    wanted = torch.where(wanted < 0, wanted + x.shape[along], wanted)
    return x.index_select(along, wanted).reshape(sides)


@operator(OPERATORS, f"{_TRANSFORMATION}.pixel_shuffle", exact=True)
def _pixel_shuffle(operation: Operation, x: Tensor, upscale_factor: Tensor) -> Tensor:
    """Spread channels as torch does; see iOS15.tensor_transformation.pixel_shuffle."""
    return depth_to_space(x, integer(upscale_factor), depth_first=False)


@operator(OPERATORS, f"{_TRANSFORMATION}.depth_to_space", exact=True)
def _depth_to_space(operation: Operation, x: Tensor, block_size: Tensor) -> Tensor:
    """Spread channels, places outermost; see iOS15.tensor_transformation.depth_to_space."""
    return depth_to_space(x, integer(block_size), depth_first=True)


@operator(OPERATORS, f"{_TRANSFORMATION}.space_to_depth", exact=True)
def _space_to_depth(operation: Operation, x: Tensor, block_size: Tensor) -> Tensor:
    """Undo `depth_to_space`; see iOS15.tensor_transformation.space_to_depth."""
    return space_to_depth(x, integer(block_size))


@operator(OPERATORS, f"{_RESIZING}.crop", exact=True)
def _crop(operation: Operation, x: Tensor, crop_height: Tensor, crop_width: Tensor) -> Tensor:
    """Cut the borders of the last two axes; see iOS15.image_resizing.crop."""
    (top, bottom), (left, right) = integers(crop_height), integers(crop_width)
    if min(top, bottom, left, right) < 0:
        raise ValueError(f"cannot crop by {[top, bottom, left, right]}")
    height, width = x.shape[-2] - top - bottom, x.shape[-1] - left - right
    return x.narrow(-2, top, height).narrow(-1, left, width)


@operator(OPERATORS, f"{_RESIZING}.upsample_nearest_neighbor", exact=True)
def _upsample_nearest_neighbor(
    operation: Operation,
    x: Tensor,
    scale_factor_height: Tensor | None = None,
    scale_factor_width: Tensor | None = None,
) -> Tensor:
    """Repeat rows and columns; see iOS15.image_resizing.upsample_nearest_neighbor.

    Whole factors only: for others the page does not say which pixel is the nearest.
    """
    factors = []
    for given in (scale_factor_height, scale_factor_width):
        factor = 1.0 if given is None else float(given.reshape(()).item())
        if not factor.is_integer() or not math.isfinite(factor):
            raise ValueError(f"the factor {factor} is not supported; it has whole ones")
        factors.append(int(factor))
    *rest, height, width = x.shape
    operation.result.check((*rest, height * factors[0], width * factors[1]))
    return x.repeat_interleave(factors[0], -2).repeat_interleave(factors[1], -1)
