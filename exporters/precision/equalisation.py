"""Channels brought to like magnitudes, so that one scale of eight bits suits all of them.

A channel may be carried at any positive factor (see `lama_edge.exporters.precision.homogeneity`).
Where integers stand for a value with one scale, its largest channel sets the step, and a channel
a hundred times smaller keeps a few levels. The factors here trade that off against the spread
of the weights that read the channel: Nagel et al., ICCV 2019, arXiv 1906.04721; that activations
weigh more than weights is Xiao et al., "SmoothQuant", ICML 2023, arXiv 2211.10438.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import needs_extra
from lama_edge.exporters.precision.homogeneity import (
    ChannelGroups,
    array_of,
    channel_groups,
    rescale,
)
from lama_edge.exporters.precision.quantised_values import result_of, sources
from lama_edge.judging.ranges import Ranges, ValueRange

with needs_extra("export"):
    import onnx_ir as ir

# Of the activations' spread; the rest is the weights'. On lama-tiny's photographs at 256 and 512
# pixels 0.5 gives 40.0 and 36.9 dB, 0.75 gives 41.0 and 37.0, 1 gives 39.5 and 35.8.
_ACTIVATIONS_SHARE = 0.75
# Beyond this a channel hardly matters, and its factor is taken from noise.
_LARGEST_FACTOR = 64.0
_LEAST_WEIGHT = 1e-3


def equalise(model: ir.Model, ranges: Ranges, layers: Sequence[ir.Node]) -> Ranges:
    """Scale a graph's channels, in place.

    Args:
        model: a graph of any family, its DFT in matrix products.
        ranges: of its values.
        layers: those that will compute in integers.

    Returns:
        The ranges of the scaled graph.
    """
    groups = channel_groups(model)
    activations, weights = np.zeros(groups.count), np.zeros(groups.count)
    for layer in layers:
        x, weight = (value for value in layer.inputs[:2] if value is not None)
        for value in {*sources(x), layer.outputs[0], result_of(layer)}:
            _note(groups, str(value.name), ranges, activations)
        read = groups.values[str(x.name)].group
        reading = _reading(array_of(weight))
        np.maximum.at(weights, np.resize(read, reading.shape), reading)
    factors = _factors(activations, weights, groups.free)
    rescale(model, groups, factors)
    return _rescaled(ranges, groups, factors)


def _note(groups: ChannelGroups, name: str, ranges: Ranges, largest: NDArray[np.float64]) -> None:
    if name in groups.values and name in ranges.values:
        group = groups.values[name].group
        magnitudes = _magnitudes(ranges.values[name])
        np.maximum.at(largest, group, np.resize(magnitudes, group.shape))


def _magnitudes(one: ValueRange) -> NDArray[np.float64]:
    magnitudes: NDArray[np.float64] = np.maximum(np.abs(one.low), np.abs(one.high)).astype(float)
    return magnitudes


def _reading(weight: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the largest weight that reads each input channel, as a share of its row's largest."""
    by_pair = np.abs(weight.astype(np.float64)).reshape(*weight.shape[:2], -1).max(axis=2)
    rows = np.maximum(by_pair.max(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    largest: NDArray[np.float64] = (by_pair / rows).max(axis=0)
    return largest


def _factors(
    activations: NDArray[np.float64], weights: NDArray[np.float64], free: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return each group's factor, 1 on the geometric mean, where it is free and was measured."""
    used = free & (activations > 0)
    logs = np.zeros(len(activations))
    if used.any():
        spread = _ACTIVATIONS_SHARE * np.log(activations[used])
        reading = (1 - _ACTIVATIONS_SHARE) * np.log(np.maximum(weights[used], _LEAST_WEIGHT))
        wanted = reading - spread
        limit = np.log(_LARGEST_FACTOR)
        logs[used] = np.clip(wanted - wanted.mean(), -limit, limit)
    return np.exp(logs)


def _rescaled(ranges: Ranges, groups: ChannelGroups, by_group: NDArray[np.float64]) -> Ranges:
    values = dict(ranges.values)
    for name, one in ranges.values.items():
        if name not in groups.values:
            continue
        factors = groups.factors(name, by_group)
        if one.low.shape == factors.shape:
            low, high = ((bound * factors).astype(np.float32) for bound in (one.low, one.high))
            values[name] = replace(one, low=low, high=high)
        elif (factors != 1).any():
            # Measured without its channels, as values of other than four axes are.
            del values[name]
    return replace(ranges, values=values)
