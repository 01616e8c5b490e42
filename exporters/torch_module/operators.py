"""ONNX's operators in torch's, a small function for each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lama_edge.errors import ModelError, needs_extra
from lama_edge.exporters.torch_module.translation import Translation, operator, shape_of

with needs_extra("export"):
    import onnx_ir as ir
with needs_extra("torch"):
    import torch
    import torch.nn.functional as F
    from torch import fx

_FUNCTIONS: dict[str, Callable[..., torch.Tensor]] = {
    "Add": torch.add,
    "Ceil": torch.ceil,
    "Div": torch.div,
    "Mul": torch.mul,
    "Relu": torch.relu,
    "Sigmoid": torch.sigmoid,
    "Sub": torch.sub,
}
_DTYPES = {
    ir.DataType.FLOAT: torch.float32,
    ir.DataType.FLOAT16: torch.float16,
    ir.DataType.UINT8: torch.uint8,
}
_LARGE = 2.0**127
_LAST_TWO_SWAPPED = [0, 1, 3, 2]


@operator(*_FUNCTIONS)
def _function(t: Translation, node: ir.Node) -> fx.Node:
    return t.call(_FUNCTIONS[node.op_type], *(_operand(t, value) for value in node.inputs))


def _operand(t: Translation, value: ir.Value | None) -> fx.Node | float:
    """Return a value's node, or a scalar as the number that it is."""
    if t.is_constant(value) and t.constant(value).ndim == 0:
        return float(t.constant(value))
    return t[value]


@operator("Round")
def _round(t: Translation, node: ir.Node) -> fx.Node:
    """Round to the nearest whole number, a half to the lower: XNNPACK is given no `round`.

    The difference is exact, or lies in -0.5 to -0.25, so that the nearest is found whichever way a
    device rounds differences.
    """
    less = t.call(torch.sub, t[node.inputs[0]], 0.5)
    return t.call(torch.ceil, less)


@operator("Greater")
def _hole(t: Translation, node: ir.Node) -> fx.Node:
    """Return 1 where a mask is above 0, else 0, by a product and clamping alone.

    Numbers below 2 to the power of -126 are 0 to many runtimes: XNNPACK flushes them.
    """
    mask, zero = node.inputs
    if not t.is_constant(zero) or t.constant(zero).any():
        raise ModelError(f"{node.name!r} compares with another value than 0")
    return t.call(torch.clamp, t.call(torch.mul, t[mask], _LARGE), 0.0, 1.0)


@operator("Cast")
def _cast(t: Translation, node: ir.Node) -> fx.Node:
    (value,) = node.inputs
    assert value is not None
    wanted = _DTYPES[ir.DataType(node.attributes["to"].as_int())]
    if value.dtype == ir.DataType.BOOL:
        # The hole, which is floats already.
        return t[value] if wanted == torch.float32 else t.call(torch.Tensor.to, t[value], wanted)
    return t.call(torch.Tensor.to, t[value], wanted)


@operator("Where")
def _choose(t: Translation, node: ir.Node) -> fx.Node:
    """Sum what is inside the hole and what is outside; exact, since one of the two is 0."""
    hole, inside, outside = node.inputs
    assert hole is not None
    assert outside is not None

    def keep() -> fx.Node:
        return t.call(torch.sub, 1.0, t[hole])

    def kept() -> fx.Node:
        return t.call(torch.mul, t[outside], t.once("keep", hole, keep))

    known = t.once("kept", outside, kept)
    if t.is_constant(inside) and not t.constant(inside).any():
        return known
    return t.call(torch.add, t.call(torch.mul, t[inside], t[hole]), known)


@operator("Concat")
def _concat(t: Translation, node: ir.Node) -> fx.Node:
    return t.call(torch.cat, [t[value] for value in node.inputs], node.attributes["axis"].as_int())


@operator("Slice")
def _slice(t: Translation, node: ir.Node) -> fx.Node:
    x, *rest = node.inputs
    (start,), (end,), (axis,) = (t.constant(value).tolist() for value in rest)
    return t.call(torch.narrow, t[x], axis, start, end - start)


