"""The deploy graphs that programs are made from, quantised as XNNPACK's kernels like it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lama_edge.export.graph.deploy_graph import GraphOptions, build_deploy_graph
from lama_edge.export.graph.layers import Array
from lama_edge.export.precision.build import PreciseGraph, build_at, quantised_graph
from lama_edge.export.precision.quantisation import EXECUTORCH
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
    """Build the graph of a program; arguments as for `build_at`."""
    if precision != "int8":
        return build_at(precision, config, tensors, options, ranges)
    if ranges is None:
        raise ValueError("int8 is made from measured ranges")
    model = build_deploy_graph(config, tensors, replace(options, kernels="joined"))
    return quantised_graph(model, ranges, EXECUTORCH)
