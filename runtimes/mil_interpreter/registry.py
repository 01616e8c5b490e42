"""What ops are to the interpreter: their inputs, the type of their results, and their rounding."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lama_edge.errors import ModelError, needs_extra, shown
from lama_edge.runtimes.emulator.kernels import widened
from lama_edge.runtimes.mil_interpreter.elements import Element, TensorType

with needs_extra("coreml"):
    import torch
    from torch import Tensor

Kernel = Callable[..., "Tensor | Sequence[Tensor]"]


@dataclass(frozen=True)
class Operation:
    """An operation of a program.

    Attributes:
        name: for messages.
        op: its type, such as ``conv``.
        opset: version of the op set, such as 6 for ``CoreML6`` (iOS 16).
        arguments: for each input given, the names of the values bound to it.
        outputs: names of the values it gives.
        output_types: what the program declares of them.
    """

    name: str
    op: str
    opset: int
    arguments: Mapping[str, tuple[str, ...]]
    outputs: tuple[str, ...]
    output_types: tuple[TensorType, ...] = field(repr=False)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of all values it reads."""
        return tuple(name for names in self.arguments.values() for name in names)

    @property
    def result(self) -> TensorType:
        """What the program declares of the first output."""
        return self.output_types[0]

    def __str__(self) -> str:
        return f"the operation {shown(self.name)} ({printed(self.op)})"


def printed(op: str) -> str:
    """Return an op's type as messages show it."""
    return op if op.isidentifier() and len(op) < 60 else shown(op)


@dataclass(frozen=True)
class Declared:
    """What is known of an operation's inputs before it runs.

    Attributes:
        types: by input; of several values bound to one, the first's.
        texts: the inputs that are texts.
    """

    types: Mapping[str, TensorType]
    texts: Mapping[str, str]


ResultType = Callable[[Declared], Element]


@dataclass(frozen=True)
class Operator:
    """How an op is computed.

    Attributes:
        kernel: takes the operation and its inputs by MIL's names; its defaults are the op's.
        page: where coremltools' "MIL Ops" reference documents it, such as ``iOS15.conv.conv``.
        exact: whether it takes its inputs in their own type, because it only moves, compares or
            selects elements; else fp16 arrives as float32 and integers as int64.
        mixed_from: the op set from which floating-point inputs may differ in type; None for never.
        result: gives the element type of its results.
        variadic: the input that takes several values; it arrives as a list.
        parameters: the names of its inputs, and whether each one is required.
    """

    kernel: Kernel
    page: str
    exact: bool
    mixed_from: int | None
    result: ResultType
    variadic: str | None
    parameters: Mapping[str, bool]

    def check(self, operation: Operation, declared: Declared) -> None:
        """Refuse an operation that this op cannot be.

        Raises:
            ModelError: when an input is unknown, missing or of a type that does not go with the
                others, or the results are declared as something else than they are.
        """
        for name, values in operation.arguments.items():
            if name not in self.parameters:
                raise ModelError(
                    f"{operation} has the input {shown(name)}, which the interpreter does not have"
                )
            if name != self.variadic and len(values) != 1:
                raise ModelError(f"{operation} has {len(values)} values for {name}, not one")
        for name, required in self.parameters.items():
            if required and not operation.arguments.get(name):
                raise ModelError(f"{operation} lacks its input {name!r}")
        self._check_types(operation, declared)

    def _check_types(self, operation: Operation, declared: Declared) -> None:
        floats = {t.element.name for t in declared.types.values() if t.element.is_float}
        mixed = self.mixed_from is not None and operation.opset >= self.mixed_from
        if len(floats) > 1 and not mixed:
            raise ModelError(f"{operation} mixes {' and '.join(sorted(floats))}; it wants one type")
        try:
            wanted = self.result(declared)
        except ValueError as error:
            raise ModelError(f"{operation}: {error}") from error
        for seen in operation.output_types:
            if seen.element != wanted:
                raise ModelError(
                    f"{operation} gives {wanted.name}, the program declares {seen.element.name}"
                )

    def apply(self, operation: Operation, arguments: dict[str, Any]) -> list[Tensor]:
        """Compute an operation.

        Args:
            operation: what to compute.
            arguments: its inputs by name; emptied, so that one that nobody else holds is freed as
                soon as its wide copy exists.

        Returns:
            Its outputs, rounded to the declared types.
        """
        if not self.exact:
            for name in arguments:
                arguments[name] = _wide(arguments[name])
        results = self.kernel(operation, **arguments)
        arguments.clear()
        several = [results] if isinstance(results, torch.Tensor) else list(results)
        return [
            result.to(declared.element.storage)
            for result, declared in zip(several, operation.output_types, strict=True)
        ]


def _wide(argument: Any) -> Any:
    if isinstance(argument, list):
        return [widened(each) for each in argument]
    return argument if isinstance(argument, str) else widened(argument)


def like(name: str) -> ResultType:
    """Return the rule that results have the type of one of the inputs."""
    return lambda declared: declared.types[name].element


def always(element: Element) -> ResultType:
    """Return the rule that results have one type, whatever the inputs'."""
    return lambda declared: element


_LIKE_X = like("x")


def operator(
    table: dict[str, Operator],
    page: str,
    *,
    exact: bool = False,
    mixed_from: int | None = None,
    result: ResultType = _LIKE_X,
    variadic: str | None = None,
) -> Callable[[Kernel], Kernel]:
    """Enter a kernel into a table under the name that its documentation page ends in."""

    def register(kernel: Kernel) -> Kernel:
        name = page.rpartition(".")[2]
        found = list(inspect.signature(kernel).parameters.values())[1:]
        required = {each.name: each.default is inspect.Parameter.empty for each in found}
        table[name] = Operator(kernel, page, exact, mixed_from, result, variadic, required)
        return kernel

    return register


def integers(x: Tensor) -> list[int]:
    """Return the elements of a tensor of up to one axis."""
    return [int(value) for value in x.reshape(-1).tolist()]


def broadcast(*tensors: Tensor) -> tuple[int, ...]:
    """Return the shape that tensors have together.

    Raises:
        ValueError: when their shapes do not go together.
    """
    return np.broadcast_shapes(*(tuple(each.shape) for each in tensors))


def integer(x: Tensor) -> int:
    """Return the one element of a tensor."""
    return int(x.reshape(()).item())
