"""The ONNX graphs that engines are built from, quantised as TensorRT likes it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lama_edge.errors import needs_extra
from lama_edge.exporters.graph.deploy_graph import GraphOptions, build_deploy_graph
from lama_edge.exporters.graph.layers import Array
from lama_edge.exporters.precision.build import PreciseGraph, build_at, quantised_graph
from lama_edge.exporters.precision.quantisation import Quantisation
from lama_edge.exporters.precision.weights8 import constant, remove_unused_constants
from lama_edge.judging.ranges import Ranges
from lama_edge.models.config import GeneratorConfig
from lama_edge.spec import Precision

with needs_extra("export"):
    import onnx_ir as ir


def source_graph(
    precision: Precision,
    config: GeneratorConfig,
    tensors: Mapping[str, Array],
    options: GraphOptions,
    ranges: Ranges | None,
) -> PreciseGraph:
    """Build the graph of an engine; arguments as for `build_at`, the DFT in matrix products."""
    if precision != "int8":
        return build_at(precision, config, tensors, options, ranges)
    if ranges is None:
        raise ValueError("int8 is made from measured ranges")
    model = build_deploy_graph(config, tensors, options)
    quantised = quantised_graph(model, ranges, Quantisation("tensorrt"))
    fold_weights(model)
    return quantised


def fold_weights(model: ir.Model) -> int:
    """Turn weights that are stored as integers, a cast and a product into float ones, in place.

    TensorRT allows int8 constants before `DequantizeLinear` alone. Those of layers that compute
    in floats gain nothing on a GPU, where their products are float in any case.

    Returns:
        How many there were.
    """
    folded = 0
    for product in list(model.graph):
        cast = product.inputs[0].producer() if product.inputs and product.inputs[0] else None
        if product.op_type != "Mul" or cast is None or cast.op_type != "Cast":
            continue
        values, scale = cast.inputs[0], product.inputs[1]
        if values is None or scale is None or None in (values.const_value, scale.const_value):
            continue
        assert values.const_value is not None
        assert scale.const_value is not None
        weights = values.const_value.numpy().astype(np.float32) * scale.const_value.numpy()
        name = str(product.outputs[0].name)
        output = product.outputs[0]
        output.name = f"{name}.folded"
        output.replace_all_uses_with(constant(model.graph, name, weights))
        model.graph.remove([product, cast], safe=True)
        folded += 1
    remove_unused_constants(model.graph)
    return folded
