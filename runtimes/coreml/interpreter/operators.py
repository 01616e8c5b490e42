"""The ops that the interpreter has, by MIL's names: those of our packages, without ``const``.

Documented in coremltools' "MIL Ops" reference; each has the inputs that our packages give it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from lama_edge.kernels.arithmetic import cast, divide_integers, integers, matmul, remainder
from lama_edge.kernels.convolution import convolve
from lama_edge.kernels.layout import depth_to_space, reflect_pad
from lama_edge.runtimes.base import Array
from lama_edge.runtimes.coreml.interpreter.blobs import unpack_bits
from lama_edge.runtimes.coreml.interpreter.elements import BOOL, INT32, MAX_ELEMENTS, TensorType
from lama_edge.runtimes.coreml.interpreter.registry import Kernel, Operator, operator
from lama_edge.runtimes.emulator import functions
from lama_edge.runtimes.emulator.functions import INTEGERS, NUMBERS, check_types, plain

OPERATORS: dict[str, Operator] = {}

# Ops that unfold weights stored in few bits, computed once when a program is loaded.
UNFOLDING = "constexpr_"

_UNARY: dict[str, Callable[..., Array]] = {
    "cos": functions.COSINE,
    "sin": functions.SINE,
    "sqrt": functions.SQUARE_ROOT,
    "sigmoid": functions.SIGMOID,
    "round": functions.ROUND,
}
_BINARY: dict[str, Callable[..., Array]] = {
    "add": functions.ADD,
    "mul": functions.MULTIPLY,
    "real_div": functions.DIVIDE,
    "floor_div": plain(lambda x, y: divide_integers(x, y, floor=True), INTEGERS),
    "mod": plain(remainder, INTEGERS),
}
# Kernels that only say the same elements otherwise; their inputs are called as MIL calls them.
_LAYOUT: dict[str, Kernel] = {
    "transpose": lambda result, x, perm: np.transpose(x, integers(perm)),
    "reshape": lambda result, x, shape: functions.reshape(x, integers(shape)),
    "expand_dims": lambda result, x, axes: np.expand_dims(x, tuple(integers(axes))),
    "squeeze": lambda result, x: x.squeeze(),
    "pixel_shuffle": lambda result, x, upscale_factor: depth_to_space(
        x, integers(upscale_factor)[0], depth_first=False
    ),
}


def _unary(function: Callable[..., Array]) -> Kernel:
    return lambda result, x: function(x)


def _binary(function: Callable[..., Array]) -> Kernel:
    def kernel(result: TensorType, x: Array, y: Array) -> Array:
        result.check(np.broadcast_shapes(x.shape, y.shape))
        return function(x, y)

    return kernel


for _name, _function in _UNARY.items():
    operator(OPERATORS, _name)(_unary(_function))
operator(OPERATORS, "relu", exact=True)(_unary(functions.RELU))
for _name, _function in _BINARY.items():
    operator(OPERATORS, _name)(_binary(_function))
for _name, _function in (("equal", functions.EQUAL), ("greater", functions.GREATER)):
    operator(OPERATORS, _name, exact=True, result=BOOL)(_binary(_function))
for _name, _kernel in _LAYOUT.items():
    operator(OPERATORS, _name, exact=True)(_kernel)


@operator(OPERATORS, "select", exact=True, result="a")
def _select(result: TensorType, cond: Array, a: Array, b: Array) -> Array:
    """Take from a where cond holds, else from b."""
    result.check(np.broadcast_shapes(cond.shape, a.shape, b.shape))
    return functions.choose(cond, a, b)


@operator(OPERATORS, "cast", exact=True, result="dtype")
def _cast(result: TensorType, x: Array, dtype: str) -> Array:
    return cast(x, result.element.storage)


@operator(OPERATORS, "conv")
def _conv(
    result: TensorType,
    x: Array,
    weight: Array,
    strides: Array,
    dilations: Array,
    groups: Array,
    pad_type: str,
    pad: Array | None = None,
    bias: Array | None = None,
) -> Array:
    """Convolve in two dimensions; pad is zeros at the top, bottom, left and right."""
    if pad_type not in ("valid", "custom"):
        raise ValueError(f"there is no pad_type {pad_type!r}")
    given = integers(pad) if pad is not None and pad_type == "custom" else [0, 0, 0, 0]
    top, bottom, left, right = given
    return convolve(
        x,
        weight,
        bias,
        strides=integers(strides),
        pads=(top, left, bottom, right),
        dilations=integers(dilations),
        groups=integers(groups)[0],
        most=MAX_ELEMENTS,
    )


@operator(OPERATORS, "matmul")
def _matmul(
    result: TensorType, x: Array, y: Array, transpose_x: Array, transpose_y: Array
) -> Array:
    """Multiply matrices, broadcasting the axes before them."""
    check_types(x, y, kinds=NUMBERS)
    left = np.swapaxes(x, -1, -2) if transpose_x.item() else x
    right = np.swapaxes(y, -1, -2) if transpose_y.item() else y
    batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    result.check((*batch, left.shape[-2], right.shape[-1]))
    return matmul(left, right)


@operator(OPERATORS, "concat", exact=True, result="values")
def _concat(result: TensorType, values: list[Array], axis: Array, interleave: Array) -> Array:
    """Join along an axis, or take turns along it."""
    along = integers(axis)[0] % values[0].ndim
    sides = list(values[0].shape)
    sides[along] = sum(value.shape[along] for value in values)
    result.check(tuple(sides))
    if not interleave.item():
        return np.concatenate(values, along)
    return np.stack(values, along + 1).reshape(sides)


@operator(OPERATORS, "pad", exact=True)
def _pad(result: TensorType, x: Array, pad: Array, mode: str, constant_val: Array) -> Array:
    """Pad the last axes by reflection; the constant is there all the same."""
    amounts = integers(pad)
    if mode != "reflect":
        raise ValueError(f"there is no mode {mode!r}, only 'reflect'")
    untouched = [0] * (x.ndim - len(amounts) // 2)
    before, after = ([*untouched, *amounts[end::2]] for end in (0, 1))
    result.check(tuple(map(sum, zip(before, x.shape, after, strict=True))))
    return reflect_pad(x, before, after)


@operator(OPERATORS, "shape", exact=True, result=INT32)
def _shape(result: TensorType, x: Array) -> Array:
    return np.array(x.shape)


@operator(OPERATORS, "range_1d", result="start")
def _range_1d(result: TensorType, start: Array, end: Array, step: Array) -> Any:
    """Count integers from start up to but not including end."""
    places = range(*(integers(each)[0] for each in (start, end, step)))
    result.check((len(places),))
    return np.arange(len(places)) * step + start


@operator(OPERATORS, "slice_by_index", exact=True)
def _slice_by_index(
    result: TensorType, x: Array, begin: Array, end: Array, end_mask: Array | None = None
) -> Array:
    """Slice as NumPy does, to the end where the mask says so."""
    to_end = [False] * x.ndim if end_mask is None else end_mask.tolist()
    bounds = zip(integers(begin), integers(end), to_end, strict=True)
    return x[tuple(slice(start, None if rest else stop) for start, stop, rest in bounds)]


@operator(OPERATORS, f"{UNFOLDING}affine_dequantize", exact=True, result="scale")
def _affine_dequantize(
    result: TensorType, quantized_data: Array, zero_point: Array, scale: Array, axis: Array
) -> Array:
    """Return scale · (data - zero_point); see iOS16.constexpr_ops."""
    return functions.dequantise_along(quantized_data, integers(axis)[0], scale, zero_point)


@operator(OPERATORS, f"{UNFOLDING}lut_to_dense", exact=True, result="lut")
def _lut_to_dense(
    result: TensorType, indices: Array, lut: Array, shape: Array | None = None
) -> Array:
    """Look values up in a palette.

    See iOS16.constexpr_ops, whose indices are packed and which gives the shape, and
    iOS18.compression, which could have a palette for each block of the weight.
    """
    if shape is None:
        if lut.size != lut.shape[-2]:
            raise ValueError(f"{list(lut.shape)} is more than one palette of numbers")
        return lut.reshape(-1)[indices.astype(np.int64)]
    sides = integers(shape)
    result.check(tuple(sides))
    bits, count = (lut.size - 1).bit_length(), math.prod(sides)
    if indices.size != -(-count * bits // 8):
        raise ValueError(f"{indices.size} bytes do not hold {count} indices of {bits} bits")
    return lut[unpack_bits(indices, bits, count).astype(np.int64)].reshape(sides)
