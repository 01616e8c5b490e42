"""The deploy graphs that models are made of, quantised as OpenVINO's kernels like it."""

from __future__ import annotations

from collections.abc import Mapping

from lama_edge.exporters.graph.deploy_graph import GraphOptions
from lama_edge.exporters.graph.layers import Array
from lama_edge.exporters.precision.build import PreciseGraph, build_with
from lama_edge.exporters.precision.quantisation import OPENVINO, OPENVINO_PRODUCTS
from lama_edge.judging.ranges import Ranges
from lama_edge.models.config import GeneratorConfig
from lama_edge.spec import Precision


def source_graph(
    precision: Precision,
    config: GeneratorConfig,
    tensors: Mapping[str, Array],
    options: GraphOptions,
    ranges: Ranges | None,
) -> PreciseGraph:
    """Build the graph of a model; arguments as for `build_at`.

    Weights alone go into the direct form, where all layers are convolutions: products would round
    what they read, see `OPENVINO_PRODUCTS`.
    """
    if options.size.fixed is None:
        return build_with(OPENVINO, "direct", precision, config, tensors, options, ranges)
    return build_with(OPENVINO_PRODUCTS, "products", precision, config, tensors, options, ranges)
