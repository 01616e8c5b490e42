"""ONNX's operators in LiteRT's, a small function for each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lama_edge.errors import ModelError, needs_extra
from lama_edge.exporters.formats.litert.flatbuffer import OPERATORS, Scale, schema
from lama_edge.exporters.formats.litert.layers import activation_of, layer_of, no_bias
from lama_edge.exporters.formats.litert.translation import (
    CHANNELS_LAST,
    Order,
    Stored,
    Translation,
    constant,
    fused_relu,
    integer,
    integers,
    operator,
)

with needs_extra("export"):
    import onnx_ir as ir

# Pads up to here are slices and concatenations: MIRROR_PAD is no operator of XNNPACK, and LiteRT's
# own kernel takes 20 times as long (20 ms and 1 for 64 x 64 x 512). Wider ones would be too many.
_MOST_SLICED = 3


@operator("Relu", "Sigmoid")
def _unary(t: Translation, node: ir.Node) -> Stored:
    code = {"Relu": OPERATORS.RELU, "Sigmoid": OPERATORS.LOGISTIC}[node.op_type]
    x = t[node.inputs[0]]
    return Stored(t.call(code, _name(node), [x.tensor], t.writer.shape(x.tensor)), x.order)


@operator("Greater")
def _hole(t: Translation, node: ir.Node) -> Stored:
    """Binarise the mask, as the floats 0 and 1: delegates have booleans on the way to a cast only.

    The GPU delegate wants the cast read once, so what many read is two differences behind it.
    """
    x, name = t[node.inputs[0]], _name(node)
    shape, zero = t.writer.shape(x.tensor), t.constant("float_0", np.zeros(1, np.float32))
    options = schema.GreaterOptionsT()
    above = t.call(
        OPERATORS.GREATER, f"{name}_bool", [x.tensor, zero], shape, options, dtype=np.bool_
    )
    cast = schema.CastOptionsT()
    cast.inDataType, cast.outDataType = schema.TensorType.BOOL, schema.TensorType.FLOAT32
    numbers = t.call(OPERATORS.CAST, f"{name}_numbers", [above], shape, cast)
    keep = t.complement(numbers, f"{name}_keep")
    return Stored(t.complement(keep, name), x.order)


@operator("Cast")
def _cast(t: Translation, node: ir.Node) -> Stored:
    """Turn bytes into floats and floats into bytes; all other numbers are floats here already."""
    x, target = t[node.inputs[0]], ir.DataType(integer(node, "to", 0))
    value = node.inputs[0]
    shape = t.writer.shape(x.tensor)
    inputs, name = [x.tensor], _name(node)
    if target == ir.DataType.UINT8:
        options, scale = schema.QuantizeOptionsT(), Scale.one(1.0)
        tensor = t.call(
            OPERATORS.QUANTIZE, name, inputs, shape, options, dtype=np.uint8, scale=scale
        )
    elif value is not None and value.dtype == ir.DataType.UINT8:
        options = schema.DequantizeOptionsT()
        tensor = t.call(OPERATORS.DEQUANTIZE, name, inputs, shape, options)
    else:
        return x
    return Stored(tensor, x.order)


@operator("Round")
def _round(t: Translation, node: ir.Node) -> Stored:
    """Leave it to QUANTIZE, which comes next and rounds to the nearest."""
    return t[node.inputs[0]]


@operator("Where")
def _where(t: Translation, node: ir.Node) -> Stored:
    """Choose by products and a sum: of every pixel one term is finite and the other 0."""
    hole, name = t[node.inputs[0]].tensor, _name(node)
    keep = t.complement(hole, f"{name}_keep")
    terms, order = [], CHANNELS_LAST
    for value, factor, role in zip(node.inputs[1:], (hole, keep), ("inside", "known"), strict=True):
        chosen = constant(value)
        if chosen is None:
            terms.append(_times(t, t.in_order(value, order), factor, f"{name}_{role}"))
        elif np.any(chosen):
            raise ModelError(f"{node.name!r}: LiteRT is given a choice between maps and 0 only")
    if len(terms) == 1:
        return Stored(terms[0], order)
    shape = t.writer.shape(terms[0])
    return Stored(t.call(OPERATORS.ADD, name, terms, shape, schema.AddOptionsT()), order)


def _times(t: Translation, x: int, factor: int, name: str) -> int:
    """Multiply; the operand of one channel is the second, as the GPU delegate wants it."""
    options = schema.MulOptionsT()
    return t.call(OPERATORS.MUL, name, [x, factor], t.writer.shape(x), options)


@operator("Mul", "Div")
def _scale(t: Translation, node: ir.Node) -> Stored:
    factor = constant(node.inputs[1])
    if factor is None or factor.size != 1:
        raise ModelError(f"{node.name!r}: LiteRT is given products with a number only")
    number = np.float32(1 / factor.item() if node.op_type == "Div" else factor.item())
    x = t[node.inputs[0]]
    scalar = t.constant(f"float_{number:.9g}", np.array([number], np.float32))
    return Stored(_times(t, x.tensor, scalar, _name(node)), x.order)


@operator("Add")
def _add(t: Translation, node: ir.Node) -> Stored:
    first, second = node.inputs
    order = t[first].order
    tensors = [t.in_order(value, order) for value in (first, second)]
    last = fused_relu(t, node)
    options = schema.AddOptionsT()
    options.fusedActivationFunction = activation_of([last])
    shape = t.writer.shape(tensors[0])
    total = t.call(OPERATORS.ADD, _name(last), tensors, shape, options)
    return t.define(last.outputs[0], Stored(total, order))


@operator("Concat")
def _concatenate(t: Translation, node: ir.Node) -> Stored:
    order = t[node.inputs[0]].order
    tensors = [t.in_order(value, order) for value in node.inputs]
    axis = order.index(integer(node, "axis", 0))
    return Stored(concatenated(t, _name(node), tensors, axis), order)


def concatenated(t: Translation, name: str, tensors: list[int], axis: int) -> int:
    """Concatenate tensors along a stored axis."""
    shapes = [t.writer.shape(tensor) for tensor in tensors]
    shape = [*shapes[0]]
    shape[axis] = sum(each[axis] for each in shapes)
    options = schema.ConcatenationOptionsT()
    options.axis = axis
    return t.call(OPERATORS.CONCATENATION, name, tensors, shape, options, like=tensors[0])


def sliced(t: Translation, name: str, tensor: int, axis: int, start: int, end: int) -> int:
    """Cut a range out of a stored axis."""
    shape = [*t.writer.shape(tensor)]
    begin, shape[axis] = [0] * len(shape), end - start
    begin[axis] = start
    inputs, options = [tensor, t.integers(begin), t.integers(shape)], schema.SliceOptionsT()
    return t.call(OPERATORS.SLICE, name, inputs, shape, options, like=tensor)


@operator("Slice")
def _slice(t: Translation, node: ir.Node) -> Stored:
    bounds = [constant(value) for value in node.inputs[1:4]]
    if any(bound is None or bound.size != 1 for bound in bounds):
        raise ModelError(f"{node.name!r}: LiteRT is given constant slices of one axis only")
    start, end, axis = (int(bound[0]) for bound in bounds if bound is not None)
    x = t[node.inputs[0]]
    tensor = sliced(t, _name(node), x.tensor, x.order.index(axis), start, end)
    return Stored(tensor, x.order)


@operator("Pad")
def _pad(t: Translation, node: ir.Node) -> Stored:
    pads = constant(node.inputs[1])
    mode = node.attributes["mode"].as_string()
    if pads is None or mode != "reflect" or pads[:2].any() or pads[4:6].any():
        raise ModelError(f"{node.name!r}: LiteRT is given reflect pads of height and width only")
    down, right = int(pads[2]), int(pads[3])
    if [*pads[6:]] != [down, right]:
        raise ModelError(f"{node.name!r}: LiteRT is given the same reflect pads on both sides")
    x, name = t.in_order(node.inputs[0], CHANNELS_LAST), _name(node)
    if max(down, right) > _MOST_SLICED:
        return Stored(_mirrored(t, name, x, down, right), CHANNELS_LAST)
    rows = reflected(t, f"{name}_rows", x, 1, down)
    return Stored(reflected(t, name, rows, 2, right), CHANNELS_LAST)


def reflected(t: Translation, name: str, x: int, axis: int, amount: int) -> int:
    """Pad both ends of a stored axis by what is next to them, the nearest first."""
    length = t.writer.shape(x)[axis]
    before = [sliced(t, f"{name}_before{at}", x, axis, at, at + 1) for at in range(amount, 0, -1)]
    after = [
        sliced(t, f"{name}_after{at}", x, axis, length - 1 - at, length - at)
        for at in range(1, amount + 1)
    ]
    if amount > 1:  # XNNPACK concatenates up to five
        before = [concatenated(t, f"{name}_before", before, axis)]
        after = [concatenated(t, f"{name}_after", after, axis)]
    return concatenated(t, name, [*before, x, *after], axis)


def _mirrored(t: Translation, name: str, x: int, down: int, right: int) -> int:
    _, height, width, channels = t.writer.shape(x)
    options = schema.MirrorPadOptionsT()
    options.mode = schema.MirrorPadMode.REFLECT
    amounts = _paddings(t, (down, down), (right, right))
    shape = [1, height + 2 * down, width + 2 * right, channels]
    return t.call(OPERATORS.MIRROR_PAD, name, [x, amounts], shape, options, like=x)


@operator("Conv")
def _convolve(t: Translation, node: ir.Node) -> Stored:
    if integer(node, "group", 1) != 1:
        raise ModelError(f"{node.name!r}: LiteRT is given convolutions of one group only")
    x = t.in_order(node.inputs[0], CHANNELS_LAST)
    layer = layer_of(t, node, x)
    channels, *kernel, _ = t.writer.shape(layer.weight)
    strides, dilations = (integers(node, name, [1, 1]) for name in ("strides", "dilations"))
    pads = integers(node, "pads", [0, 0, 0, 0])
    same = _is_same(pads, t.writer.shape(x), kernel, strides, dilations)
    if any(pads) and not same:
        x = _zero_padded(t, f"{_name(node)}_padded", x, pads)
    options = schema.Conv2DOptionsT()
    options.padding = schema.Padding.SAME if same and any(pads) else schema.Padding.VALID
    options.strideH, options.strideW = strides
    options.dilationHFactor, options.dilationWFactor = dilations
    options.fusedActivationFunction = activation_of(layer.nodes)
    padded = t.writer.shape(x)[1:3]
    if same and any(pads):
        sides = [-(-side // stride) for side, stride in zip(padded, strides, strict=True)]
    else:
        spans = _spans(kernel, dilations)
        sides = [(a - b) // s + 1 for a, b, s in zip(padded, spans, strides, strict=True)]
    stored = Stored(
        t.call(
            OPERATORS.CONV_2D,
            _name(layer.nodes[-1]),
            [x, layer.weight, layer.bias],
            [1, *sides, channels],
            options,
            dtype=layer.dtype,
            scale=layer.scale,
            version=layer.version,
        ),
        CHANNELS_LAST,
    )
    for each in layer.nodes:
        t.define(each.outputs[0], stored)
    return stored


def _spans(kernel: Sequence[int], dilations: list[int]) -> list[int]:
    return [(taps - 1) * dilation + 1 for taps, dilation in zip(kernel, dilations, strict=True)]


def _is_same(
    pads: list[int],
    shape: tuple[int, ...],
    kernel: Sequence[int],
    strides: list[int],
    dilations: list[int],
) -> bool:
    """Tell whether zeros lie where LiteRT's SAME has them: the smaller half before the map."""
    wanted = []
    for side, span, stride in zip(shape[1:3], _spans(kernel, dilations), strides, strict=True):
        missing = max((-(-side // stride) - 1) * stride + span - side, 0)
        wanted.append((missing // 2, missing - missing // 2))
    return [(pads[0], pads[2]), (pads[1], pads[3])] == wanted


def _zero_padded(t: Translation, name: str, x: int, pads: list[int]) -> int:
    top, left, bottom, right = pads
    _, height, width, channels = t.writer.shape(x)
    amounts = _paddings(t, (top, bottom), (left, right))
    shape = [1, height + top + bottom, width + left + right, channels]
    return t.call(OPERATORS.PAD, name, [x, amounts], shape, schema.PadOptionsT(), like=x)


def _paddings(t: Translation, rows: tuple[int, int], columns: tuple[int, int]) -> int:
    amounts = np.array([(0, 0), rows, columns, (0, 0)], np.int32)
    return t.constant("pad_" + "_".join(map(str, amounts.ravel()[2:6])), amounts)


@operator("MatMul")
def _multiply(t: Translation, node: ir.Node) -> Stored:
    """Multiply the last stored axis by a constant, as a 1x1 convolution does.

    A constant on the left multiplies the last axis but one, which is stored last for it.
    """
    left, right = node.inputs
    on_right = constant(right)
    value, factor = (left, right) if on_right is not None else (right, left)
    matrix = constant(left) if on_right is None else on_right.T
    if matrix is None or factor is None or matrix.ndim != 2:
        raise ModelError(f"{node.name!r}: LiteRT is given products with a constant matrix only")
    rank = len(t.extents(value))
    axis = rank - 1 if factor is right else rank - 2
    order: Order = t[value].order
    if order[-1] != axis:
        order = (*(other for other in range(rank) if other != axis), axis)
    x = t.in_order(value, order)
    shape = [*t.writer.shape(x)[:-1], len(matrix)]
    weight = t.constant(str(factor.name), matrix[:, np.newaxis, np.newaxis])
    options = schema.Conv2DOptionsT()
    options.padding = schema.Padding.VALID
    options.strideH = options.strideW = 1
    inputs = [x, weight, no_bias(t, len(matrix))]
    return Stored(t.call(OPERATORS.CONV_2D, _name(node), inputs, shape, options), order)


@operator("Transpose")
def _transpose(t: Translation, node: ir.Node) -> Stored:
    """Change the order that the value is known to be stored in, and nothing else."""
    x, permutation = t[node.inputs[0]], integers(node, "perm", [])
    return Stored(x.tensor, tuple(permutation.index(axis) for axis in x.order))


@operator("Reshape")
def _reshape(t: Translation, node: ir.Node) -> Stored:
    value, target = node.inputs[0], constant(node.inputs[1])
    if target is None:
        raise ModelError(f"{node.name!r}: LiteRT is given constant shapes only")
    before = t.extents(value)
    order: Order = tuple(range(len(before)))
    shape = [before[axis] if side == 0 else int(side) for axis, side in enumerate(target)]
    if -1 in shape:
        shape[shape.index(-1)] = int(np.prod(before)) // -int(np.prod(shape))
    options = schema.ReshapeOptionsT()
    options.newShape = shape
    inputs = [t.in_order(value, order), t.integers(shape)]
    tensor = t.call(OPERATORS.RESHAPE, _name(node), inputs, shape, options, like=inputs[0])
    return Stored(tensor, tuple(range(len(shape))))


@operator("DepthToSpace")
def _depth_to_space(t: Translation, node: ir.Node) -> Stored:
    if node.attributes["mode"].as_string() != "DCR":
        raise ModelError(f"{node.name!r}: LiteRT's shuffle takes channels in the order DCR")
    block = integer(node, "blocksize", 0)
    x = t.in_order(node.inputs[0], CHANNELS_LAST)
    _, height, width, channels = t.writer.shape(x)
    options = schema.DepthToSpaceOptionsT()
    options.blockSize = block
    shape = [1, height * block, width * block, channels // block**2]
    shuffled = t.call(OPERATORS.DEPTH_TO_SPACE, _name(node), [x], shape, options, like=x)
    return Stored(shuffled, CHANNELS_LAST)


def _name(node: ir.Node) -> str:
    return str(node.outputs[0].name)
