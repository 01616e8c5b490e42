"""Runs a function of an ML program op by op, every result rounded to its declared type.

What Core ML computes on the Neural Engine or the GPU is stored in fp16 between ops; this does as
such a device does: sums in float32, and one rounding for each op. It proves nothing about how a
device orders its sums, or about ops that it fuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lama_edge.errors import needs_extra
from lama_edge.runtimes.base import Array
from lama_edge.runtimes.coreml.interpreter.function import Function, computed
from lama_edge.runtimes.coreml.interpreter.registry import SEVERAL, Operation
from lama_edge.runtimes.emulator.execution import Observer, Step, plan, read_feeds

with needs_extra("coreml"):
    import torch


class MilProgram:
    """A function of an ML program ready to run.

    Attributes:
        input_types: the inputs' names, element types and shapes.
        output_types: the outputs'.
        operations: how many it computes, constants aside.
    """

    def __init__(self, function: Function) -> None:
        self.input_types = function.inputs
        self.output_types = function.outputs
        self.operations = len(function.operations)
        self._constants = function.constants
        kept = (*(value.name for value in function.outputs), *function.constants)
        self._steps = plan(function.operations, kept)

    @torch.no_grad()
    def run(
        self, feeds: Mapping[str, Array], *, observe: Observer | None = None
    ) -> dict[str, Array]:
        """Run the function.

        Args:
            feeds: an array for each input, of its type.
            observe: called with the name, the op and the value of every floating-point result, in
                the program's order, as soon as it is computed and rounded. The value has the
                declared type and must not be changed.

        Returns:
            An array for each output.

        Raises:
            ModelError: when the arrays do not fit, or an operation fails; the message names it.
        """
        values = read_feeds(self.input_types, feeds)
        for step in self._steps:
            self._run_step(step, values, observe)
        known: dict[str, Any] = {**self._constants, **values}
        return {
            value.name: np.array(known[value.name].contiguous().numpy())
            for value in self.output_types
        }

    def _run_step(
        self, step: Step[Operation], values: dict[str, torch.Tensor], observe: Observer | None
    ) -> None:
        operation = step.node
        arguments: dict[str, Any] = {}
        for name, bound in operation.arguments.items():
            found = [
                self._constants[each] if each in self._constants else values[each] for each in bound
            ]
            arguments[name] = found if name == SEVERAL else found[0]
            del found
        # Before the operation runs, so that a wide copy can take the place of a value.
        for name in step.last_read:
            del values[name]
        result = computed(operation, arguments)
        if observe is not None and result.is_floating_point():
            observe(operation.name, operation.op, result)
        if operation.name not in step.unused:
            values[operation.name] = result
