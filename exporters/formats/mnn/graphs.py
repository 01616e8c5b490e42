"""The graphs that MNN files are converted from, rounded so that the converter changes nothing."""

from __future__ import annotations

from collections.abc import Mapping

from lama_edge.errors import needs_extra
from lama_edge.exporters.graph.deploy_graph import GraphOptions
from lama_edge.exporters.graph.layers import Array
from lama_edge.exporters.precision.build import PreciseGraph, build_at
from lama_edge.exporters.precision.homogeneity import array_of
from lama_edge.exporters.precision.quantised_values import LAYERS
from lama_edge.exporters.precision.rounding import round_to_range
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
    """Build the graph of a file; arguments as for `build_at`.

    For w8 the weights are floats on the levels that the converter finds between the least and the
    largest of each output channel. As it rounds by itself, 0 lies between two levels, and lama-tiny
    comes to 37 dB in the place of 48.
    """
    if precision != "w8":
        return build_at(precision, config, tensors, options, ranges)
    model = build_at("fp32", config, tensors, options).model
    rounded = {
        weight
        for node in model.graph
        if node.op_type in LAYERS
        and (weight := node.inputs[1]) is not None
        and weight.const_value is not None
    }
    for weight in rounded:
        values = round_to_range(array_of(weight))
        weight.const_value = ir.tensor(values, name=weight.name)
    return PreciseGraph(model, {"int8_weights": len(rounded)})
