"""A deploy graph's generator in fp16; what is around it stays as it is.

The inputs are cast once before the generator and its fill once after the sigmoid, so that known
pixels are passed through untouched. The DFT's matrices of a graph of any size are computed in
float32, whose integers and angles fp16 does not hold, and cast at the end.
"""

from __future__ import annotations

import numpy as np

from lama_edge.errors import needs_extra
from lama_edge.exporters.precision.homogeneity import GENERATOR_INPUT, array_of

with needs_extra("export"):
    import onnx_ir as ir

_FIRST, _LAST = "input.half", "output.single"
_END = "Sigmoid"
# Read the extents of a map and give integers.
_NOT_VALUES = frozenset({"Shape"})


def to_half(model: ir.Model) -> None:
    """Turn the generator of a float32 deploy graph into fp16, in place.

    Weights beyond 65504 become infinite: see `lama_edge.exporters.precision.scaling`.

    Args:
        model: a graph of any family, its DFT in matrix products.
    """
    pass_ = _HalfPass(model)
    for node in list(model.graph):
        pass_.visit(node)


class _HalfPass:
    def __init__(self, model: ir.Model) -> None:
        self._graph = model.graph
        self._inside: set[ir.Value] = set()
        self._converted: dict[ir.Value, ir.Value] = {}

    def visit(self, node: ir.Node) -> None:
        output = node.outputs[0]
        if output.name == GENERATOR_INPUT:
            users = list(output.uses())
            half = self._cast_after(node, _FIRST)
            for use in users:
                use.node.replace_input_with(use.idx, half)
            self._inside.add(half)
            return
        if node.op_type in _NOT_VALUES or not self._inside.intersection(
            value for value in node.inputs if value is not None
        ):
            return
        for index, value in enumerate(node.inputs):
            if value is not None and value not in self._inside:
                node.replace_input_with(index, self._in_half(value))
        if node.op_type == _END:
            self._end(node)
        else:
            self._inside.add(output)

    def _end(self, node: ir.Node) -> None:
        """Let the node's own output, which may be the graph's, be the cast to float32."""
        half = ir.node(_END, list(node.inputs), name=node.name)
        half.outputs[0].name = f"{node.name}_half"
        self._graph.insert_before(node, half)
        node.op_type, node.name = "Cast", _LAST
        node.replace_input_with(0, half.outputs[0])
        node.attributes["to"] = ir.AttrInt64("to", int(ir.DataType.FLOAT))

    def _in_half(self, value: ir.Value) -> ir.Value:
        """Return a constant, or a value computed in float32, in fp16; integers as they are."""
        if value in self._converted:
            return self._converted[value]
        converted = value
        if value.const_value is not None:
            if value.const_value.dtype == ir.DataType.FLOAT:
                with np.errstate(over="ignore"):
                    half = array_of(value).astype(np.float16)
                value.const_value = ir.tensor(half, name=value.name)
                value.dtype = ir.DataType.FLOAT16
        elif (producer := value.producer()) is not None and _is_matrix(value):
            converted = self._cast_after(producer, f"{value.name}_half")
        self._converted[value] = converted
        return converted

    def _cast_after(self, node: ir.Node, name: str) -> ir.Value:
        cast = ir.node("Cast", [node.outputs[0]], {"to": int(ir.DataType.FLOAT16)}, name=name)
        cast.outputs[0].name = name
        self._graph.insert_after(node, cast)
        return cast.outputs[0]


def _is_matrix(value: ir.Value) -> bool:
    """Tell a computed matrix or weight from a computed shape by the operator that reads it."""
    return any(use.node.op_type in ("MatMul", "Conv") for use in value.uses())
