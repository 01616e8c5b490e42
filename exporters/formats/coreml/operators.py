"""ONNX's operators in MIL's: arithmetic, layers and layout, a small function for each."""

from __future__ import annotations

from typing import Any

import numpy as np

from lama_edge.errors import ModelError, needs_extra
from lama_edge.exporters.formats.coreml.shuffles import INTERLEAVED
from lama_edge.exporters.formats.coreml.toolkit import Builder, Var, types
from lama_edge.exporters.formats.coreml.translation import (
    Translation,
    integer,
    integers,
    mil_type,
    name_of,
    operator,
    text,
)

with needs_extra("export"):
    import onnx_ir as ir

_UNARY = {
    "Relu": Builder.relu,
    "Sigmoid": Builder.sigmoid,
    "Round": Builder.round,
    "Sqrt": Builder.sqrt,
    "Cos": Builder.cos,
    "Sin": Builder.sin,
}
_BINARY = {
    "Add": Builder.add,
    "Mul": Builder.mul,
    "Mod": Builder.mod,
    "Greater": Builder.greater,
    "Equal": Builder.equal,
}


@operator(*_UNARY)
def _unary(t: Translation, node: ir.Node) -> Var:
    return _UNARY[node.op_type](x=t[node.inputs[0]], name=name_of(node))


@operator(*_BINARY)
def _binary(t: Translation, node: ir.Node) -> Var:
    x, y = (t[value] for value in node.inputs)
    return _BINARY[node.op_type](x=x, y=y, name=name_of(node))


@operator("Div")
def _divide(t: Translation, node: ir.Node) -> Var:
    """Divide; integers to integers, and none is negative, where all roundings agree."""
    x, y = (t[value] for value in node.inputs)
    divide = Builder.floor_div if types.is_int(x.dtype) else Builder.real_div
    return divide(x=x, y=y, name=name_of(node))


@operator("Neg")
def _negate(t: Translation, node: ir.Node) -> Var:
    x = t[node.inputs[0]]
    minus_one = types.nptype_from_builtin(x.dtype)(-1)
    return Builder.mul(x=x, y=minus_one, name=name_of(node))


@operator("Cast")
def _cast(t: Translation, node: ir.Node) -> Var:
    target = mil_type(ir.DataType(integer(node, "to", 0)))
    return Builder.cast(
        x=t[node.inputs[0]], dtype=types.builtin_to_string(target), name=name_of(node)
    )


@operator("Where")
def _where(t: Translation, node: ir.Node) -> Var:
    """Choose; between two numbers by a product and a sum.

    coremltools takes the result's shape from what is chosen from, not from the condition, and
    two numbers have none.
    """
    cond, a, b = (t[value] for value in node.inputs)
    if a.val is None or b.val is None:
        return Builder.select(cond=cond, a=a, b=b, name=name_of(node))
    name, dtype = name_of(node), types.builtin_to_string(a.dtype)
    ones = Builder.cast(x=cond, dtype=dtype, name=f"{name}_ones")
    rise = Builder.mul(x=ones, y=a.val - b.val, name=f"{name}_rise")
    return Builder.add(x=rise, y=b.val, name=name)


@operator("Conv")
def _convolve(t: Translation, node: ir.Node) -> Var:
    x, weight, *bias = node.inputs
    assert weight is not None
    top, left, bottom, right = integers(node, "pads", [0, 0, 0, 0])
    parameters: dict[str, Any] = {"weight": t.weight(weight)}
    if bias and bias[0] is not None:
        parameters["bias"] = t[bias[0]]
    if any((top, left, bottom, right)):
        parameters.update(pad_type="custom", pad=[top, bottom, left, right])
    else:
        parameters.update(pad_type="valid")
    return Builder.conv(
        x=t[x],
        strides=integers(node, "strides", [1, 1]),
        dilations=integers(node, "dilations", [1, 1]),
        groups=integer(node, "group", 1),
        name=name_of(node),
        **parameters,
    )


@operator("MatMul")
def _multiply(t: Translation, node: ir.Node) -> Var:
    """Multiply matrices; a transposition of an operand becomes part of the product."""
    (x, transpose_x), (y, transpose_y) = (_untransposed(value) for value in node.inputs)
    return Builder.matmul(
        x=t[x], y=t[y], transpose_x=transpose_x, transpose_y=transpose_y, name=name_of(node)
    )


