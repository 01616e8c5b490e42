"""Powers of two that keep a graph's values inside fp16, chosen from measured ranges.

LaMa overflows fp16 for two reasons: the DFT's sums, above all the constant bin of a map with a
mean, and branches whose activations grow from block to block. Both are factors that a branch can
be relieved of exactly (see `lama_edge.exporters.precision.homogeneity`). fp16 holds eleven
significant bits from 2^-14 to 2^15; with the largest value of a branch brought near 2^13, what is
2^27 times smaller than it still keeps all of them. But the weights that read a branch fall as it
rises, and devices may take what is under 2^-14 for zero; so a branch rises no higher than they
bear.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import needs_extra
from lama_edge.exporters.graph.dft.forms import FORWARD_MATRIX, INVERSE_MATRIX, DftGains
from lama_edge.exporters.precision.homogeneity import (
    WEIGHTED,
    ChannelGroups,
    array_of,
)
from lama_edge.judging.ranges import Ranges
from lama_edge.spec import MAX_SIDE, Size, SizePolicy, parse_size

with needs_extra("export"):
    import onnx_ir as ir

# The bound of a branch, and of a spectrum, is brought below this power of two: two bits under
# 32752, where Apple's Neural Engine is reported to saturate, for pictures that are unlike those of
# the calibration.
_LARGEST_EXPONENT = 13
# Below this power of two fp16 numbers are subnormal.
_LEAST_EXPONENT = -14
# A share of the energy that goes unnoticed: rounding to fp16 takes as much from every value.
_UNNOTICED = 2.0**-25
# float32's exponents lie between this and its negative.
_DEEPEST = 150
# By how many powers of two a branch may be lowered.
_MOST_LOWERED = 150
# Three were the most that any checkpoint of the tests needed.
_MOST_SWEEPS = 50


def choose_gains(
    groups: ChannelGroups, exponents: NDArray[np.int64], ranges: Ranges, size: SizePolicy
) -> DftGains:
    """Choose what the DFT's matrices take off, so that spectra fit where their branches do.

    Args:
        groups: of the deploy graph without gains.
        exponents: see `branch_exponents`.
        ranges: of its values.
        size: which pictures the model takes.
    """
    needed = {FORWARD_MATRIX: 0, INVERSE_MATRIX: 0}
    for name, channels in groups.values.items():
        if channels.matrix is not None:
            exponent = _exponent_above(bound_at(ranges, name, size))
            excess = exponent + int(exponents[channels.group].max()) - _LARGEST_EXPONENT
            needed[channels.matrix] = max(needed[channels.matrix], excess)
    return DftGains(-needed[FORWARD_MATRIX], needed[INVERSE_MATRIX])


def carried_over(
    exponents: NDArray[np.int64], groups: ChannelGroups, others: ChannelGroups
) -> NDArray[np.int64]:
    """Return exponents for the groups of another form of a graph, by the maps that both have.

    Forms of the DFT differ in the values between a transform and its inverse alone, which are of
    one group with the map before the one or after the other.
    """
    carried = np.zeros(others.count, dtype=np.int64)
    for name, channels in others.values.items():
        if channels.matrix is None and name in groups.values:
            here = groups.values[name]
            carried[channels.group] = exponents[here.group] + here.shift - channels.shift
    return carried


def branch_exponents(
    model: ir.Model, groups: ChannelGroups, ranges: Ranges, size: SizePolicy
) -> NDArray[np.int64]:
    """Choose the power of two of each group, int64 [groups.count]; 0 where it is not free.

    Each is at most what brings the branch's bound under 2^13, and as much less as spares its values
    and the weights round it from being subnormal.

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
    usual = groups.largest(lambda name: np.array([_median(ranges, name)]))
    weights = _weights_between(model, groups, ranges, exponents)
    return _lowered(exponents, np.where(groups.free, usual, 0.0), weights)


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


