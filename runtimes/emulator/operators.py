"""The operators that the emulator has, by ONNX's names: those that our graphs contain.

Loops aside, see `lama_edge.runtimes.emulator.program`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import numpy as np

from lama_edge.errors import needs_extra
from lama_edge.runtimes.emulator.kernels import (
    cast,
    convolve,
    depth_to_space,
    dequantise,
    divide_integers,
    integers,
    quantise,
    reflect_pad,
    remainder,
    square_root,
)
from lama_edge.runtimes.emulator.registry import Kernel, Node, Operator, element_type

with needs_extra("export"):
    import torch
    from torch import Tensor

OPERATORS: dict[str, Operator] = {}


def _operator(name: str, *attributes: str, exact: bool = False) -> Callable[[Kernel], Kernel]:
    """Enter a kernel under its operator's name; the rest are `Operator`'s fields."""

    def register(kernel: Kernel) -> Kernel:
        OPERATORS[name] = Operator(kernel, frozenset(attributes), exact)
        return kernel

    return register


_ROUNDED: dict[str, Callable[..., Tensor]] = {
    "Add": torch.add,
    "Sub": torch.sub,
    "Mul": torch.mul,
    "Mod": remainder,
    "MatMul": torch.matmul,
    "Sqrt": square_root,
    "Sin": torch.sin,
    "Cos": torch.cos,
    "Sigmoid": torch.sigmoid,
    "Reciprocal": torch.reciprocal,
    "Round": torch.round,
}
_EXACT: dict[str, Callable[..., Tensor]] = {
    "Identity": torch.positive,
    "Relu": torch.relu,
    "Neg": torch.neg,
    "Abs": torch.abs,
    "Min": lambda *values: reduce(torch.minimum, values),
    "Max": lambda *values: reduce(torch.maximum, values),
    "Equal": torch.eq,
    "Greater": torch.gt,
    "Where": torch.where,
}


def _plain(function: Callable[..., Tensor]) -> Kernel:
    """Return the kernel of a function that needs nothing but the arguments."""
    return lambda node, *arguments: function(*arguments)


for _name, _function in _ROUNDED.items():
    _operator(_name)(_plain(_function))
for _name, _function in _EXACT.items():
    _operator(_name, exact=True)(_plain(_function))


@_operator("Div")
def _div(node: Node, x: Tensor, y: Tensor) -> Tensor:
    return torch.div(x, y) if x.is_floating_point() else divide_integers(x, y, floor=False)


@_operator("Cast", "to", exact=True)
def _cast(node: Node, x: Tensor) -> Tensor:
    return cast(x, element_type(node.attributes["to"], node))


@_operator("Conv", "dilations", "kernel_shape", "pads", "strides")
def _conv(node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    if x.dim() != 4 or weight.dim() != 4:
        raise ValueError(f"takes four axes, not {tuple(x.shape)} and {tuple(weight.shape)}")
    return convolve(
        x,
        weight,
        bias,
        strides=node.attributes.get("strides", (1, 1)),
        pads=node.attributes.get("pads", (0, 0, 0, 0)),
        dilations=node.attributes.get("dilations", (1, 1)),
    )


@_operator("Gemm", "transB")
def _gemm(node: Node, x: Tensor, y: Tensor, addend: Tensor | None = None) -> Tensor:
    product = torch.matmul(x, y.T if node.attributes.get("transB", 0) else y)
    return product if addend is None else product + addend


@_operator("DFT", "axis", "inverse", "onesided")
def _dft(
    node: Node, x: Tensor, length: Tensor | None = None, axis_value: Tensor | None = None
) -> Tensor:
    """Transform along one axis; the last axis holds real parts, or real and imaginary ones."""
    inverse, onesided = (bool(node.attributes.get(flag)) for flag in ("inverse", "onesided"))
    # An attribute until opset 20, and an input from then on.
    axis = node.attributes["axis"] if axis_value is None else integers(axis_value)[0]
    count = None if length is None else integers(length)[0]
    # torch's complex tensors lack the last axis.
    axis, is_real = axis % x.dim(), x.shape[-1] == 1
    signal = x.squeeze(-1) if is_real else torch.view_as_complex(x.contiguous())
    if onesided and (inverse or not is_real):
        raise ValueError("onesided goes from real numbers forward only")
    transform = torch.fft.rfft if onesided else torch.fft.ifft if inverse else torch.fft.fft
    return torch.view_as_real(transform(signal, n=count, dim=axis).resolve_conj())


@_operator("QuantizeLinear", exact=True)
def _quantize_linear(node: Node, x: Tensor, scale: Tensor, zero_point: Tensor) -> Tensor:
    return quantise(x, scale, zero_point)


@_operator("DequantizeLinear", "axis", exact=True)
def _dequantize_linear(
    node: Node, x: Tensor, scale: Tensor, zero_point: Tensor | None = None
) -> Tensor:
    shape = [1] * x.dim()
    if scale.numel() > 1:
        shape[node.attributes.get("axis", 1)] = -1
    zeros = None if zero_point is None else zero_point.reshape(shape)
    return dequantise(x, scale.reshape(shape), zeros).to(scale.dtype)


@_operator("Shape", "start", "end", exact=True)
def _shape(node: Node, x: Tensor) -> Tensor:
    start, end = node.attributes.get("start", 0), node.attributes.get("end")
    return torch.tensor(x.shape[start:end], dtype=torch.int64)


@_operator("Reshape", exact=True)
def _reshape(node: Node, x: Tensor, shape: Tensor) -> Tensor:
    sides = integers(shape)
    return x.reshape([x.shape[axis] if side == 0 else side for axis, side in enumerate(sides)])


@_operator("Squeeze", exact=True)
def _squeeze(node: Node, x: Tensor, axes: Tensor | None = None) -> Tensor:
    return x.squeeze() if axes is None else x.squeeze(tuple(integers(axes)))


@_operator("Unsqueeze", exact=True)
def _unsqueeze(node: Node, x: Tensor, axes: Tensor) -> Tensor:
    rank = x.dim() + axes.numel()
    for axis in sorted(axis % rank for axis in integers(axes)):
        x = x.unsqueeze(axis)
    return x


@_operator("Range")
def _range(node: Node, start: Tensor, limit: Tensor, delta: Tensor) -> Tensor:
    return torch.arange(*(value.item() for value in (start, limit, delta)))


@_operator("Slice", exact=True)
def _slice(
    node: Node, x: Tensor, starts: Tensor, ends: Tensor, axes: Tensor | None = None
) -> Tensor:
    firsts, lasts = integers(starts), integers(ends)
    along = range(len(firsts)) if axes is None else integers(axes)
    for axis, first, last in zip(along, firsts, lasts, strict=True):
        x = x.movedim(axis, 0)[first:last].movedim(0, axis)
    return x


@_operator("Gather", "axis", exact=True)
def _gather(node: Node, x: Tensor, indices: Tensor) -> Tensor:
    axis = node.attributes.get("axis", 0) % x.dim()
    taken = x.index_select(axis, indices.reshape(-1))
    return taken.reshape(x.shape[:axis] + indices.shape + x.shape[axis + 1 :])


@_operator("ArgMin", "axis", exact=True)
def _arg_min(node: Node, x: Tensor) -> Tensor:
    return torch.argmin(x, node.attributes.get("axis", 0), keepdim=True)


@_operator("Concat", "axis", exact=True)
def _concat(node: Node, *parts: Tensor) -> Tensor:
    return torch.cat(parts, node.attributes["axis"])


@_operator("Transpose", "perm", exact=True)
def _transpose(node: Node, x: Tensor) -> Tensor:
    return x.permute(node.attributes["perm"])


@_operator("DepthToSpace", "blocksize", "mode", exact=True)
def _depth_to_space(node: Node, x: Tensor) -> Tensor:
    if node.attributes.get("mode", "DCR") != "DCR":
        raise ValueError(f"there is no mode {node.attributes['mode']!r}, only 'DCR'")
    return depth_to_space(x, node.attributes["blocksize"], depth_first=True)


@_operator("Pad", "mode", exact=True)
def _pad(node: Node, x: Tensor, pads: Tensor) -> Tensor:
    if node.attributes.get("mode") != "reflect":
        raise ValueError(f"there is no mode {node.attributes.get('mode')!r}, only 'reflect'")
    before, after = np.split(np.array(integers(pads)), 2)
    return reflect_pad(x, before.tolist(), after.tolist())
