"""The ops that the interpreter has, by MIL's names: those of our packages, without ``const``.

Documented in coremltools' "MIL Ops" reference; each has the inputs that our packages give it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from lama_edge.errors import needs_extra
from lama_edge.runtimes.coreml.interpreter.blobs import unpack_bits
from lama_edge.runtimes.coreml.interpreter.elements import BOOL, INT32, TensorType
from lama_edge.runtimes.coreml.interpreter.registry import Kernel, Operator, operator
from lama_edge.runtimes.emulator.kernels import (
    cast,
    convolve,
    depth_to_space,
    dequantise,
    divide_integers,
    integers,
    reflect_pad,
    remainder,
    square_root,
)

with needs_extra("coreml"):
    import torch
    from torch import Tensor

OPERATORS: dict[str, Operator] = {}

# Ops that unfold weights stored in few bits, computed once when a program is loaded.
UNFOLDING = "constexpr_"

_ROUNDED_UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    "cos": torch.cos,
    "sin": torch.sin,
    "sqrt": square_root,
    "sigmoid": torch.sigmoid,
    # To the nearest, a half to the even one.
    "round": torch.round,
}
_BINARY: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": torch.add,
    "mul": torch.mul,
    "real_div": torch.div,
    "floor_div": lambda x, y: divide_integers(x, y, floor=True),
    "mod": remainder,
}
_COMPARING: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "equal": torch.eq,
    "greater": torch.gt,
}


def _unary(function: Callable[[Tensor], Tensor]) -> Kernel:
    def kernel(result: TensorType, x: Tensor) -> Tensor:
        return function(x)

    return kernel


def _binary(function: Callable[[Tensor, Tensor], Tensor]) -> Kernel:
    def kernel(result: TensorType, x: Tensor, y: Tensor) -> Tensor:
        result.check(np.broadcast_shapes(x.shape, y.shape))
        return function(x, y)

    return kernel


for _name, _function in _ROUNDED_UNARY.items():
    operator(OPERATORS, _name)(_unary(_function))
operator(OPERATORS, "relu", exact=True)(_unary(torch.relu))
for _name, _joining in _BINARY.items():
    operator(OPERATORS, _name)(_binary(_joining))
for _name, _joining in _COMPARING.items():
    operator(OPERATORS, _name, exact=True, result=BOOL)(_binary(_joining))


@operator(OPERATORS, "select", exact=True, result="a")
def _select(result: TensorType, cond: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Take from a where cond holds, else from b."""
    result.check(np.broadcast_shapes(cond.shape, a.shape, b.shape))
    return torch.where(cond, a, b)


@operator(OPERATORS, "cast", exact=True, result="dtype")
def _cast(result: TensorType, x: Tensor, dtype: str) -> Tensor:
    return cast(x, result.element.storage)


@operator(OPERATORS, "conv")
def _conv(
    result: TensorType,
    x: Tensor,
    weight: Tensor,
    strides: Tensor,
    dilations: Tensor,
    groups: Tensor,
    pad_type: str,
    pad: Tensor | None = None,
    bias: Tensor | None = None,
) -> Tensor:
    """Convolve in two dimensions; pad is zeros at the top, bottom, left and right."""
    if x.dim() != 4 or weight.dim() != 4:
        raise ValueError(f"takes four axes, not {list(x.shape)} and {list(weight.shape)}")
    if pad_type not in ("valid", "custom"):
        raise ValueError(f"there is no pad_type {pad_type!r}")
    given = integers(pad) if pad is not None and pad_type == "custom" else [0, 0, 0, 0]
    steps, spread = integers(strides), integers(dilations)
    if len(given) != 4 or min(given) < 0 or min(*steps, *spread) < 1:
        raise ValueError(f"cannot convolve with {steps=}, {spread=} and pads of {given}")
    top, bottom, left, right = given
    sides = [
        (side + first + last - (taps - 1) * gap - 1) // step + 1
        for side, first, last, taps, gap, step in zip(
            x.shape[2:], (top, left), (bottom, right), weight.shape[2:], spread, steps, strict=True
        )
    ]
    result.check((x.shape[0], weight.shape[0], *sides))
    return convolve(
        x,
        weight,
        bias,
        strides=steps,
        pads=(top, left, bottom, right),
        dilations=spread,
        groups=integers(groups)[0],
    )


@operator(OPERATORS, "matmul")
def _matmul(
    result: TensorType, x: Tensor, y: Tensor, transpose_x: Tensor, transpose_y: Tensor
) -> Tensor:
    """Multiply matrices, broadcasting the axes before them."""
    left, right = x.mT if transpose_x.item() else x, y.mT if transpose_y.item() else y
    batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    result.check((*batch, left.shape[-2], right.shape[-1]))
    return torch.matmul(left, right)


