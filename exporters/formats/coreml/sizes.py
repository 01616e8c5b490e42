"""The deploy graphs of a package: one for each size, with weights that they can share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from lama_edge.exporters.formats.coreml.options import (
    WEIGHT_BITS,
    arithmetic_of,
    graph_form,
)
from lama_edge.exporters.graph.deploy_graph import GraphOptions
from lama_edge.exporters.graph.layers import Array
from lama_edge.exporters.precision.build import PreciseGraph, build_at
from lama_edge.exporters.precision.scaling import bound_at
from lama_edge.judging.ranges import Ranges
from lama_edge.models.config import GeneratorConfig
from lama_edge.spec import IoSpec, Size, SizePolicy


def deploy_graphs(
    config: GeneratorConfig,
    tensors: Mapping[str, Array],
    io: IoSpec,
    sizes: Sequence[SizePolicy],
    precision: str,
    ranges: Ranges | None = None,
) -> Iterator[PreciseGraph]:
    """Build the graphs that a package's functions are made from, one after the other.

    The powers of two of fp16 are those of the largest size for all of them: with its own, each
    size's weights would be others and be stored once more.

    Args:
        config: the generator's architecture.
        tensors: its tensors under their official names.
        io: the package's form, ``float`` or ``image``.
        sizes: what each function takes.
        precision: of the package.
        ranges: of the fp32 graph's values; not needed for fp32.

    Yields:
        For each size its graph, in the form and the number format that `build_package` takes.
    """
    if ranges is not None and len(sizes) > 1:
        ranges = _carried_over(ranges, max(sizes, key=_pixels))
    for size in sizes:
        options = GraphOptions(io=graph_form(io), size=size)
        graph = build_at(arithmetic_of(precision), config, tensors, options, ranges)
        if precision in WEIGHT_BITS:
            bits = {"weight_bits": WEIGHT_BITS[precision]}
            graph = replace(graph, numerics={**(graph.numerics or {}), **bits})
        yield graph


def _pixels(policy: SizePolicy) -> int:
    size = _fixed(policy)
    return size.height * size.width


def _fixed(policy: SizePolicy) -> Size:
    if policy.fixed is None:
        raise ValueError("a package of several sizes has fixed ones")
    return policy.fixed


def _carried_over(ranges: Ranges, largest: SizePolicy) -> Ranges:
    """Return ranges as if they had been measured at a size; smaller ones take them as they are."""
    at = str(_fixed(largest))
    values = {
        name: replace(value, by_size={at: bound_at(ranges, name, largest)})
        for name, value in ranges.values.items()
    }
    return replace(ranges, values=values)
