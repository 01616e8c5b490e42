"""From a deploy graph to a torch module, a few calls for each node; nothing is traced or trained.

What folding, the DFT's matrices and a precision's pass made of a graph is in the module under the
graph's names, `block03.conv1.local` as `block03_conv1_local`, since Python's have no points. It is
written so that runtimes for phones take all of it: the mask is arithmetic and no booleans,
reflection is slices and concatenations and no gathers, and a product is a linear layer over the
last axis, whose constant is transposed here once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import ModelError, needs_extra
from lama_edge.exporters.precision.homogeneity import array_of

with needs_extra("export"):
    import onnx_ir as ir
    from onnx_ir.passes.common import ShapeInferencePass
with needs_extra("torch"):
    import torch
    from torch import fx

Translate = Callable[["Translation", ir.Node], fx.Node]


@dataclass(frozen=True)
class Rounding:
    """How int8 stands for a value: ``(integer - zero) * step``."""

    step: float
    zero: int


# Ends the name of a matrix that is stored as its transpose.
TRANSPOSED = ".transposed"
_OPERATORS: dict[str, Translate] = {}


def operator(*op_types: str) -> Callable[[Translate], Translate]:
    """Register a function as the translation of ONNX operators."""

    def register(translate: Translate) -> Translate:
        for op_type in op_types:
            _OPERATORS[op_type] = translate
        return translate

    return register


class Translation:
    """The values of one graph as nodes of the module under construction."""

    def __init__(self, inputs: Sequence[ir.Value]) -> None:
        self.graph, self.root = fx.Graph(), torch.nn.Module()
        self._nodes = {value: self.graph.placeholder(str(value.name)) for value in inputs}
        self._buffers: dict[str, fx.Node] = {}
        self._derived: dict[tuple[str, ir.Value], fx.Node] = {}
        self._roundings: dict[ir.Value, Rounding] = {}
        self._rounding: Rounding | None = None
        self._turned_back: dict[fx.Node, Callable[[], fx.Node]] = {}
        self._name = ""

    def __getitem__(self, value: ir.Value | None) -> fx.Node:
        """Return a value's node; a constant becomes a buffer when it is first read."""
        assert value is not None
        if value not in self._nodes:
            self._nodes[value] = self.buffer(str(value.name), self.constant(value))
        return self._nodes[value]

    def translate(self, node: ir.Node, operators: Mapping[str, Translate]) -> None:
        """Append a node's calls and note what its output became.

        Raises:
            ModelError: when there is no translation of its operator.
        """
        if node.op_type not in operators:
            raise ModelError(
                f"{node.name!r} is a {node.op_type}, which has no translation to torch; "
                f"known: {', '.join(sorted(operators))}"
            )
        (output,) = node.outputs
        self._name = spelt(str(output.name))
        # What moves integers gives integers of the same scale.
        source = node.inputs[0]
        moves = node.op_type not in ("QuantizeLinear", "DequantizeLinear")
        self._rounding = self._roundings.get(source) if moves and source is not None else None
        if self._rounding is not None:
            self._roundings[output] = self._rounding
        self._nodes[output] = operators[node.op_type](self, node)

    def call(self, function: Callable[..., Any], *arguments: Any) -> fx.Node:
        """Append a call; it is named after the output of the graph's node at hand."""
        # Backends match an operator with what turns its integers back, and want that to be its own.
        own = fx.node.map_arg(arguments, lambda one: self._turned_back.get(one, lambda: one)())
        called = self._called(function, *own)
        return called if self._rounding is None else self._rounded(called, self._rounding)

    def rounded(self, x: fx.Node, rounding: Rounding, value: ir.Value) -> fx.Node:
        """Return floats that int8 stands for, and note how it does for the graph's value."""
        self._roundings[value] = rounding
        return self._rounded(x, rounding)

    def _rounded(self, x: fx.Node, rounding: Rounding) -> fx.Node:
        how = (rounding.step, rounding.zero, -128, 127, torch.int8)
        decomposed = torch.ops.quantized_decomposed
        integers = self._called(decomposed.quantize_per_tensor.default, x, *how)

        def turn_back() -> fx.Node:
            return self._called(decomposed.dequantize_per_tensor.default, integers, *how)

        floats = turn_back()
        self._turned_back[floats] = turn_back
        return floats

    def _called(self, function: Callable[..., Any], *arguments: Any) -> fx.Node:
        return self.graph.create_node("call_function", function, arguments, {}, self._name)

    def buffer(self, name: str, array: NDArray[Any]) -> fx.Node:
        """Return a constant as the buffer of that name; it is added when it is first read.

        Raises:
            ModelError: when another one would have the same name in Python.
        """
        if name not in self._buffers:
            place = spelt(name)
            if hasattr(self.root, place):
                raise ModelError(f"{name!r} and another constant would both be {place!r} in torch")
            # An array of its own, since torch warns of those that cannot be written.
            self.root.register_buffer(place, torch.from_numpy(np.array(array, order="C")))
            self._buffers[name] = self.graph.get_attr(place)
        return self._buffers[name]

    def once(self, kind: str, value: ir.Value, make: Callable[[], fx.Node]) -> fx.Node:
        """Return what was made of a value before, by the kind of making, or make it."""
        key = kind, value
        if key not in self._derived:
            self._derived[key] = make()
        return self._derived[key]

    def transposed(self, value: ir.Value) -> fx.Node:
        """Return a constant matrix as a buffer of its transpose."""
        return self.buffer(f"{value.name}{TRANSPOSED}", self.constant(value).T)

    @staticmethod
    def is_constant(value: ir.Value | None) -> bool:
        """Tell whether a value is a constant of the graph."""
        return value is not None and value.const_value is not None

    @staticmethod
    def constant(value: ir.Value | None) -> NDArray[Any]:
        """Return a constant's elements."""
        assert value is not None
        return array_of(value)


def torch_module(
    model: ir.Model, operators: Mapping[str, Translate] | None = None
) -> fx.GraphModule:
    """Make a torch module of a deploy graph of one size, with the shapes inferred in the graph.

    Args:
        model: the graph at its precision, kernels ``direct``, of a fixed size and batch.
        operators: translations by ONNX operator that take the place of those here.

    Returns:
        A module in evaluation mode. It takes the graph's inputs by position and returns its output;
        its buffers have the names of the graph's constants, `spelt`, with `TRANSPOSED` at the end
        of those that are.

    Raises:
        ModelError: when the graph has an operator without a translation.
        MissingBackendError: when torch is not installed.
    """
    for module in ("operators", "integers"):
        import_module(f"lama_edge.exporters.torch_module.{module}")
    ShapeInferencePass(strict_mode=True, data_prop=True)(model)
    translation = Translation(model.graph.inputs)
    known = {**_OPERATORS, **(operators or {})}
    for node in model.graph:
        translation.translate(node, known)
    (output,) = model.graph.outputs
    translation.graph.output(translation[output])
    translation.graph.eliminate_dead_code()
    return fx.GraphModule(translation.root, translation.graph).eval()


def spelt(name: str) -> str:
    """Spell a value's name as Python allows it."""
    return name.replace(".", "_")


def shape_of(value: ir.Value | None) -> tuple[int, ...]:
    """Return a value's extents."""
    assert value is not None
    assert value.shape is not None
    return tuple(map(int, value.shape.numpy()))