def _untransposed(value: ir.Value | None) -> tuple[ir.Value | None, bool]:
    producer = None if value is None else value.producer()
    if producer is None or producer.op_type != "Transpose":
        return value, False
    permutation = integers(producer, "perm", [])
    *outer, last, second_last = permutation
    swaps_last_two = [*outer, second_last, last] == list(range(len(permutation)))
    return (producer.inputs[0], True) if swaps_last_two else (value, False)


@operator("Pad")
def _pad(t: Translation, node: ir.Node) -> Var:
    """Pad height and width, which is as far as MIL reflects.

    The constant is of no use to it, but has to be there in the map's own number format.
    """
    x, pads = t[node.inputs[0]], t.integers(node.inputs[1])
    mode = text(node, "mode", "constant")
    if x.rank != 4 or pads is None or any(pads[:2]) or any(pads[4:6]) or mode != "reflect":
        raise ModelError(f"{node.name!r}: Core ML is given reflect pads of height and width only")
    _, _, top, left, _, _, bottom, right = pads
    amounts = [top, bottom, left, right]
    zero = types.nptype_from_builtin(x.dtype)(0)
    return Builder.pad(x=x, pad=amounts, mode=mode, constant_val=zero, name=name_of(node))


@operator("Concat", INTERLEAVED)
def _concatenate(t: Translation, node: ir.Node) -> Var:
    return Builder.concat(
        values=[t[value] for value in node.inputs],
        axis=integer(node, "axis", 0),
        interleave=node.op_type == INTERLEAVED,
        name=name_of(node),
    )


@operator("DepthToSpace")
def _depth_to_space(t: Translation, node: ir.Node) -> Var:
    """MIL's documentation gives `depth_to_space` no order; `pixel_shuffle` has PyTorch's."""
    if text(node, "mode", "DCR") != "CRD":
        raise ModelError(f"{node.name!r}: Core ML's shuffle takes channels in the order CRD")
    block = integer(node, "blocksize", 0)
    return Builder.pixel_shuffle(x=t[node.inputs[0]], upscale_factor=block, name=name_of(node))


@operator("Transpose")
def _transpose(t: Translation, node: ir.Node) -> Var:
    return Builder.transpose(
        x=t[node.inputs[0]], perm=integers(node, "perm", []), name=name_of(node)
    )


@operator("Slice")
def _slice(t: Translation, node: ir.Node) -> Var:
    """Cut constant ranges out; the step is 1."""
    x = t[node.inputs[0]]
    starts, ends, axes = (t.integers(value) for value in node.inputs[1:4])
    if starts is None or ends is None or axes is None:
        raise ModelError(f"{node.name!r}: Core ML is given slices with constant bounds only")
    begin, end = [0] * x.rank, [0] * x.rank
    untouched = [True] * x.rank
    for start, stop, axis in zip(starts, ends, axes, strict=True):
        begin[axis], end[axis], untouched[axis] = start, stop, False
    return Builder.slice_by_index(x=x, begin=begin, end=end, end_mask=untouched, name=name_of(node))


@operator("Reshape")
def _reshape(t: Translation, node: ir.Node) -> Var:
    """Reshape; extents that are known are written out, which every device plans ahead with."""
    x, target = t[node.inputs[0]], t.integers(node.inputs[1])
    if target is None:
        return Builder.reshape(x=x, shape=_computed_shape(t, node, x), name=name_of(node))
    shape = _copied_extents(x, target)
    if -1 in shape and all(isinstance(extent, int | np.integer) for extent in x.shape):
        rest = -int(np.prod(shape))
        shape[shape.index(-1)] = int(np.prod(x.shape)) // rest
    return Builder.reshape(x=x, shape=shape, name=name_of(node))


def _computed_shape(t: Translation, node: ir.Node, x: Var) -> Var:
    """Return a shape of constants followed by a computed extent.

    Its zeros are replaced by what they stand for: MIL would take the number of channels for
    unknown, and no convolution can follow then.
    """
    target = node.inputs[1]
    concat = None if target is None else target.producer()
    first = None if concat is None else t.integers(concat.inputs[0])
    if concat is None or first is None:
        raise ModelError(f"{node.name!r}: Core ML is given shapes that begin with constants only")
    known = np.array(_copied_extents(x, first), dtype=np.int32)
    computed = [t[value] for value in concat.inputs[1:]]
    return Builder.concat(values=[known, *computed], axis=0, name=f"{name_of(node)}_shape")


def _copied_extents(x: Var, target: list[int]) -> list[Any]:
    """Replace each 0 by the extent that it copies."""
    return [x.shape[axis] if extent == 0 else extent for axis, extent in enumerate(target)]
