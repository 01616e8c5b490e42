"""What ops are to the interpreter: their inputs, the type of their results, and their rounding."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lama_edge.errors import ModelError, shown
from lama_edge.kernels.arithmetic import rounded, widened
from lama_edge.runtimes.base import Array
from lama_edge.runtimes.coreml.interpreter.elements import Element, TensorType

Kernel = Callable[..., Array]

# The one input that takes several values, of `concat`; it arrives as a list.
SEVERAL = "values"


@dataclass(frozen=True)
class Operation:
    """An operation of a program.

    Attributes:
        name: its output's.
        op: its type, such as ``conv``.
        arguments: for each input given, the names of the values bound to it.
        result: what the program declares of its output.
    """

    name: str
    op: str
    arguments: Mapping[str, tuple[str, ...]]
    result: TensorType

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of all values it reads."""
        return tuple(name for names in self.arguments.values() for name in names)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The name of the value it gives."""
        return (self.name,)

    def bound(self, values: list[Any]) -> dict[str, Any]:
        """Return what is bound to each input, given the values of `inputs`, a list to empty."""
        found: dict[str, Any] = {}
        for name, names in self.arguments.items():
            own = [values.pop(0) for _ in names]
            found[name] = own if name == SEVERAL else own[0]
        return found

    def __str__(self) -> str:
        return f"the operation {shown(self.name)} ({printed(self.op)})"


def printed(op: str) -> str:
    """Return an op's type as messages show it."""
    return op if op.isidentifier() and len(op) < 60 else shown(op)


@dataclass(frozen=True)
class Operator:
    """How an op is computed.

    Attributes:
        kernel: takes what the program declares of the result, and the inputs by MIL's names.
        exact: whether it takes its inputs in their own type, because it only moves, compares,
            selects or converts elements; else fp16 arrives as float32 and integers as int64.
        result: the element type of its result, or the input that has or names it.
        parameters: the names of its inputs, and whether each one is required.
    """

    kernel: Kernel
    exact: bool
    result: Element | str
    parameters: Mapping[str, bool]

    def check(self, operation: Operation, declared: Mapping[str, Element | str]) -> None:
        """Refuse an operation that this op cannot be.

        Args:
            operation: what to compute.
            declared: the inputs' element types, or their texts.

        Raises:
            ModelError: when an input is unknown, missing or of a type that does not go with the
                others, or the result is declared as something else than it is.
        """
        for name, values in operation.arguments.items():
            if name not in self.parameters:
                raise ModelError(
                    f"{operation} has the input {shown(name)}, which the interpreter does not have"
                )
            if name != SEVERAL and len(values) != 1:
                raise ModelError(f"{operation} has {len(values)} values for {name}, not one")
        for name, required in self.parameters.items():
            if required and not operation.arguments.get(name):
                raise ModelError(f"{operation} lacks its input {name!r}")
        elements = [each for each in declared.values() if isinstance(each, Element)]
        floats = {element.name for element in elements if element.storage.kind == "f"}
        if len(floats) > 1:
            raise ModelError(f"{operation} mixes {' and '.join(sorted(floats))}; it wants one type")
        result = declared[self.result] if isinstance(self.result, str) else self.result
        gives = result if isinstance(result, str) else result.name
        if operation.result.element.name != gives:
            raise ModelError(
                f"{operation} gives {gives}, the program declares {operation.result.element.name}"
            )

    def apply(self, operation: Operation, arguments: dict[str, Any]) -> Array:
        """Compute an operation.

        Args:
            operation: what to compute.
            arguments: its inputs by name; emptied, so that one that nobody else holds is freed as
                soon as its wide copy exists.

        Returns:
            Its output, rounded to the declared type.
        """
        if not self.exact:
            for name in arguments:
                arguments[name] = _wide(arguments[name])
        result = self.kernel(operation.result, **arguments)
        arguments.clear()
        return rounded(np.asarray(result), operation.result.element.storage)


def _wide(argument: Any) -> Any:
    return argument if isinstance(argument, str) else widened(argument)


def operator(
    table: dict[str, Operator], name: str, *, exact: bool = False, result: Element | str = "x"
) -> Callable[[Kernel], Kernel]:
    """Enter a kernel into a table under MIL's name; the rest are `Operator`'s fields."""

    def register(kernel: Kernel) -> Kernel:
        found = list(inspect.signature(kernel).parameters.values())[1:]
        required = {each.name: each.default is inspect.Parameter.empty for each in found}
        table[name] = Operator(kernel, exact, result, required)
        return kernel

    return register
