"""From a deploy graph to a function of an ML program, one op for each node.

ONNX operators become ops of Core ML's Model Intermediate Language (MIL) with the graph's own
names, constants and number formats; nothing is traced, fused or cast on the way. Names keep their
words, `block03.conv1.local` is `block03_conv1_local`, since MIL's have no points.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import ModelError, needs_extra
from lama_edge.exporters.formats.coreml.toolkit import Builder, Function, Var, types
from lama_edge.exporters.precision.homogeneity import array_of

with needs_extra("export"):
    import onnx_ir as ir

Array = NDArray[Any]
Translate = Callable[["Translation", ir.Node], Var]
# Turns a layer's weight, under its name, into something other than a plain constant.
StoreWeight = Callable[[str, Array], Var]

_MIL_TYPES = {
    ir.DataType.FLOAT: types.fp32,
    ir.DataType.FLOAT16: types.fp16,
    ir.DataType.INT64: types.int32,
    ir.DataType.INT32: types.int32,
    ir.DataType.BOOL: types.bool,
}
_OPERATORS: dict[str, Translate] = {}


def operator(*op_types: str) -> Callable[[Translate], Translate]:
    """Register a function as the translation of ONNX operators."""

    def register(translate: Translate) -> Translate:
        for op_type in op_types:
            _OPERATORS[op_type] = translate
        return translate

    return register


def mil_name(name: str | None) -> str:
    """Spell a value's name as MIL allows it: letters, digits and underscores."""
    return str(name).replace(".", "_")


class Translation:
    """The values of one graph as variables of the MIL function under construction."""

    def __init__(
        self, inputs: Mapping[str, Var], graph: ir.Graph, store_weight: StoreWeight | None
    ) -> None:
        self._variables: dict[ir.Value, Var] = {
            value: inputs[str(value.name)] for value in graph.inputs
        }
        self._store_weight = store_weight

    def __getitem__(self, value: ir.Value | None) -> Var:
        """Return a value's variable; a constant becomes one when it is first read."""
        assert value is not None
        if value not in self._variables:
            self._variables[value] = Builder.const(
                val=self.constant(value), name=mil_name(value.name)
            )
        return self._variables[value]

    def define(self, value: ir.Value, variable: Var) -> None:
        """Note what a node's output became."""
        self._variables[value] = variable

    def weight(self, value: ir.Value) -> Var:
        """Return the weight of a layer, stored as the package's precision wants it."""
        if self._store_weight is None or not self.is_constant(value):
            return self[value]
        if value not in self._variables:
            self._variables[value] = self._store_weight(mil_name(value.name), self.constant(value))
        return self._variables[value]

    @staticmethod
    def is_constant(value: ir.Value | None) -> bool:
        """Tell whether a value is a constant of the graph."""
        return value is not None and value.const_value is not None

    @staticmethod
    def constant(value: ir.Value | None) -> Array:
        """Return a constant's elements; integers as the int32 that MIL has.

        Raises:
            ModelError: when an integer does not fit.
        """
        assert value is not None
        array = array_of(value)
        if array.dtype != np.int64:
            return array
        narrow = array.astype(np.int32)
        if not np.array_equal(narrow, array):
            raise ModelError(f"the constant {value.name!r} does not fit Core ML's 32-bit integers")
        return narrow

    def integers(self, value: ir.Value | None) -> list[int] | None:
        """Return a constant's integers, or None for a value that the graph computes."""
        if not self.is_constant(value):
            return None
        return [int(element) for element in self.constant(value).ravel()]


def mil_type(dtype: ir.DataType | None) -> type:
    """Return MIL's type for an ONNX one.

    Raises:
        ModelError: when it has none.
    """
    if dtype not in _MIL_TYPES:
        raise ModelError(f"Core ML has no number format for ONNX's {dtype}")
    found: type = _MIL_TYPES[dtype]
    return found


def build_function(
    graph: ir.Graph,
    shapes: Mapping[str, Sequence[Any]],
    opset: Any,
    store_weight: StoreWeight | None = None,
) -> Function:
    """Translate a graph into a function.

    Args:
        graph: of one output, its inputs of a floating-point type.
        shapes: of the inputs, by name: extents, or symbols of the program.
        opset: the ``coremltools.target`` whose ops may be used.
        store_weight: makes the variables of the layers' weights; None stores them as they are.

    Raises:
        ModelError: when the graph has an operator or a number format that MIL has no op for.
    """
    placeholders = {
        str(value.name): Builder.placeholder(
            shape=tuple(shapes[str(value.name)]), dtype=mil_type(value.dtype), name=str(value.name)
        )
        for value in graph.inputs
    }
    _check_names(graph)
    with Function(placeholders, opset_version=opset) as function:
        translation = Translation(dict(function.inputs), graph, store_weight)
        for node in graph:
            if node.op_type not in _OPERATORS:
                known = ", ".join(sorted(_OPERATORS))
                raise ModelError(
                    f"{node.name!r} is a {node.op_type}, which has no translation to Core ML; "
                    f"known: {known}"
                )
            translation.define(node.outputs[0], _OPERATORS[node.op_type](translation, node))
        function.set_outputs([translation[value] for value in graph.outputs])
    return function


def name_of(node: ir.Node) -> str:
    """Return the MIL name of a node's output."""
    return mil_name(node.outputs[0].name)


def integer(node: ir.Node, name: str, default: int) -> int:
    """Return an integer attribute."""
    found = node.attributes.get(name)
    return default if found is None else int(found.as_int())


def integers(node: ir.Node, name: str, default: Sequence[int]) -> list[int]:
    """Return an attribute of integers."""
    found = node.attributes.get(name)
    return list(default) if found is None else [int(value) for value in found.as_ints()]


def text(node: ir.Node, name: str, default: str) -> str:
    """Return an attribute of text."""
    found = node.attributes.get(name)
    return default if found is None else str(found.as_string())


def _check_names(graph: ir.Graph) -> None:
    """Refuse names that are two in the graph and one in MIL."""
    seen: dict[str, str] = {}
    values = [*graph.inputs, *(node.outputs[0] for node in graph), *graph.initializers.values()]
    for value in values:
        spelt = mil_name(value.name)
        other = seen.setdefault(spelt, str(value.name))
        if other != value.name:
            raise ModelError(f"{other!r} and {value.name!r} would both be {spelt!r} in Core ML")
