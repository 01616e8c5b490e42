"""From a deploy graph to LiteRT's operators, with the channels last.

LiteRT's convolutions and shuffles want [N,H,W,C], the graph has [N,C,H,W], and the products of its
DFT the columns or the rows last. So every value has an order: which of its ONNX axes each axis of
the stored tensor is. A transposition of the graph's only changes the order; a TRANSPOSE is written
where an operator reads a value that is stored in another order than it needs, once for all that
read it so. Two that cancel cannot come about.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import ModelError, needs_extra
from lama_edge.exporters.formats.litert.flatbuffer import OPERATORS, GraphWriter, Scale, schema
from lama_edge.exporters.precision.homogeneity import array_of

with needs_extra("export"):
    import onnx_ir as ir

Array = NDArray[Any]
Order = tuple[int, ...]
# How LiteRT's layers want a map: the axes of [N,C,H,W] as they are stored.
CHANNELS_LAST: Order = (0, 2, 3, 1)


@dataclass(frozen=True)
class Stored:
    """A value of the graph as a tensor of the file.

    Attributes:
        tensor: its index.
        order: the ONNX axis of each stored axis.
    """

    tensor: int
    order: Order


# Operators whose first version moves no int8.
_TWO_FOR_INTEGERS = frozenset(
    {
        OPERATORS.CONCATENATION,
        OPERATORS.MIRROR_PAD,
        OPERATORS.PAD,
        OPERATORS.SLICE,
        OPERATORS.TRANSPOSE,
    }
)

Translate = Callable[["Translation", ir.Node], Stored]
_OPERATORS: dict[str, Translate] = {}


def operator(*op_types: str) -> Callable[[Translate], Translate]:
    """Register a function as the translation of ONNX operators."""

    def register(translate: Translate) -> Translate:
        for op_type in op_types:
            _OPERATORS[op_type] = translate
        return translate

    return register


class Translation:
    """The values of one graph as tensors of the file under construction.

    Attributes:
        writer: what is written.
    """

    def __init__(self, writer: GraphWriter) -> None:
        self.writer = writer
        self._values: dict[ir.Value, Stored] = {}
        self._orders: dict[tuple[int, Order], int] = {}
        self._constants: dict[str, int] = {}
        self._complements: dict[int, int] = {}

    def __getitem__(self, value: ir.Value | None) -> Stored:
        """Return a value that the graph computes, or an input."""
        assert value is not None
        return self._values[value]

    def __contains__(self, value: ir.Value | None) -> bool:
        return value in self._values

    def define(self, value: ir.Value, stored: Stored) -> Stored:
        """Note what a value became."""
        self._values[value] = stored
        return stored

    def extents(self, value: ir.Value | None) -> tuple[int, ...]:
        """Return a value's shape in the graph."""
        stored = self[value]
        shape = self.writer.shape(stored.tensor)
        return tuple(shape[stored.order.index(axis)] for axis in range(len(shape)))

    def in_order(self, value: ir.Value | None, order: Order) -> int:
        """Return a value's tensor in an order, transposed if it is stored in another one."""
        stored = self[value]
        if stored.order == order:
            return stored.tensor
        key = stored.tensor, tuple(stored.order.index(axis) for axis in order)
        if key not in self._orders:
            shape = self.writer.shape(stored.tensor)
            permutation = self.integers(key[1])
            assert value is not None
            self._orders[key] = self.call(
                OPERATORS.TRANSPOSE,
                f"{value.name}_{''.join(map(str, key[1]))}",
                [stored.tensor, permutation],
                [shape[axis] for axis in key[1]],
                schema.TransposeOptionsT(),
                like=stored.tensor,
            )
        return self._orders[key]

    def complement(self, tensor: int, name: str) -> int:
        """Return 1 less a tensor of zeros and ones; the complement of that is the tensor."""
        if tensor not in self._complements:
            one = self.constant("float_1", np.ones(1, np.float32))
            shape, options = self.writer.shape(tensor), schema.SubOptionsT()
            self._complements[tensor] = self.call(
                OPERATORS.SUB, name, [one, tensor], shape, options
            )
        return self._complements[tensor]

    def call(
        self,
        code: int,
        name: str,
        inputs: Sequence[int],
        shape: Sequence[int],
        options: Any = None,
        *,
        dtype: Any = np.float32,
        scale: Scale | None = None,
        version: int = 1,
        like: int | None = None,
    ) -> int:
        """Write an operator; return its output, a tensor of that name and shape.

        What only moves elements gives those of the tensor that it is `like`, integers too.
        """
        if like is not None:
            dtype, scale = self.writer.kind(like)
            if dtype == np.int8 and code in _TWO_FOR_INTEGERS:
                version = 2
        output = self.writer.tensor(name, shape, dtype, scale)
        return self.writer.operator(code, inputs, output, options, version=version)

    def constant(self, name: str, array: Array, scale: Scale | None = None) -> int:
        """Return a constant; the same name is the same one. float16 is turned back when read."""
        if name not in self._constants:
            tensor = self.writer.constant(name, np.ascontiguousarray(array), scale)
            if array.dtype == np.float16:
                options = schema.DequantizeOptionsT()
                wide = f"{name}_float"
                shape = array.shape
                tensor = self.call(OPERATORS.DEQUANTIZE, wide, [tensor], shape, options, version=3)
            self._constants[name] = tensor
        return self._constants[name]

    def integers(self, values: Sequence[int]) -> int:
        """Return a constant of one axis."""
        return self.constant("int_" + "_".join(map(str, values)), np.array(values, np.int32))


