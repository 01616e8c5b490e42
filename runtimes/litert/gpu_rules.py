"""What LiteRT's GPU delegate takes: names, versions, and rules about an operator's place.

From its source, https://github.com/google-ai-edge/LiteRT at 34ec5bad:
``tflite/delegates/gpu/common/model_builder.cc`` and
``tflite/tools/versioning/gpu_compatibility.cc``. Where the delegate takes what it computes wrong,
as seen in the one that ships with ai-edge-litert 2.3.0, a rule here refuses it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lama_edge.runtimes.litert.structure import Operator, Structure, Tensor

_MAX_RANK = 4
_FLOATS = {"float32", "float16"}
_BYTES = {"int8", "uint8"}
_SIGN_BIT = 5  # the only fused activation that the GPU has not

# By name, the newest version that the GPU delegate reads; 0 is any.
_NEWEST = {
    **dict.fromkeys(("BATCH_MATMUL", "CAST", "CUMSUM", "DENSIFY", "DEPTH_TO_SPACE"), 0),
    **dict.fromkeys(("HARD_SWISH", "MEAN", "PACK", "REDUCE_MAX", "REDUCE_MIN"), 0),
    **dict.fromkeys(("REDUCE_PROD", "SPLIT", "SPLIT_V", "SUM", "TILE", "UNPACK"), 0),
    **dict.fromkeys(("GATHER", "ONE_HOT", "PRELU", "RESHAPE", "SELECT", "SELECT_V2"), 1),
    **dict.fromkeys(("ABS", "ADD", "ADD_N", "AVERAGE_POOL_2D", "CONCATENATION", "COS"), 2),
    **dict.fromkeys(("DIV", "ELU", "EQUAL", "EXP", "FLOOR", "FLOOR_DIV", "FLOOR_MOD"), 2),
    **dict.fromkeys(("GELU", "GREATER", "GREATER_EQUAL", "LEAKY_RELU", "LESS"), 2),
    **dict.fromkeys(("LESS_EQUAL", "LOG", "LOGICAL_AND", "LOGISTIC", "MAXIMUM"), 2),
    **dict.fromkeys(("MAX_POOL_2D", "MINIMUM", "MIRROR_PAD", "NEG", "NOT_EQUAL", "PAD"), 2),
    **dict.fromkeys(("PADV2", "POW", "QUANTIZE", "RELU", "RELU6", "RELU_0_TO_1"), 2),
    **dict.fromkeys(("RELU_N1_TO_1", "RSQRT", "SIGN", "SIN", "SLICE", "SOFTMAX"), 2),
    **dict.fromkeys(("SPACE_TO_DEPTH", "SQRT", "SQUARE", "SQUARED_DIFFERENCE", "SUB", "TANH"), 2),
    **dict.fromkeys(("DEQUANTIZE", "MUL", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), 3),
    **dict.fromkeys(("TRANSPOSE_CONV",), 3),
    **dict.fromkeys(("LSTM", "STRIDED_SLICE", "TRANSPOSE"), 4),
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D"), 6),
    "FULLY_CONNECTED": 9,
}
_LOGICAL = {"EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL"}
_SELECTS = {"SELECT", "SELECT_V2"}


class Graph:
    """Who makes and who takes each value."""

    def __init__(self, structure: Structure) -> None:
        self.structure = structure
        self.makers: dict[int, Operator] = {}
        self.takers: dict[int, list[Operator]] = {}
        for operator in structure.operators:
            self.makers.update(dict.fromkeys(operator.outputs, operator))
            for index in operator.inputs:
                self.takers.setdefault(index, []).append(operator)

    def is_constant(self, index: int) -> bool:
        """Tell whether a value is known when the file is opened, as the GPU delegate sees it.

        It reads halves through their DEQUANTIZE, and nothing else.
        """
        if self.structure.tensors[index].constant:
            return True
        maker = self.makers.get(index)
        return maker is not None and self.is_constant_half(maker)

    def is_constant_half(self, operator: Operator) -> bool:
        """Tell whether an operator does nothing but widen constants of 16 bits."""
        first = self.structure.tensors[operator.inputs[0]]
        return operator.name == "DEQUANTIZE" and first.constant and first.dtype == "float16"


@dataclass(frozen=True)
class Place:
    """An operator at its place in a graph."""

    graph: Graph
    operator: Operator

    def tensor(self, index: int) -> Tensor:
        """Return a value by its index."""
        return self.graph.structure.tensors[index]

    @cached_property
    def runtime(self) -> list[int]:
        """The inputs that are computed, or the graph's."""
        return [index for index in self.operator.inputs if not self.graph.is_constant(index)]

    @property
    def input(self) -> Tensor:
        """The first input."""
        return self.tensor(self.operator.inputs[0])

    @property
    def output(self) -> Tensor:
        """The first output."""
        return self.tensor(self.operator.outputs[0])

    def taken_by(self, index: int) -> list[Operator]:
        """Return the operators that take a value."""
        return self.graph.takers.get(index, [])


