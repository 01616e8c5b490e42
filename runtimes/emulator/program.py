"""Runs a graph operator by operator, every result rounded to the type that the graph declares.

ONNX Runtime's processor kernels compute float16 in wide registers and fuse operators, and so
prove nothing about a device that stores every result in float16. This executor does as such a
device does: sums in float32, and one rounding for each operator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lama_edge.errors import ModelError, needs_extra
from lama_edge.runtimes.base import Array
from lama_edge.runtimes.emulator.execution import Observer, Step, StepwiseProgram
from lama_edge.runtimes.emulator.functions import naming
from lama_edge.runtimes.emulator.graph import Body, Graph, read_graph
from lama_edge.runtimes.emulator.operators import OPERATORS
from lama_edge.runtimes.emulator.registry import Node

with needs_extra("export"):
    import onnx


class Program(StepwiseProgram[Node]):
    """An ONNX graph ready to run.

    Attributes:
        metadata: the file's metadata entries.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph.inputs, graph.outputs, graph.constants, graph.nodes)
        self.metadata = graph.metadata

    @classmethod
    def load(cls, model: bytes | str | Path | onnx.ModelProto) -> Program:
        """Read a model; see `lama_edge.runtimes.emulator.graph.read_graph`."""
        return cls(read_graph(model))

    def _run_step(
        self, step: Step[Node], values: dict[str, Array], observe: Observer | None
    ) -> None:
        _run_step(step, self._constants, values, observe)


def _run_step(
    step: Step[Node],
    constants: Mapping[str, Array],
    values: dict[str, Array],
    observe: Observer | None = None,
) -> None:
    """See `StepwiseProgram`; the constants may be those of a loop's body."""
    node = step.node
    arguments: list[Any] = [
        constants[name] if name in constants else values[name] if name else None
        for name in node.inputs
    ]
    # Before the node runs, so that a wide copy can take the place of a value.
    for name in step.last_read:
        del values[name]
    body = node.attributes.get("body")
    with naming(node):
        results = (
            [OPERATORS[node.op].apply(node, arguments)]
            if body is None
            else _looped(body, arguments)
        )
    if len(results) < len(node.outputs):
        raise ModelError(f"{node} gives {len(results)} values, not {len(node.outputs)}")
    for name, value in zip(node.outputs, results, strict=False):
        if not name:
            continue
        # What an identity gives has been shown already, or is a constant.
        if observe is not None and value.dtype.kind == "f" and node.op != "Identity":
            observe(name, node.op, value)
        if name not in step.unused:
            values[name] = value


def _looped(body: Body, arguments: Sequence[Array]) -> list[Array]:
    """Run a loop's body for each element of its inputs' first axes, and stack what it gives.

    Observers see what the loop gives, and not the parts of it.
    """
    count = len(body.inputs)
    constants = {**body.constants, **dict(zip(body.captured, arguments[count:], strict=True))}
    stacked: list[Array] = []
    for index, elements in enumerate(zip(*arguments[:count], strict=True)):
        values = dict(zip(body.inputs, elements, strict=True))
        for step in body.steps:
            _run_step(step, constants, values)
        results = [values[name] for name in body.outputs]
        if not index:
            stacked = [
                np.empty((len(arguments[0]), *result.shape), result.dtype) for result in results
            ]
        for whole, result in zip(stacked, results, strict=True):
            whole[index] = result
    return stacked
