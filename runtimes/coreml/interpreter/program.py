"""Runs a function of an ML program op by op, every result rounded to its declared type.

What Core ML computes on the Neural Engine or the GPU is stored in fp16 between ops; this does as
such a device does: sums in float32, and one rounding for each op. It proves nothing about how a
device orders its sums, or about ops that it fuses.
"""

from __future__ import annotations

from typing import Any

from lama_edge.runtimes.base import Array
from lama_edge.runtimes.coreml.interpreter.function import Function, computed
from lama_edge.runtimes.coreml.interpreter.registry import SEVERAL, Operation
from lama_edge.runtimes.emulator.execution import Observer, Step, StepwiseProgram


class MilProgram(StepwiseProgram[Operation]):
    """A function of an ML program ready to run.

    Attributes:
        operations: how many it computes, constants aside.
    """

    def __init__(self, function: Function) -> None:
        super().__init__(function.inputs, function.outputs, function.constants, function.operations)
        self.operations = len(function.operations)

    def _run_step(
        self, step: Step[Operation], values: dict[str, Array], observe: Observer | None
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
        if observe is not None and result.dtype.kind == "f":
            observe(operation.name, operation.op, result)
        if operation.name not in step.unused:
            values[operation.name] = result