def gpu_refusal(place: Place) -> str | None:
    """Return why the GPU delegate refuses an operator, or None where it takes it."""
    operator = place.operator
    if operator.name not in _NEWEST:
        return "it is not on the list"
    newest = _NEWEST[operator.name]
    if newest and operator.version > newest:
        return f"it is of version {operator.version}, and {newest} is the newest that is read"
    if place.graph.is_constant_half(operator):
        return None
    problems = [*_values(place)]
    problems += [] if operator.name not in _RULES else [*_RULES[operator.name](place)]
    return problems[0] if problems else None


def _values(place: Place) -> Iterator[str]:
    """Look at the types and extents of what is computed."""
    name = place.operator.name
    bools, integers = {"bool"}, {"int32"}
    more_in = {"CAST": bools | integers, "GATHER": integers, "ONE_HOT": integers}
    more_in |= dict.fromkeys([*_SELECTS, "LOGICAL_AND"], bools)
    more_out = {"CAST": bools | integers, **dict.fromkeys([*_LOGICAL, "LOGICAL_AND"], bools)}
    for indices, more in ((place.runtime, more_in), (place.operator.outputs, more_out)):
        for index in indices:
            tensor = place.tensor(index)
            if tensor.dtype not in _FLOATS | _BYTES | more.get(name, set()):
                yield f"{tensor.name} is {tensor.dtype}"
            if tensor.dtype in _BYTES and tensor.scales != 1:
                yield f"{tensor.name} has {tensor.scales} scales, and one is read"
    for index in [*place.operator.inputs, *place.operator.outputs]:
        if len(place.tensor(index).shape) > _MAX_RANK:
            yield f"{place.tensor(index).name} has more than {_MAX_RANK} axes"


def _logical(place: Place) -> Iterator[str]:
    takers = place.taken_by(place.operator.outputs[0])
    if len(takers) != 1:
        yield f"its truths are taken by {len(takers)} operators, and one may take them"
    elif takers[0].name not in {"CAST", *_SELECTS} or (
        place.tensor(takers[0].outputs[0]).dtype not in _FLOATS
    ):
        yield "its truths may become floats in a CAST or a SELECT alone"


def _cast(place: Place) -> Iterator[str]:
    source, target = place.input.dtype, place.output.dtype
    if source == "bool" and target in _FLOATS:
        for index in (place.operator.inputs[0], place.operator.outputs[0]):
            count = len(place.taken_by(index))
            if count != 1:
                yield f"{place.tensor(index).name} is taken by {count} operators, and one may"
    elif not ({source, target} <= {"float32", "int32"} or (source in _FLOATS and target == "bool")):
        yield f"it makes {target} of {source}"


def _batch_matmul(place: Place) -> Iterator[str]:
    right = place.operator.inputs[1]
    if place.graph.is_constant(place.operator.inputs[0]):
        yield "its left operand is constant, and the right one alone may be"
    elif place.graph.is_constant(right):
        # Seen to compute something else without a word.
        if len(place.tensor(right).shape) != 2:
            yield "its constant has more than two axes"
        if place.operator.option(0, "<b") or place.operator.option(1, "<b"):
            yield "it transposes an operand beside a constant"


def _convolution(
    fused: int, strides: tuple[int, ...] = (), dilations: tuple[int, ...] = ()
) -> Callable[[Place], Iterator[str]]:
    """Return the rule of a convolution, whose options have these fields."""

    def rule(place: Place) -> Iterator[str]:
        if len(place.runtime) > 2:
            yield f"{len(place.runtime)} of its inputs are computed, and two may be"
        if not all(map(place.graph.is_constant, place.operator.inputs[2:3])):
            yield "its bias is computed, and would be left out"
        yield from _activation(place, fused)
        steps = [place.operator.option(field) for field in strides]
        steps += [place.operator.option(field, default=1) for field in dilations]
        if any(step < 1 for step in steps):
            yield "it has a stride or dilation below 1"

    return rule