@operator(OPERATORS, "concat", exact=True, result="values")
def _concat(result: TensorType, values: list[Tensor], axis: Tensor, interleave: Tensor) -> Tensor:
    """Join along an axis, or take turns along it."""
    along = integers(axis)[0] % values[0].dim()
    if not interleave.item():
        return torch.cat(values, along)
    return torch.stack(values, along + 1).flatten(along, along + 1)


@operator(OPERATORS, "pad", exact=True)
def _pad(result: TensorType, x: Tensor, pad: Tensor, mode: str, constant_val: Tensor) -> Tensor:
    """Pad the last axes by reflection; the constant is there all the same."""
    amounts = integers(pad)
    if mode != "reflect":
        raise ValueError(f"there is no mode {mode!r}, only 'reflect'")
    untouched = [0] * (x.dim() - len(amounts) // 2)
    return reflect_pad(x, [*untouched, *amounts[::2]], [*untouched, *amounts[1::2]])


@operator(OPERATORS, "shape", exact=True, result=INT32)
def _shape(result: TensorType, x: Tensor) -> Tensor:
    return torch.tensor(x.shape)


@operator(OPERATORS, "range_1d", result="start")
def _range_1d(result: TensorType, start: Tensor, end: Tensor, step: Tensor) -> Tensor:
    """Count integers from start up to but not including end."""
    places = range(*(integers(each)[0] for each in (start, end, step)))
    result.check((len(places),))
    return torch.arange(len(places)) * step + start


@operator(OPERATORS, "transpose", exact=True)
def _transpose(result: TensorType, x: Tensor, perm: Tensor) -> Tensor:
    return x.permute(integers(perm))


@operator(OPERATORS, "reshape", exact=True)
def _reshape(result: TensorType, x: Tensor, shape: Tensor) -> Tensor:
    return x.reshape(integers(shape))


@operator(OPERATORS, "expand_dims", exact=True)
def _expand_dims(result: TensorType, x: Tensor, axes: Tensor) -> Tensor:
    rank = x.dim() + axes.numel()
    for axis in sorted(axis % rank for axis in integers(axes)):
        x = x.unsqueeze(axis)
    return x


@operator(OPERATORS, "squeeze", exact=True)
def _squeeze(result: TensorType, x: Tensor) -> Tensor:
    return x.squeeze()


@operator(OPERATORS, "slice_by_index", exact=True)
def _slice_by_index(
    result: TensorType, x: Tensor, begin: Tensor, end: Tensor, end_mask: Tensor | None = None
) -> Tensor:
    """Slice as NumPy does, to the end where the mask says so."""
    to_end = [False] * x.dim() if end_mask is None else end_mask.tolist()
    bounds = zip(integers(begin), integers(end), to_end, strict=True)
    return x[tuple(slice(start, None if rest else stop) for start, stop, rest in bounds)]


@operator(OPERATORS, "pixel_shuffle", exact=True)
def _pixel_shuffle(result: TensorType, x: Tensor, upscale_factor: Tensor) -> Tensor:
    return depth_to_space(x, integers(upscale_factor)[0], depth_first=False)


@operator(OPERATORS, f"{UNFOLDING}affine_dequantize", exact=True, result="scale")
def _affine_dequantize(
    result: TensorType, quantized_data: Tensor, zero_point: Tensor, scale: Tensor, axis: Tensor
) -> Tensor:
    """Return scale · (data - zero_point); see iOS16.constexpr_ops."""
    shape = [1] * quantized_data.dim()
    shape[integers(axis)[0]] = -1
    return dequantise(quantized_data, scale.reshape(shape), zero_point.reshape(shape))


@operator(OPERATORS, f"{UNFOLDING}lut_to_dense", exact=True, result="lut")
def _lut_to_dense(
    result: TensorType, indices: Tensor, lut: Tensor, shape: Tensor | None = None
) -> Tensor:
    """Look values up in a palette.

    See iOS16.constexpr_ops, whose indices are packed and which gives the shape, and
    iOS18.compression, which could have a palette for each block of the weight.
    """
    if shape is None:
        if lut.numel() != lut.shape[-2]:
            raise ValueError(f"{list(lut.shape)} is more than one palette of numbers")
        return lut.reshape(-1)[indices.to(torch.int64)]
    sides = integers(shape)
    result.check(tuple(sides))
    bits, count = (lut.numel() - 1).bit_length(), math.prod(sides)
    if indices.numel() != -(-count * bits // 8):
        raise ValueError(f"{indices.numel()} bytes do not hold {count} indices of {bits} bits")
    places = torch.from_numpy(unpack_bits(indices.numpy(), bits, count))
    return lut[places.to(torch.int64)].reshape(sides)
