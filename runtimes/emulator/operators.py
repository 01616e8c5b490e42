"""The operators that the emulator has, by ONNX's names: those that our graphs contain.

Loops aside, see `lama_edge.runtimes.emulator.program`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import numpy as np

from lama_edge.kernels.arithmetic import cast, integers, matmul, quantise, remainder, rounded
from lama_edge.kernels.convolution import convolve
from lama_edge.kernels.layout import depth_to_space, reflect_pad
from lama_edge.runtimes.base import Array
from lama_edge.runtimes.emulator import functions
from lama_edge.runtimes.emulator.functions import FLOATS, INTEGERS, NUMBERS, check_types, plain
from lama_edge.runtimes.emulator.registry import Kernel, Node, Operator, element_type

OPERATORS: dict[str, Operator] = {}


def _operator(name: str, *attributes: str, exact: bool = False) -> Callable[[Kernel], Kernel]:
    """Enter a kernel under its operator's name; the rest are `Operator`'s fields."""

    def register(kernel: Kernel) -> Kernel:
        OPERATORS[name] = Operator(kernel, frozenset(attributes), exact)
        return kernel

    return register


_ROUNDED: dict[str, Callable[..., Array]] = {
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
    "Range": lambda start, limit, delta: np.arange(start.item(), limit.item(), delta.item()),
}
_EXACT: dict[str, Callable[..., Array]] = {
    "Identity": lambda x: x,
    "Relu": functions.RELU,
    "Neg": plain(np.negative, NUMBERS),
    "Abs": plain(np.abs, NUMBERS),
    "Min": plain(lambda *values: reduce(np.minimum, values), NUMBERS),
    "Max": plain(lambda *values: reduce(np.maximum, values), NUMBERS),
    "Equal": functions.EQUAL,
    "Greater": functions.GREATER,
    "Where": functions.choose,
    "QuantizeLinear": quantise,
    "Squeeze": lambda x, axes=None: np.squeeze(x, None if axes is None else tuple(integers(axes))),
    "Unsqueeze": lambda x, axes: np.expand_dims(x, tuple(integers(axes))),
}


def _kernel(function: Callable[..., Array]) -> Kernel:
    """Return the kernel of a function that needs nothing but the arguments."""
    return lambda node, *arguments: function(*arguments)


for _name, _function in _ROUNDED.items():
    _operator(_name)(_kernel(_function))
for _name, _function in _EXACT.items():
    _operator(_name, exact=True)(_kernel(_function))


@_operator("Cast", "to", exact=True)
def _cast(node: Node, x: Array) -> Array:
    return cast(x, element_type(node.attributes["to"], node))


@_operator("Conv", "dilations", "kernel_shape", "pads", "strides")
def _conv(node: Node, x: Array, weight: Array, bias: Array | None = None) -> Array:
    return convolve(
        x,
        weight,
        bias,
        strides=node.attributes.get("strides", (1, 1)),
        pads=node.attributes.get("pads", (0, 0, 0, 0)),
        dilations=node.attributes.get("dilations", (1, 1)),
    )


@_operator("Gemm", "transB")
def _gemm(node: Node, x: Array, y: Array, addend: Array | None = None) -> Array:
    product = matmul(x, y.T if node.attributes.get("transB", 0) else y)
    if addend is not None:
        product += addend
    return product


@_operator("DFT", "axis", "inverse", "onesided")
def _dft(
    node: Node, x: Array, length: Array | None = None, axis_value: Array | None = None
) -> Array:
    """Transform along one axis; the last axis holds real parts, or real and imaginary ones."""
    inverse, onesided = (bool(node.attributes.get(flag)) for flag in ("inverse", "onesided"))
    # An attribute until opset 20, and an input from then on.
    axis = node.attributes["axis"] if axis_value is None else integers(axis_value)[0]
    count = None if length is None else integers(length)[0]
    # NumPy's complex arrays lack the last axis.
    axis, is_real = axis % x.ndim, x.shape[-1] == 1
    if x.shape[-1] not in (1, 2) or (onesided and (inverse or not is_real)):
        raise ValueError("goes from real or complex numbers, onesided from real ones forward only")
    wide = np.result_type(x, np.complex64)
    signal = x[..., 0] if is_real else np.ascontiguousarray(x).view(wide)[..., 0]
    transform = np.fft.rfft if onesided else np.fft.ifft if inverse else np.fft.fft
    # Before NumPy 2 it computes in double whatever it is given.
    result = np.ascontiguousarray(transform(signal, count, axis), wide)
    return result.view(x.dtype).reshape(*result.shape, 2)


@_operator("DequantizeLinear", "axis", exact=True)
def _dequantize_linear(
    node: Node, x: Array, scale: Array, zero_point: Array | None = None
) -> Array:
    axis = node.attributes.get("axis", 1)
    return rounded(functions.dequantise_along(x, axis, scale, zero_point), scale.dtype)


@_operator("Shape", "start", "end", exact=True)
def _shape(node: Node, x: Array) -> Array:
    start, end = node.attributes.get("start", 0), node.attributes.get("end")
    return np.array(x.shape[start:end], np.int64)


@_operator("Reshape", exact=True)
def _reshape(node: Node, x: Array, shape: Array) -> Array:
    sides = enumerate(integers(shape))
    return functions.reshape(x, [x.shape[axis] if side == 0 else side for axis, side in sides])


@_operator("Slice", exact=True)
def _slice(node: Node, x: Array, starts: Array, ends: Array, axes: Array | None = None) -> Array:
    firsts, lasts = integers(starts), integers(ends)
    along = range(len(firsts)) if axes is None else integers(axes)
    for axis, first, last in zip(along, firsts, lasts, strict=True):
        x = np.moveaxis(np.moveaxis(x, axis, 0)[first:last], 0, axis)
    return x


@_operator("Gather", "axis", exact=True)
def _gather(node: Node, x: Array, indices: Array) -> Array:
    if indices.dtype.kind != "i" or (indices < 0).any():
        raise IndexError("indices count from 0")
    return np.take(x, indices, node.attributes.get("axis", 0) % x.ndim)


@_operator("ArgMin", "axis", exact=True)
def _arg_min(node: Node, x: Array) -> Array:
    least: Array = np.argmin(x, node.attributes.get("axis", 0), keepdims=True)
    return least.astype(np.int64, copy=False)


@_operator("Concat", "axis", exact=True)
def _concat(node: Node, *parts: Array) -> Array:
    check_types(*parts)
    return np.concatenate(parts, node.attributes["axis"])


@_operator("Transpose", "perm", exact=True)
def _transpose(node: Node, x: Array) -> Array:
    return np.transpose(x, node.attributes["perm"])


@_operator("DepthToSpace", "blocksize", "mode", exact=True)
def _depth_to_space(node: Node, x: Array) -> Array:
    if node.attributes.get("mode", "DCR") != "DCR":
        raise ValueError(f"there is no mode {node.attributes['mode']!r}, only 'DCR'")
    return depth_to_space(x, node.attributes["blocksize"], depth_first=True)


@_operator("Pad", "mode", exact=True)
def _pad(node: Node, x: Array, pads: Array) -> Array:
    if node.attributes.get("mode") != "reflect":
        raise ValueError(f"there is no mode {node.attributes.get('mode')!r}, only 'reflect'")
    before, after = np.split(np.array(integers(pads)), 2)
    return reflect_pad(x, before.tolist(), after.tolist())
