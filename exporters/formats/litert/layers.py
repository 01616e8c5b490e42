"""A convolution's numbers in LiteRT: floats, integers, or floats round an integer kernel.

Which one it is, is written in the graph. Weights that a cast and a product turn back are turned
back here too, by a DEQUANTIZE that runtimes compute when they load the file. Weights that a
`DequantizeLinear` turns back are what the kernel reads: beside integer activations it is int8
throughout; beside floats LiteRT's kernels round these themselves as they come, XNNPACK's every
pixel of a 1x1 convolution with a scale of its own.

The graph counts activations from 0 to 255 and LiteRT from -128 to 127: the same levels, a zero
point 128 lower.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import ModelError, needs_extra
from lama_edge.exporters.formats.litert.flatbuffer import OPERATORS, Scale, schema
from lama_edge.exporters.formats.litert.translation import (
    Stored,
    Translation,
    constant,
    fused_relu,
    operator,
)
from lama_edge.exporters.precision.homogeneity import array_of

with needs_extra("export"):
    import onnx_ir as ir

Array = NDArray[Any]
_LOWEST = 128
# Versions from which CONV_2D takes int8, and int8 weights with a scale a channel beside floats.
_INTEGER_CONVOLUTION, _HYBRID_CONVOLUTION = 3, 5


@dataclass(frozen=True)
class Layer:
    """A convolution with what is computed in one go with it.

    Attributes:
        weight: tensor [C_out,K,L,C_in].
        bias: tensor [C_out].
        nodes: of the graph: the convolution, its ReLU, the rounding of the result.
        dtype: of the result.
        scale: of the result's integers.
        version: of the operator.
    """

    weight: int
    bias: int
    nodes: Sequence[ir.Node]
    dtype: Any = np.float32
    scale: Scale | None = None
    version: int = 1


@dataclass(frozen=True)
class _EightBits:
    """Weights int8 [C_out,…] with scales [C_out], and whether the kernel reads the integers."""

    values: Array
    scale: Array
    kept: bool


def layer_of(t: Translation, node: ir.Node, x: int) -> Layer:
    """Return a convolution's constants and result.

    Args:
        t: the file under construction.
        node: a `Conv`.
        x: the tensor that it reads.

    Raises:
        ModelError: when its weights are no constant.
    """
    value = node.inputs[1]
    biases = [bias for bias in node.inputs[2:] if bias is not None]
    nodes = _with_relu(t, node)
    weights = _eight_bits(value)
    if weights is None:
        array = constant(value)
        if array is None or value is None:
            raise ModelError(f"{node.name!r}: LiteRT is given convolutions by one constant only")
        weight = t.constant(str(value.name), array.transpose(0, 2, 3, 1))
        return Layer(weight, _float_bias(t, biases, len(array)), nodes)
    weight = _eight_bit_weight(t, str(node.inputs[1].name), weights)  # type: ignore[union-attr]
    rounding = _rounding(t, node)
    if rounding is None:
        version = _HYBRID_CONVOLUTION if weights.kept else 1
        bias = _float_bias(t, biases, len(weights.scale))
        return Layer(weight, bias, nodes, version=version)
    _, read = t.writer.kind(x)
    assert read is not None
    bias = _integer_bias(t, node, biases, weights.scale * read.scale)
    scale = _activation_scale(rounding)
    return Layer(weight, bias, [*nodes, rounding], np.int8, scale, _INTEGER_CONVOLUTION)


@operator("QuantizeLinear")
def _quantise(t: Translation, node: ir.Node) -> Stored:
    x, options = t[node.inputs[0]], schema.QuantizeOptionsT()
    shape, scale = t.writer.shape(x.tensor), _activation_scale(node)
    name = str(node.outputs[0].name)
    tensor = t.call(
        OPERATORS.QUANTIZE, name, [x.tensor], shape, options, dtype=np.int8, scale=scale
    )
    return Stored(tensor, x.order)


@operator("DequantizeLinear")
def _dequantise(t: Translation, node: ir.Node) -> Stored:
    """Turn integers back, unless those who read them do so themselves."""
    x, options = t[node.inputs[0]], schema.DequantizeOptionsT()
    if all(use.node.op_type == "Conv" and _rounding(t, use.node) for use in node.outputs[0].uses()):
        return x
    shape, name = t.writer.shape(x.tensor), str(node.outputs[0].name)
    tensor = t.call(OPERATORS.DEQUANTIZE, name, [x.tensor], shape, options, version=2)
    return Stored(tensor, x.order)


def activation_of(nodes: Sequence[ir.Node]) -> Any:
    """Return what is applied to the first of some nodes' result: ReLU, or nothing."""
    kinds = schema.ActivationFunctionType
    return kinds.RELU if any(node.op_type == "Relu" for node in nodes) else kinds.NONE


