"""Powers of two that keep a graph's values inside fp16, chosen from measured ranges.

LaMa overflows fp16 for two reasons: the DFT's sums, above all the constant bin of a map with a
mean, and branches whose activations grow from block to block. Both are factors that a branch can
be relieved of exactly (see `lama_edge.export.precision.homogeneity`). fp16 holds eleven
significant bits from 2^-14 to 2^15; with the largest value of a branch brought near 2^13, what is
2^27 times smaller than it still keeps all of them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import needs_extra
from lama_edge.export.graph.dft.forms import FORWARD_MATRIX, INVERSE_MATRIX, DftGains
from lama_edge.export.precision.homogeneity import ChannelGroups, array_of, channel_groups
from lama_edge.judging.ranges import Ranges
from lama_edge.spec import MAX_SIDE, Size, SizePolicy, parse_size

with needs_extra("export"):
    import onnx_ir as ir

# The bound of a branch, and of a spectrum, is brought below this power of two: two bits under
# 32752, where Apple's Neural Engine is reported to saturate, for pictures that are unlike those of
# the calibration.
_LARGEST_EXPONENT = 13


def choose_gains(model: ir.Model, ranges: Ranges, size: SizePolicy) -> DftGains:
    """Choose what the DFT's matrices take off, so that spectra fit where their branches do.

    Args:
        model: the deploy graph without gains.
        ranges: of its values.
        size: which pictures the model takes.
    """
    groups = channel_groups(model, by_channel=False)
    exponents = branch_exponents(model, groups, ranges, size)
    needed = {FORWARD_MATRIX: 0, INVERSE_MATRIX: 0}
    for name, channels in groups.values.items():
        if channels.matrix is not None:
            exponent = _exponent_above(bound_at(ranges, name, size))
            excess = exponent + int(exponents[channels.group].max()) - _LARGEST_EXPONENT
            needed[channels.matrix] = max(needed[channels.matrix], excess)
    return DftGains(-needed[FORWARD_MATRIX], needed[INVERSE_MATRIX])


def branch_exponents(
    model: ir.Model, groups: ChannelGroups, ranges: Ranges, size: SizePolicy
) -> NDArray[np.int64]:
    """Choose the power of two of each group, int64 [groups.count]; 0 where it is not free.

    Args:
        model: the graph that `groups` was found in.
        groups: with one group for all channels that a convolution writes.
        ranges: of the values of the graph without scaling.
        size: which pictures the model takes.
    """
    biases = _biases(model)

    def magnitude(name: str) -> NDArray[np.float64]:
        return np.array([max(bound_at(ranges, name, size), biases.get(name, 0.0))])

    largest = groups.largest(magnitude)
    exponents = np.zeros(groups.count, dtype=np.int64)
    for group in np.flatnonzero(groups.free & (largest > 0)):
        exponents[group] = _LARGEST_EXPONENT - _exponent_above(float(largest[group]))
    return exponents


def bound_at(ranges: Ranges, name: str, size: SizePolicy) -> float:
    """Return how large a value may become in the largest picture that the model takes.

    A picture of n times as many pixels has a constant bin sqrt(n) times as large, and so has that
    of every pattern which repeats all over it; what the Fourier units make of these bins grows
    with them. lama-tiny's global branch reaches 36 at 256 x 256 and 286 at 1536 x 2048, its local
    one 8 and 64: sqrt(48) is 6.9. In a smaller picture other bins do not shrink.
    """
    if name not in ranges.values:
        return 0.0
    largest = size.fixed or Size(MAX_SIDE, MAX_SIDE)
    bounds = [0.0]
    for text, magnitude in ranges.values[name].by_size.items():
        measured = parse_size(text)
        assert measured is not None
        growth = largest.height * largest.width / (measured.height * measured.width)
        bounds.append(magnitude * max(1.0, math.sqrt(growth)))
    return max(bounds)


def _exponent_above(magnitude: float) -> int:
    """Return the smallest e with magnitude < 2^e."""
    return math.frexp(magnitude)[1]


def _biases(model: ir.Model) -> dict[str, float]:
    """Return the largest magnitude among each convolution's biases, by its output's name."""
    found = {}
    for node in model.graph:
        if node.op_type == "Conv" and len(node.inputs) > 2 and node.inputs[2] is not None:
            found[str(node.outputs[0].name)] = float(np.abs(array_of(node.inputs[2])).max())
    return found