def _activation(place: Place, field: int) -> Iterator[str]:
    if place.operator.option(field, "<b") == _SIGN_BIT:
        yield "its activation is SIGN_BIT"


def _fully_connected(place: Place) -> Iterator[str]:
    yield from _convolution(0)(place)
    if place.graph.is_constant(place.operator.inputs[0]):
        yield "its left operand is constant"
    if place.operator.option(1, "<b"):
        yield "its weights are shuffled"
    if place.operator.option(2, "<b") and len(place.input.shape) != len(place.output.shape):
        yield "it gives another number of axes than it takes"


def _shuffle(place: Place) -> Iterator[str]:
    if place.operator.option(0) < 2:
        yield f"its block is {place.operator.option(0)}"


def _dequantise(place: Place) -> Iterator[str]:
    if place.input.dtype == "int16":
        yield "it reads 16 bits"
    if place.input.constant and len(place.input.shape) != _MAX_RANK:
        yield f"its constant has {len(place.input.shape)} axes and not {_MAX_RANK}"


def _pad(place: Place) -> Iterator[str]:
    if place.operator.name == "MIRROR_PAD" and place.operator.option(0, "<b") != 0:
        yield "it mirrors the border too, and REFLECT alone is read"
    amounts = place.tensor(place.operator.inputs[1])
    if amounts.values is None or amounts.shape not in ((3, 2), (4, 2)):
        yield "its paddings are no constant of 3 or 4 axes"


def _select(place: Place) -> Iterator[str]:
    for index in place.operator.inputs[1:]:
        tensor = place.tensor(index)
        if tensor.shape != place.output.shape and (len(tensor.shape) > 1 or tensor.shape > (1,)):
            yield f"{tensor.name} has another shape than the result, and is no number"


def _slice(place: Place) -> Iterator[str]:
    if len(place.input.shape) not in (3, 4):
        yield f"it cuts {len(place.input.shape)} axes, and 3 or 4 may be"
    bounds = [place.tensor(index) for index in place.operator.inputs[1:]]
    if any(bound.values is None for bound in bounds):
        yield "its bounds are no constants"
    elif place.operator.name == "STRIDED_SLICE":
        strides = bounds[2].values
        if strides is None or (strides < 1).any():
            yield "it goes backwards"
        if any(place.operator.option(field) for field in (2, 3, 4)):
            yield "it adds or drops axes"


def _transpose(place: Place) -> Iterator[str]:
    permutation = place.tensor(place.operator.inputs[1]).values
    if permutation is None or not 2 <= len(permutation) <= _MAX_RANK:
        yield "its permutation is no constant of 2 to 4 axes"


def _sum_or_product(place: Place) -> Iterator[str]:
    """Look at the broadcasting; other ranks than these were not broadcast before 2024."""
    shapes = [place.tensor(index).shape for index in place.operator.inputs]
    if place.operator.name != "ADD":
        yield from _activation(place, 0)
    if len(shapes) != 2:
        yield f"it has {len(shapes)} operands, and two are read"
        return
    long, short = sorted(shapes, key=len, reverse=True)
    if 1 < len(short) < len(long):
        try:
            fits = np.broadcast_shapes(long, short) == place.output.shape
        except ValueError:
            fits = False
        if not fits:
            yield "its operands do not broadcast"


def _one_computed(place: Place) -> Iterator[str]:
    if len(place.runtime) != 1:
        yield f"{len(place.runtime)} of its inputs are computed, and one must be"


_RULES: Mapping[str, Callable[[Place], Iterator[str]]] = {
    **dict.fromkeys(_LOGICAL, _logical),
    **dict.fromkeys(_SELECTS, _select),
    **dict.fromkeys(("ADD", "MUL"), _sum_or_product),
    **dict.fromkeys(("SLICE", "STRIDED_SLICE"), _slice),
    **dict.fromkeys(("MIRROR_PAD", "PAD", "PADV2"), _pad),
    **dict.fromkeys(("LOGISTIC", "QUANTIZE", "RESHAPE"), _one_computed),
    **dict.fromkeys(("DEPTH_TO_SPACE", "SPACE_TO_DEPTH"), _shuffle),
    "BATCH_MATMUL": _batch_matmul,
    "CAST": _cast,
    "CONV_2D": _convolution(3, (1, 2), (4, 5)),
    "DEPTHWISE_CONV_2D": _convolution(4, (1, 2), (5, 6)),
    "DEQUANTIZE": _dequantise,
    "FULLY_CONNECTED": _fully_connected,
    "TRANSPOSE": _transpose,
}