def no_bias(t: Translation, channels: int) -> int:
    """Return zeros: NPUs and some delegates want a bias in every convolution."""
    return t.constant(f"zeros_{channels}", np.zeros(channels, np.float32))


def _float_bias(t: Translation, biases: Sequence[ir.Value], channels: int) -> int:
    if not biases:
        return no_bias(t, channels)
    return t.constant(str(biases[0].name), array_of(biases[0]))


def _integer_bias(t: Translation, node: ir.Node, biases: Sequence[ir.Value], scale: Array) -> int:
    """Return 32-bit integers on the scale of the sums."""
    levels, name = np.zeros(len(scale), np.int32), f"{node.name}.zeros"
    for bias in biases:
        turned_back = bias.producer()
        assert turned_back is not None
        levels, name = array_of(turned_back.inputs[0]), str(turned_back.inputs[0].name)  # type: ignore[arg-type, union-attr]
    zeros = np.zeros(len(scale), np.int64)
    return t.constant(name, levels, Scale(scale.astype(np.float32), zeros))


def _with_relu(t: Translation, node: ir.Node) -> list[ir.Node]:
    relu = fused_relu(t, node)
    return [node] if relu is node else [node, relu]


def _rounding(t: Translation, node: ir.Node) -> ir.Node | None:
    """Return what rounds a convolution's result to integers, if it reads integers too."""
    weights, read = _eight_bits(node.inputs[1]), _producer(node.inputs[0])
    if weights is None or not weights.kept:
        return None
    readers = [use.node for use in _with_relu(t, node)[-1].outputs[0].uses()]
    if read is None or [one.op_type for one in readers] != ["QuantizeLinear"]:
        return None
    return readers[0] if read.op_type == "DequantizeLinear" else None


def _producer(value: ir.Value | None) -> ir.Node | None:
    return None if value is None else value.producer()


def _eight_bits(value: ir.Value | None) -> _EightBits | None:
    """Return weights of eight bits that the graph turns back; None where they are none."""
    node = _producer(value)
    if node is None or node.op_type not in ("DequantizeLinear", "Mul"):
        return None
    first, second = node.inputs[:2]
    if node.op_type == "DequantizeLinear":
        return _EightBits(_array(first), _array(second), kept=True)
    cast = _producer(first)
    assert cast is not None
    return _EightBits(_array(cast.inputs[0]), _array(second).reshape(-1), kept=False)


def _array(value: ir.Value | None) -> Array:
    assert value is not None
    return array_of(value)


def _eight_bit_weight(t: Translation, name: str, weights: _EightBits) -> int:
    values = weights.values.transpose(0, 2, 3, 1)
    scale = Scale(weights.scale, np.zeros(len(weights.scale), np.int64))
    tensor = t.constant(f"{name}.int8", values, scale)
    if weights.kept:
        return tensor
    options = schema.DequantizeOptionsT()
    return t.call(OPERATORS.DEQUANTIZE, name, [tensor], values.shape, options, version=2)


def _activation_scale(node: ir.Node) -> Scale:
    """Return what the integers of a `QuantizeLinear` stand for."""
    step, zero = (_array(value) for value in node.inputs[1:3])
    return Scale.one(float(step), int(zero) - _LOWEST)