@dataclass(frozen=True)
class _Weights:
    """The weights by which one group is made of another.

    Attributes:
        read: the group that they read.
        written: the group that they write, another one.
        lost: float64 [2 * _DEEPEST + 1], by k + _DEEPEST the share of what the convolution gives
            that those under 2^k bring, as energy; 0 where it is unnoticed.
        most: the most powers of two that they may be raised by.
    """

    read: int
    written: int
    lost: NDArray[np.float64]
    most: int

    def lost_by(self, shift: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return what flushing subnormals would take, were they multiplied by 2^shift."""
        places = np.clip(_LEAST_EXPONENT - shift + _DEEPEST, 0, 2 * _DEEPEST)
        found: NDArray[np.float64] = self.lost[places]
        return found


def _lowered(
    limits: NDArray[np.int64], usual: NDArray[np.float64], weights: list[_Weights]
) -> NDArray[np.int64]:
    """Lower exponents one at a time, until none alone makes less be lost where subnormals are zero.

    What is lost is added up as shares of energy: of each branch's values, and of what each
    convolution gives. Of equal losses the one with the higher exponent is taken. It goes from the
    output back, since that is where most is pinned: what the last convolution cannot bear is
    shared out over those before it.

    Args:
        limits: int64 [groups], the highest that each may be.
        usual: float64 [groups], each one's usual magnitude; 0 holds it where it is.
        weights: those between the groups.
    """
    exponents: NDArray[np.int64] = limits.copy()
    steps = np.arange(_MOST_LOWERED)
    for _ in range(_MOST_SWEEPS):
        before = exponents.copy()
        for group in np.flatnonzero(usual)[::-1]:
            tried = limits[group] - steps
            # The energy of what is so much less than usual, among values spread evenly about zero.
            less = _LEAST_EXPONENT - tried - np.log2(usual[group])
            lost = np.exp2(3 * np.minimum(less, 0))
            lost[lost < _UNNOTICED] = 0
            for one in weights:
                if group == one.read:
                    shift = exponents[one.written] - tried
                elif group == one.written:
                    shift = tried - exponents[one.read]
                else:
                    continue
                lost += one.lost_by(shift)
                lost[shift > one.most] = np.inf
            exponents[group] = tried[np.argmin(lost)]
        if np.array_equal(before, exponents):
            break
    return exponents


def _weights_between(
    model: ir.Model, groups: ChannelGroups, ranges: Ranges, limits: NDArray[np.int64]
) -> list[_Weights]:
    """Collect the weights whose magnitude hangs on the groups' exponents, see `_lowered`."""
    found = []
    for node in model.graph:
        output = groups.values.get(str(node.outputs[0].name))
        if node.op_type not in WEIGHTED or output is None:
            continue
        x, kernel = node.inputs[:2]
        assert x is not None
        assert kernel is not None
        weight = array_of(kernel).astype(np.float64)
        weight = weight.reshape(*weight.shape[:2], -1)
        energy = weight**2
        if (seen := ranges.values.get(str(x.name))) is not None:
            # What they bring, not what they are: those of a dead channel bring nothing.
            energy *= np.maximum(-seen.low, seen.high).astype(np.float64)[:, np.newaxis] ** 2
        energy /= max(energy.sum(), 1e-300)
        exponents = np.where(weight == 0, -_DEEPEST, np.frexp(weight)[1])
        read, (written,) = groups.values[str(x.name)].group, set(output.group.tolist())
        for group in sorted({*read.tolist()} - {written}):
            part = np.resize(read == group, weight.shape[1])
            places = np.clip(exponents[:, part] + _DEEPEST, 0, 2 * _DEEPEST)
            lost = np.bincount(places.ravel(), energy[:, part].ravel(), 2 * _DEEPEST + 1).cumsum()
            lost[lost < _UNNOTICED] = 0
            # Beyond what values are held to only where lifting both to their limits raises them so.
            room = _LARGEST_EXPONENT - int(exponents[:, part].max())
            most = max(room, int(limits[written] - limits[group]))
            found.append(_Weights(group, written, lost, most))
    return found


def _median(ranges: Ranges, name: str) -> float:
    return ranges.values[name].percentiles[0] if name in ranges.values else 0.0


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