@operator("Pad")
def _pad(t: Translation, node: ir.Node) -> fx.Node:
    """Reflect rows, then columns: a slice for each, since torch's own way is made of gathers."""
    x, amounts = node.inputs[:2]
    if node.attributes["mode"].as_string() != "reflect":
        raise ModelError(f"{node.name!r} pads by another mode than reflect")
    before, after = np.split(t.constant(amounts), 2)
    padded, extents = t[x], shape_of(x)
    for axis in np.flatnonzero(before + after).tolist():
        last = extents[axis] - 1
        near = range(int(before[axis]), 0, -1)
        far = range(last - 1, last - 1 - int(after[axis]), -1)
        slices = [
            [t.call(torch.narrow, padded, axis, position, 1) for position in positions]
            for positions in (near, far)
        ]
        padded = t.call(torch.cat, [*slices[0], padded, *slices[1]], axis)
    return padded


@operator("Conv")
def _convolution(t: Translation, node: ir.Node) -> fx.Node:
    x, weight, *bias = node.inputs
    attributes = {name: list(one.as_ints()) for name, one in node.attributes.items()}
    top, left, bottom, right = attributes.get("pads", [0] * 4)
    read = t[x]
    padding = [top, left]
    if (top, left) != (bottom, right):
        read, padding = t.call(F.pad, read, [left, right, top, bottom]), [0, 0]
    strides, dilations = (attributes.get(name, [1, 1]) for name in ("strides", "dilations"))
    biases = t[bias[0]] if bias else None
    return t.call(torch.conv2d, read, t[weight], biases, strides, padding, dilations)


@operator("MatMul")
def _product(t: Translation, node: ir.Node) -> fx.Node:
    """Multiply by a constant as a linear layer over the last axis."""
    left, right = node.inputs
    assert left is not None
    assert right is not None
    if t.is_constant(right):
        return t.call(F.linear, t[left], t.transposed(right))
    if not t.is_constant(left):
        raise ModelError(f"{node.name!r} multiplies two values that the graph computes")
    # A @ B is the transpose of Bᵀ @ Aᵀ, and a linear layer transposes its weight itself.
    return t.call(torch.permute, t.call(F.linear, _swapped(t, right), t[left]), _LAST_TWO_SWAPPED)


def _swapped(t: Translation, value: ir.Value) -> fx.Node:
    """Return a value with its last two axes swapped; what swapped them is undone."""
    node = value.producer()
    if node is not None and node.op_type == "Transpose" and _order(node) == _LAST_TWO_SWAPPED:
        return t[node.inputs[0]]
    return t.call(torch.permute, t[value], _LAST_TWO_SWAPPED)


def _order(node: ir.Node) -> list[int]:
    return list(node.attributes["perm"].as_ints())


@operator("Transpose")
def _transpose(t: Translation, node: ir.Node) -> fx.Node:
    return t.call(torch.permute, t[node.inputs[0]], _order(node))


@operator("Reshape")
def _reshape(t: Translation, node: ir.Node) -> fx.Node:
    return t.call(torch.reshape, t[node.inputs[0]], list(shape_of(node.outputs[0])))


@operator("DepthToSpace")
def _depth_to_space(t: Translation, node: ir.Node) -> fx.Node:
    """Bring the channels from ONNX's order, blocks first, to torch's, blocks last, and shuffle."""
    (x,) = node.inputs
    if node.attributes["mode"].as_string() != "DCR":
        raise ModelError(f"{node.name!r} shuffles in another order than DCR")
    block = node.attributes["blocksize"].as_int()
    batch, channels, height, width = shape_of(x)
    area = block * block
    parts = t.call(torch.reshape, t[x], [batch, area, channels // area, height * width])
    swapped = t.call(torch.permute, parts, [0, 2, 1, 3])
    joined = t.call(torch.reshape, swapped, [batch, channels, height, width])
    return t.call(F.pixel_shuffle, joined, block)