def translate(graph: ir.Graph, writer: GraphWriter) -> tuple[dict[str, int], dict[str, int]]:
    """Write a graph's operators.

    Args:
        graph: of one fixed size and one output.
        writer: where they go.

    Returns:
        The inputs and the outputs, tensors by name; all have their channels last.

    Raises:
        ModelError: when the graph has an operator that has no translation.
    """
    t = Translation(writer)
    inputs = {}
    for value in graph.inputs:
        shape = [1, *_sides(value)]
        planar = value.dtype == ir.DataType.FLOAT
        order = CHANNELS_LAST if planar else (0, 1, 2, 3)
        stored = [shape[axis] for axis in order]
        scale = None if planar else Scale.one(1.0)
        tensor = writer.tensor(str(value.name), stored, _dtype(value), scale)
        inputs[str(value.name)] = tensor
        t.define(value, Stored(tensor, order))
    for node in graph:
        if node.outputs[0] in t:
            continue  # it was written with the node before it
        if not any(value in t for value in node.inputs):
            continue  # it turns a constant back, which is written with the node that reads it
        if node.op_type not in _OPERATORS:
            known = ", ".join(sorted(_OPERATORS))
            raise ModelError(
                f"{node.name!r} is a {node.op_type}, which has no translation to LiteRT; "
                f"known: {known}"
            )
        t.define(node.outputs[0], _OPERATORS[node.op_type](t, node))
    outputs = {}
    for value in graph.outputs:
        planar = value.dtype == ir.DataType.FLOAT
        outputs[str(value.name)] = t.in_order(value, CHANNELS_LAST if planar else (0, 1, 2, 3))
    return inputs, outputs


def constant(value: ir.Value | None) -> Array | None:
    """Return a constant's elements, or None for a value that the graph computes."""
    return None if value is None or value.const_value is None else array_of(value)


def integers(node: ir.Node, name: str, default: Sequence[int]) -> list[int]:
    """Return an attribute of integers."""
    found = node.attributes.get(name)
    return list(default) if found is None else [int(value) for value in found.as_ints()]


def integer(node: ir.Node, name: str, default: int) -> int:
    """Return an integer attribute."""
    found = node.attributes.get(name)
    return default if found is None else int(found.as_int())


def fused_relu(t: Translation, node: ir.Node) -> ir.Node:
    """Return the ReLU that alone reads a node, or the node; the result is that one's output."""
    uses = list(node.outputs[0].uses())
    return uses[0].node if [use.node.op_type for use in uses] == ["Relu"] else node


def _sides(value: ir.Value) -> list[int]:
    assert value.shape is not None
    return [side for side in list(value.shape)[1:] if isinstance(side, int)]


def _dtype(value: ir.Value) -> Any:
    assert value.dtype is not None
    return value.dtype.numpy()
