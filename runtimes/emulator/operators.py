"""The operators that the emulator has, by ONNX's names: those that our graphs contain.

Loops aside, see `lama_edge.runtimes.emulator.program`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from inspect import signature

import numpy as np

from lama_edge.kernels.arithmetic import cast, integers, matmul, quantise, remainder, rounded
from lama_edge.kernels.convolution import convolve
from lama_edge.kernels.layout import depth_to_space, reflect_pad
from lama_edge.runtimes.base import Array
from lama_edge.runtimes.emulator import functions
from lama_edge.runtimes.emulator.functions import FLOATS, INTEGERS, NUMBERS, check_types, plain
from lama_edge.runtimes.emulator.registry import Kernel, Operator

OPERATORS: dict[str, Operator] = {}


def _operator(name: str, *, exact: bool = False) -> Callable[[Kernel], Kernel]:
    """Enter a kernel under its operator's name; see `Operator`."""

    def register(kernel: Kernel) -> Kernel:
        named = signature(kernel).parameters.values()
        attributes = frozenset(each.name for each in named if each.kind is each.KEYWORD_ONLY)
        OPERATORS[name] = Operator(kernel, attributes, exact)
        return kernel

    return register


_ROUNDED: dict[str, Kernel] = {
    "Add": functions.ADD,
    "Sub": plain(np.subtract, NUMBERS),
    "Mul": functions.MULTIPLY,
    "Div": functions.DIVIDE,
    "Mod": plain(remainder, INTEGERS),
    "MatMul": plain(matmul, NUMBERS),
    "Sqrt": functions.SQUARE_ROOT,
    "Sin": functions.SINE,
    "Cos": functions.COSINE,
    "Sigmoid": functions.SIGMOID,
    "Reciprocal": plain(np.reciprocal, FLOATS),
    "Round": functions.ROUND,
    "Ceil": plain(np.ceil, FLOATS),
    "Range": lambda start, limit, delta: np.arange(start.item(), limit.item(), delta.item()),
}
_EXACT: dict[str, Kernel] = {
    "Identity": lambda x: x,
    "Cast": lambda x, *, to: cast(x, to),
    "Relu": functions.RELU,
    "Neg": plain(np.negative, NUMBERS),
    "Abs": plain(np.abs, NUMBERS),
    "Min": plain(lambda *values: reduce(np.minimum, values), NUMBERS),
    "Max": plain(lambda *values: reduce(np.maximum, values), NUMBERS),
    "Equal": functions.EQUAL,
    "Greater": functions.GREATER,
    "Where": functions.choose,
    "QuantizeLinear": quantise,
    "Shape": lambda x, *, start=0, end=None: np.array(x.shape[start:end], np.int64),
    "Transpose": lambda x, *, perm: np.transpose(x, perm),
    "Squeeze": lambda x, axes=None: np.squeeze(x, None if axes is None else tuple(integers(axes))),
    "Unsqueeze": lambda x, axes: np.expand_dims(x, tuple(integers(axes))),
}


for _name, _kernel in _ROUNDED.items():
    _operator(_name)(_kernel)
for _name, _kernel in _EXACT.items():
    _operator(_name, exact=True)(_kernel)


@_operator("Conv")
def _conv(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    dilations: Sequence[int] = (1, 1),
    kernel_shape: object = None,
    pads: Sequence[int] = (0, 0, 0, 0),
    strides: Sequence[int] = (1, 1),
) -> Array:
    """Convolve in two dimensions; the window's sides are told twice."""
    return convolve(x, weight, bias, strides=strides, pads=pads, dilations=dilations)


@_operator("Gemm")
def _gemm(x: Array, y: Array, addend: Array | None = None, *, transB: int = 0) -> Array:  # noqa: N803
    product = matmul(x, y.T if transB else y)
    if addend is not None:
        product += addend
    return product


@_operator("DFT")
def _dft(
    x: Array,
    length: Array | None = None,
    axis_value: Array | None = None,
    *,
    axis: int | None = None,
    inverse: int = 0,
    onesided: int = 0,
) -> Array:
    """Transform along one axis; the last axis holds real parts, or real and imaginary ones."""
    check_types(x, kinds=FLOATS)
    # The axis is an attribute until opset 20, and an input from then on.
    along = axis if axis_value is None else integers(axis_value)[0]
    if along is None:
        raise ValueError("lacks its axis")
    count = None if length is None else integers(length)[0]
    # NumPy's complex arrays lack the last axis.
    along, is_real = along % x.ndim, x.shape[-1] == 1
    if x.shape[-1] not in (1, 2) or (onesided and (inverse or not is_real)):
        raise ValueError("goes from real or complex numbers, onesided from real ones forward only")
    wide = np.result_type(x, np.complex64)
    signal = x[..., 0] if is_real else np.ascontiguousarray(x).view(wide)[..., 0]
    transform = np.fft.rfft if onesided else np.fft.ifft if inverse else np.fft.fft
    # Before NumPy 2 it computes in double whatever it is given.
    result = np.ascontiguousarray(transform(signal, count, along), wide)
    return result.view(x.dtype).reshape(*result.shape, 2)


@_operator("DequantizeLinear", exact=True)
def _dequantize_linear(
    x: Array, scale: Array, zero_point: Array | None = None, *, axis: int = 1
) -> Array:
    return rounded(functions.dequantise_along(x, axis, scale, zero_point), scale.dtype)


@_operator("Reshape", exact=True)
def _reshape(x: Array, shape: Array) -> Array:
    sides = enumerate(integers(shape))
    return functions.reshape(x, [x.shape[axis] if side == 0 else side for axis, side in sides])


@_operator("Slice", exact=True)
def _slice(x: Array, starts: Array, ends: Array, axes: Array | None = None) -> Array:
    firsts, lasts = integers(starts), integers(ends)
    along = range(len(firsts)) if axes is None else integers(axes)
    for axis, first, last in zip(along, firsts, lasts, strict=True):
        x = np.moveaxis(np.moveaxis(x, axis, 0)[first:last], 0, axis)
    return x


@_operator("Gather", exact=True)
def _gather(x: Array, indices: Array, *, axis: int = 0) -> Array:
    if indices.dtype.kind != "i" or (indices < 0).any():
        raise IndexError("indices count from 0")
    return np.take(x, indices, axis % x.ndim)


@_operator("ArgMin", exact=True)
def _arg_min(x: Array, *, axis: int = 0) -> Array:
    least: Array = np.argmin(x, axis, keepdims=True)
    return least.astype(np.int64, copy=False)


@_operator("Concat", exact=True)
def _concat(*parts: Array, axis: int) -> Array:
    check_types(*parts)
    return np.concatenate(parts, axis)


@_operator("DepthToSpace", exact=True)
def _depth_to_space(x: Array, *, blocksize: int, mode: str = "DCR") -> Array:
    if mode != "DCR":
        raise ValueError(f"there is no mode {mode!r}, only 'DCR'")
    return depth_to_space(x, blocksize, depth_first=True)


@_operator("Pad", exact=True)
def _pad(x: Array, pads: Array, *, mode: str | None = None) -> Array:
    if mode != "reflect":
        raise ValueError(f"there is no mode {mode!r}, only 'reflect'")
    before, after = np.split(np.array(integers(pads)), 2)
    return reflect_pad(x, before.tolist(), after.tolist())
