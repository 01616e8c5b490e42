"""Which channels of a deploy graph may be scaled, and which of them only together.

Everything between the generator's input and its sigmoid is convolutions, linear transforms,
additions and ReLUs, and ``relu(s x) = s relu(x)`` for s > 0. So a channel may be carried at any
positive factor when the convolutions that write and read it make up for it: the graph computes
the same. Channels that are added, or that a transform mixes, need the same factor; this module
finds these groups. Equalisation between layers by the same property: Nagel et al., "Data-free
quantization through weight equalization and bias correction", ICCV 2019, arXiv 1906.04721.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import UsageError, needs_extra, parameter
from lama_edge.exporters.graph.dft.forms import FORWARD_MATRIX, INVERSE_MATRIX

with needs_extra("export"):
    import onnx_ir as ir

# What feeds the generator, and the operator that ends it.
GENERATOR_INPUT = "input.masked"
_INPUT_CHANNELS = 4
_END = "Sigmoid"
WEIGHTED = frozenset({"Conv", "Gemm"})
_PASS_ON = frozenset({"Pad", "Relu", "Transpose", "Reshape", "Unsqueeze", "Identity"})


@dataclass(frozen=True)
class Channels:
    """The channels of one value.

    Attributes:
        group: int64 [C], the group of each channel; groups are numbered from 0.
        shift: int64 [C], by how many powers of two a channel's factor exceeds its group's.
        matrix: of a spectrum the matrix whose gain sets its magnitude: that of the transform that
            it comes from, or, after the convolution, of the inverse that it goes to; else None.
    """

    group: NDArray[np.int64]
    shift: NDArray[np.int64]
    matrix: str | None


@dataclass(frozen=True)
class ChannelGroups:
    """The channels of a generator's values, in groups that share a factor.

    Attributes:
        values: by name, in the graph's order, from the generator's input to the sigmoid's.
        count: number of groups.
        free: bool [count]; the groups of the generator's input and output are not.
    """

    values: Mapping[str, Channels]
    count: int
    free: NDArray[np.bool_]

    def factors(self, name: str, by_group: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the factor of each channel of a value, float64 [C].

        Args:
            name: the value's.
            by_group: float64 [count], the factor of each group.
        """
        channels = self.values[name]
        return np.ldexp(by_group[channels.group], channels.shift.astype(np.int32))

    def largest(self, of_value: Callable[[str], NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return the largest figure of each group, float64 [count].

        Args:
            of_value: gives a figure for each channel of a value, [C] or [1]. Those of spectra
                are not asked for: the transforms' gains are there to fit them.
        """
        largest = np.zeros(self.count)
        for name, channels in self.values.items():
            if channels.matrix is None:
                figures = np.broadcast_to(of_value(name), channels.group.shape)
                np.maximum.at(
                    largest, channels.group, np.ldexp(figures, channels.shift.astype(int))
                )
        return largest


def channel_groups(
    model: ir.Model, *, gains: Mapping[str, int] | None = None, by_channel: bool = True
) -> ChannelGroups:
    """Find the groups of a deploy graph.

    Args:
        model: a graph of any family, its DFT in matrix products.
        gains: powers of two that are folded into the DFT's matrices, by the matrix's name.
        by_channel: whether each channel that a convolution writes may have a factor of its own;
            otherwise all of them are one group.

    Raises:
        UsageError: when the graph holds an operator that scales in a way unknown here.
    """
    finder = _Finder(gains or {}, by_channel=by_channel)
    for node in model.graph:
        finder.visit(node)
    return finder.result()


def rescale(model: ir.Model, groups: ChannelGroups, by_group: NDArray[np.float64]) -> None:
    """Scale the channels, in place: weights and biases make up for each other.

    With powers of two every value of the graph is exactly its factor times what it was, as long
    as nothing over- or underflows.

    Args:
        model: the graph that `groups` was found in.
        groups: from `channel_groups`.
        by_group: float64 [groups.count], positive; 1 where a group is not free.
    """
    for node in model.graph:
        if node.op_type not in WEIGHTED or str(node.outputs[0].name) not in groups.values:
            continue
        x, weight, *rest = (value for value in node.inputs if value is not None)
        before = array_of(weight)
        written, read = (
            np.resize(groups.factors(str(value.name), by_group), count)
            for value, count in zip((node.outputs[0], x), before.shape[:2], strict=True)
        )
        factor = np.divide.outer(written, read)
        _replace(weight, before * factor.reshape(*factor.shape, *([1] * (before.ndim - 2))))
        for bias in rest:
            _replace(bias, array_of(bias) * written)


def array_of(value: ir.Value) -> NDArray[Any]:
    """Return a constant's elements."""
    assert value.const_value is not None
    return value.const_value.numpy()


def _replace(value: ir.Value, array: NDArray[np.float64]) -> None:
    value.const_value = ir.tensor(array.astype(np.float32), name=value.name)


class _Finder:
    """Walks a graph in order and joins channels that need the same factor.

    A forest of disjoint sets whose members know how many powers of two they exceed their parent.
    """

    def __init__(self, gains: Mapping[str, int], *, by_channel: bool) -> None:
        self._gains = gains
        self._by_channel = by_channel
        self._parent: list[int] = []
        self._shift: list[int] = []
        self._values: dict[str, tuple[list[tuple[int, int]], str | None]] = {}
        self._pinned: list[tuple[int, int]] = []

    def visit(self, node: ir.Node) -> None:
        """Take in a node; one that reads none of the generator's values is passed over."""
        output = str(node.outputs[0].name)
        if output == GENERATOR_INPUT:
            self._values[output] = self._new(_INPUT_CHANNELS), None
            self._pinned += self._values[output][0]
            return
        names = [str(value.name) for value in node.inputs if value is not None]
        known = [self._values[name] for name in names if name in self._values]
        if not known:
            return
        channels, matrix = known[0]
        if node.op_type == _END:
            self._pinned += channels
            return
        if node.op_type in WEIGHTED:
            outputs, inputs = array_of(_constant(node, 1)).shape[:2]
            # A product of a spectrum's rows reads each channel twice, and writes it twice.
            channels = self._new(outputs // (inputs // len(channels)))
            matrix = None if matrix is None else INVERSE_MATRIX
        elif node.op_type == "Add":
            self._join(known[0][0], known[1][0])
        elif node.op_type == "Concat":
            channels = self._concatenated(node, [each for each, _ in known])
        elif node.op_type == "Slice":
            start, end = (int(array_of(_constant(node, index))[0]) for index in (1, 2))
            channels = channels[start:end]
        elif node.op_type == "Gather":
            # Pixels of a window, side by side.
            channels = channels * array_of(_constant(node, 1)).shape[-1]
        elif node.op_type == "DepthToSpace":
            channels = self._shuffled(channels, node.attributes["blocksize"].as_int() ** 2)
        elif node.op_type == "MatMul":
            factor = next(name for name in names if name not in self._values)
            gain = self._gains.get(factor, 0)
            channels = [(index, shift + gain) for index, shift in channels]
            matrix = {FORWARD_MATRIX: factor, INVERSE_MATRIX: None}.get(factor, matrix)
        elif node.op_type == "Shape":
            return
        elif node.op_type not in _PASS_ON:
            raise UsageError(
                f"{node.name!r} ({node.op_type}) cannot be rescaled: precisions other than fp32 "
                f"need the DFT in matrix products, {parameter('dft', 'matmul')}"
            )
        self._values[output] = channels, matrix

    def result(self) -> ChannelGroups:
        """Number the groups."""
        roots: dict[int, int] = {}
        values = {}
        for name, (channels, matrix) in self._values.items():
            found = [self._root(index) for index, _ in channels]
            group = [roots.setdefault(root, len(roots)) for root, _ in found]
            shift = [shift + own for (_, shift), (_, own) in zip(found, channels, strict=True)]
            values[name] = Channels(np.array(group), np.array(shift), matrix)
        free = np.ones(len(roots), dtype=bool)
        free[[roots[self._root(index)[0]] for index, _ in self._pinned]] = False
        return ChannelGroups(values, len(roots), free)

    def _new(self, count: int) -> list[tuple[int, int]]:
        first, members = len(self._parent), count if self._by_channel else 1
        self._parent.extend(range(first, first + members))
        self._shift.extend([0] * members)
        return [(first + index % members, 0) for index in range(count)]

    def _root(self, index: int) -> tuple[int, int]:
        """Return the root of a member, and by how many powers of two the member exceeds it."""
        shift = 0
        while self._parent[index] != index:
            parent = self._parent[index]
            # Pointing at the grandparent keeps the paths short; a root's own shift is 0.
            self._shift[index] += self._shift[parent]
            self._parent[index] = self._parent[parent]
            shift += self._shift[index]
            index = self._parent[index]
        return index, shift

    def _join(self, ones: list[tuple[int, int]], others: list[tuple[int, int]]) -> None:
        for (one, one_shift), (other, other_shift) in zip(ones, others, strict=True):
            (first, up), (second, up_other) = self._root(one), self._root(other)
            needed = one_shift + up - other_shift - up_other
            if first != second:
                self._parent[second], self._shift[second] = first, needed
            elif needed:
                raise UsageError("the DFT's gains do not undo each other where values are added")

    def _concatenated(
        self, node: ir.Node, parts: list[list[tuple[int, int]]]
    ) -> list[tuple[int, int]]:
        if node.attributes["axis"].as_int() == 1:
            return [channel for part in parts for channel in part]
        for part in parts[1:]:
            self._join(parts[0], part)
        return parts[0]

    def _shuffled(self, channels: list[tuple[int, int]], phases: int) -> list[tuple[int, int]]:
        count = len(channels) // phases
        for phase in range(1, phases):
            self._join(channels[:count], channels[phase * count : (phase + 1) * count])
        return channels[:count]


def _constant(node: ir.Node, index: int) -> ir.Value:
    value = node.inputs[index]
    assert value is not None
    return value
