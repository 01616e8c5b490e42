"""Runs a function of an ML program op by op, every result rounded to its declared type.

What Core ML computes on the Neural Engine or the GPU is stored in fp16 between ops; this does as
such a device does: sums in float32, and one rounding for each op. It proves nothing about how a
device orders its sums, or about ops that it fuses.
"""

from __future__ import annotations

from typing import Any

from lama_edge.runtimes.base import Array
from lama_edge.runtimes.coreml.interpreter.function import computed
from lama_edge.runtimes.coreml.interpreter.registry import Operation
from lama_edge.runtimes.emulator.execution import StepwiseProgram


class MilProgram(StepwiseProgram[Operation]):
    """A function of an ML program ready to run."""

    def _compute(self, node: Operation, arguments: list[Any]) -> list[Array]:
        return [computed(node, node.bound(arguments))]
