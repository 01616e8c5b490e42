"""Runs a graph operator by operator, every result rounded to the type that the graph declares.

ONNX Runtime's processor kernels compute float16 in wide registers and fuse operators, and so
prove nothing about a device that stores every result in float16. This executor does as such a
device does: sums in float32, and one rounding for each operator.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lama_edge.errors import naming, needs_extra
from lama_edge.runtimes.base import Array
from lama_edge.runtimes.emulator.execution import StepwiseProgram, run_step
from lama_edge.runtimes.emulator.graph import Body, read_graph
from lama_edge.runtimes.emulator.operators import OPERATORS
from lama_edge.runtimes.emulator.registry import Node

with needs_extra("export"):
    import onnx


class Program(StepwiseProgram[Node]):
    """An ONNX graph ready to run."""

    @classmethod
    def load(cls, model: bytes | str | Path | onnx.ModelProto) -> Program:
        """Read a model; see `lama_edge.runtimes.emulator.graph.read_graph`."""
        return cls(read_graph(model))

    def _compute(self, node: Node, arguments: list[Any]) -> list[Array]:
        return _computed(node, arguments)


def _computed(node: Node, arguments: list[Any]) -> list[Array]:
    body = node.attributes.get("body")
    with naming(node):
        if body is None:
            return [OPERATORS[node.op].apply(node, arguments)]
        return _looped(body, arguments)


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
            run_step(step, constants, values, _computed)
        results = [values[name] for name in body.outputs]
        if not index:
            stacked = [
                np.empty((len(arguments[0]), *result.shape), result.dtype) for result in results
            ]
        for whole, result in zip(stacked, results, strict=True):
            whole[index] = result
    return stacked
