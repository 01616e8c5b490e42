"""Weights of eight bits in a float graph: a quarter of the file, the same arithmetic.

They are turned back by a cast and a product, which runtimes compute once, when they load the
model. `DequantizeLinear` would be the shorter spelling, but ONNX Runtime keeps it for its integer
kernels: it stays in the graph where no such kernel takes it, runs every time, and keeps products
from preparing their weights (at 512 x 512 with big-lama's shape about 20 ms of 880).
"""

from __future__ import annotations

import numpy as np

from lama_edge.errors import needs_extra
from lama_edge.exporters.precision.homogeneity import array_of
from lama_edge.exporters.precision.quantised_values import LAYERS
from lama_edge.exporters.precision.rounding import round_weights

with needs_extra("export"):
    import onnx_ir as ir


def quantise_weights(model: ir.Model) -> tuple[str, ...]:
    """Replace the layers' float weights by int8 ones that the graph turns back, in place.

    Biases and the DFT's matrices stay.

    Args:
        model: a float graph of any family, or one whose layers are integers in part.

    Returns:
        The names of the layers whose weights were replaced.
    """
    done = []
    for node in list(model.graph):
        if node.op_type not in LAYERS:
            continue
        weight = node.inputs[1]
        if weight is not None and weight.const_value is not None:
            node.replace_input_with(1, _folded_weight(model.graph, node, weight))
            done.append(str(node.name))
    remove_unused_constants(model.graph)
    return tuple(done)


def _folded_weight(graph: ir.Graph, layer: ir.Node, weight: ir.Value) -> ir.Value:
    rounded = round_weights(array_of(weight))
    name = str(weight.name)
    integers = constant(graph, f"{name}.int8", rounded.values)
    shape = (-1, *([1] * (rounded.values.ndim - 1)))
    scale = constant(graph, f"{name}.scale", rounded.scale.reshape(shape))
    cast = ir.node("Cast", [integers], {"to": int(ir.DataType.FLOAT)}, name=f"{name}.levels")
    cast.outputs[0].name = cast.name
    product = ir.node("Mul", [cast.outputs[0], scale], name=f"{name}.float")
    product.outputs[0].name = product.name
    graph.insert_before(layer, [cast, product])
    return product.outputs[0]


def int8_weight(
    graph: ir.Graph,
    layer: ir.Node,
    weight: ir.Value,
    *,
    zero: int = 0,
    beside: int = 1,
    paired: bool = False,
) -> ir.Value:
    """Return a layer's weight, from int8 with a scale for each output channel.

    Args:
        graph: the layer's.
        layer: reads the weight; the new nodes stand before it.
        weight: a float constant.
        zero: the integer that stands for 0, for all channels: 0 or -1.
        beside: see `round_weights`.
        paired: see `round_weights`.
    """
    rounded = round_weights(array_of(weight), beside, paired=paired)
    name = str(weight.name)
    values = [
        constant(graph, f"{name}.int8", rounded.values + np.int8(zero)),
        constant(graph, f"{name}.scale", rounded.scale),
        constant(graph, f"{name}.zero", np.full(len(rounded.scale), zero, dtype=np.int8)),
    ]
    return dequantised(graph, layer, f"{name}.float", values)


def dequantised(
    graph: ir.Graph, reader: ir.Node, name: str, values: list[ir.Value], *, axis: int | None = 0
) -> ir.Value:
    """Insert a `DequantizeLinear` before the node that reads it; `axis` None is one scale."""
    attributes = {} if axis is None else {"axis": axis}
    node = ir.node("DequantizeLinear", values, attributes, name=name)
    node.outputs[0].name = name
    graph.insert_before(reader, node)
    return node.outputs[0]


def constant(graph: ir.Graph, name: str, array: np.ndarray) -> ir.Value:
    """Add an initializer, or return the one of that name."""
    if name not in graph.initializers:
        value = ir.val(name, const_value=ir.tensor(np.asarray(array), name=name))
        graph.register_initializer(value)
    return graph.initializers[name]


def remove_unused_constants(graph: ir.Graph) -> None:
    """Remove the initializers that nothing reads."""
    for name in [name for name, value in graph.initializers.items() if not value.uses()]:
        del graph.initializers[name]
