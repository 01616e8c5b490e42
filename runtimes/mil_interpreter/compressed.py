"""Ops that unfold weights stored in few bits, computed once when a program is loaded.

Documented in coremltools' "MIL Ops" reference on the pages iOS16.constexpr_ops and
iOS18.compression; `Operator.page` names each op's entry.
"""

from __future__ import annotations

import math

from lama_edge.errors import needs_extra
from lama_edge.runtimes.emulator.kernels import dequantise
from lama_edge.runtimes.mil_interpreter.blobs import unpack_bits
from lama_edge.runtimes.mil_interpreter.elements import FP32, Element
from lama_edge.runtimes.mil_interpreter.registry import (
    Declared,
    Operation,
    Operator,
    integer,
    integers,
    like,
    operator,
)

with needs_extra("coreml"):
    import torch
    from torch import Tensor

OPERATORS: dict[str, Operator] = {}

PREFIX = "constexpr_"
_IOS16 = "iOS16.constexpr_ops"
_IOS18 = "iOS18.compression"
_MOST_BITS = 8


@operator(
    OPERATORS,
    f"{_IOS16}.constexpr_affine_dequantize",
    exact=True,
    mixed_from=0,
    result=like("scale"),
)
def _affine_dequantize(
    operation: Operation, quantized_data: Tensor, zero_point: Tensor, scale: Tensor, axis: Tensor
) -> Tensor:
    """Return scale · (data - zero_point); see iOS16.constexpr_ops.constexpr_affine_dequantize."""
    shape = [1] * quantized_data.dim()
    shape[integer(axis)] = -1
    factors, zeros = (
        each.reshape(shape) if each.numel() > 1 else each.reshape(())
        for each in (scale, zero_point)
    )
    return dequantise(quantized_data, factors.to(torch.float32), zeros)


@operator(
    OPERATORS,
    f"{_IOS18}.constexpr_blockwise_shift_scale",
    exact=True,
    mixed_from=0,
    result=like("scale"),
)
def _blockwise_shift_scale(
    operation: Operation, data: Tensor, scale: Tensor, offset: Tensor | None = None
) -> Tensor:
    """Return scale · (data - offset), both for blocks of the data.

    See iOS18.compression.constexpr_blockwise_shift_scale.
    """
    factors = _spread(scale.to(torch.float32), data.shape)
    zeros = None if offset is None else _spread(offset.to(torch.float32), data.shape)
    wide = data.to(torch.float32)
    return (wide if zeros is None else wide - zeros) * factors


def _spread(blocks: Tensor, shape: torch.Size) -> Tensor:
    """Repeat each block's element over the block; blocks of a whole axis stay as they are."""
    if blocks.dim() != len(shape):
        raise ValueError(f"blocks of {list(blocks.shape)} do not go with {list(shape)}")
    for axis, (count, side) in enumerate(zip(blocks.shape, shape, strict=True)):
        if not count or side % count:
            raise ValueError(f"{side} does not fall into {count} blocks")
        if 1 < count < side:
            blocks = blocks.repeat_interleave(side // count, axis)
    return blocks


@operator(OPERATORS, f"{_IOS16}.constexpr_lut_to_dense", exact=True, result=like("lut"))
def _lut_to_dense(
    operation: Operation,
    indices: Tensor,
    lut: Tensor,
    shape: Tensor | None = None,
    vector_axis: Tensor | None = None,
) -> Tensor:
    """Look values up in a palette.

    See iOS16.constexpr_ops.constexpr_lut_to_dense, whose indices are packed and which gives the
    shape, and iOS18.compression.constexpr_lut_to_dense, which has a palette for each block.
    """
    if shape is None:
        return _by_block(operation, indices, lut, vector_axis)
    sides = tuple(integers(shape))
    operation.result.check(sides)
    bits, count = _bits(lut.numel()), math.prod(sides)
    if indices.numel() != -(-count * bits // 8):
        raise ValueError(f"{indices.numel()} bytes do not hold {count} indices of {bits} bits")
    spread = torch.from_numpy(unpack_bits(indices.numpy(), bits, count))
    return lut.reshape(-1)[spread.to(torch.int64)].reshape(sides)


def _by_block(
    operation: Operation, indices: Tensor, lut: Tensor, vector_axis: Tensor | None
) -> Tensor:
    rank = indices.dim()
    if lut.dim() != rank + 2:
        raise ValueError(f"a palette of {lut.dim()} axes does not go with indices of {rank}")
    *blocks, palettes, length = lut.shape
    if int(indices.max()) >= 2 ** _bits(palettes):
        raise ValueError(f"the index {int(indices.max())} is beyond a palette of {palettes}")
    if length > 1 and vector_axis is None:
        raise ValueError(f"vectors of {length} without a vector_axis")
    sides = list(indices.shape)
    axis = 0 if vector_axis is None else integer(vector_axis)
    sides[axis] *= length
    operation.result.check(tuple(sides))
    # Where each element's palette begins, counted in entries.
    starts = (torch.arange(math.prod(blocks)) * palettes).reshape(blocks)
    entries = _spread(starts, indices.shape) + indices
    vectors = lut.reshape(-1, length)[entries]
    return vectors.movedim(-1, axis % rank + 1).reshape(sides)


def _bits(palettes: int) -> int:
    """Return how many bits an index into a palette has."""
    bits = palettes.bit_length() - 1
    if 2**bits != palettes or not 1 <= bits <= _MOST_BITS:
        raise ValueError(f"a palette of {palettes} is none of 2 to the power of 1 to {_MOST_BITS}")
    return bits


def _only_float(declared: Declared) -> Element:
    named = declared.texts.get("output_dtype", "")
    if named != FP32.name:
        raise ValueError(f"it casts to {FP32.name}, not to {named!r}")
    return FP32


@operator(OPERATORS, f"{_IOS16}.constexpr_cast", exact=True, result=_only_float)
def _constexpr_cast(operation: Operation, source_val: Tensor, output_dtype: str) -> Tensor:
    """Widen fp16 to fp32; see iOS16.constexpr_ops.constexpr_cast."""
    return source_val.to(torch.float32)
