"""What nodes and operators are to the emulator, and how an operator is applied and rounded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lama_edge.errors import ModelError, needs_extra
from lama_edge.runtimes.emulator.kernels import widened

with needs_extra("export"):
    import torch
    from onnx import TensorProto

Kernel = Callable[..., "torch.Tensor | Sequence[torch.Tensor]"]

_ELEMENT_TYPES: dict[int, torch.dtype] = {
    TensorProto.FLOAT: torch.float32,
    TensorProto.FLOAT16: torch.float16,
    TensorProto.DOUBLE: torch.float64,
    TensorProto.INT8: torch.int8,
    TensorProto.UINT8: torch.uint8,
    TensorProto.INT16: torch.int16,
    TensorProto.INT32: torch.int32,
    TensorProto.INT64: torch.int64,
    TensorProto.BOOL: torch.bool,
}


@dataclass(frozen=True)
class Node:
    """A node of an ONNX graph.

    Attributes:
        name: for messages; the first output's where the file has none.
        op: the operator, of ONNX's default domain.
        inputs: names of the values it reads; empty for one left out. A loop's own are followed by
            those that its body reads from around it.
        outputs: names of the values it gives; empty for one left out.
        attributes: numbers, texts, tuples of numbers, tensors and the body of a loop.
        opset: version of the default domain.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    opset: int

    def __str__(self) -> str:
        return f"the node {self.name!r} ({self.op})"


ResultType = Callable[[Node, "Sequence[torch.Tensor | None]"], "torch.dtype | None"]


@dataclass(frozen=True)
class Operator:
    """How an operator is computed.

    Attributes:
        kernel: takes the node and its arguments, None for those left out.
        attributes: names of those it knows.
        exact: whether the kernel takes its arguments in their own type, because it only moves,
            compares or selects elements; else float16 arrives as float32 and integers as int64.
        mixed: whether floating-point arguments may differ in type.
        result: gives the element type to which results are rounded, or None where the kernel
            sees to it.
    """

    kernel: Kernel
    attributes: frozenset[str]
    exact: bool
    mixed: bool
    result: ResultType

    def apply(self, node: Node, arguments: list[torch.Tensor | None]) -> list[torch.Tensor]:
        """Compute a node.

        Args:
            node: what to compute.
            arguments: its inputs; emptied, so that one that nobody else holds is freed as soon
                as its wide copy exists.

        Returns:
            The outputs, rounded.

        Raises:
            ModelError: when floating-point arguments differ in type.
        """
        types = {a.dtype for a in arguments if a is not None and a.is_floating_point()}
        if len(types) > 1 and not self.mixed:
            names = " and ".join(sorted(str(t).removeprefix("torch.") for t in types))
            raise ModelError(f"{node} mixes {names}: ONNX wants one type; export the model again")
        element = self.result(node, arguments)
        if not self.exact:
            for index, argument in enumerate(arguments):
                arguments[index] = widened(argument)
                del argument
        results = self.kernel(node, *arguments)
        arguments.clear()
        several = [results] if isinstance(results, torch.Tensor) else results
        return [result if element is None else result.to(element) for result in several]


def like(index: int) -> ResultType:
    """Return the rule that results have the type of one of the arguments."""

    def of_argument(node: Node, arguments: Sequence[torch.Tensor | None]) -> torch.dtype:
        argument = arguments[index]
        if argument is None:
            raise ValueError(f"input {index} is missing")
        return argument.dtype

    return of_argument


_LIKE_FIRST = like(0)


def own_type(node: Node, arguments: Sequence[torch.Tensor | None]) -> None:
    """Leave the results as the kernel gives them."""


def operator(
    table: dict[str, Operator],
    *names: str,
    attributes: Sequence[str] = (),
    exact: bool = False,
    mixed: bool = False,
    result: ResultType = _LIKE_FIRST,
) -> Callable[[Kernel], Kernel]:
    """Enter a kernel into a table under one or more names; the rest are `Operator`'s fields."""

    def register(kernel: Kernel) -> Kernel:
        for name in names:
            table[name] = Operator(kernel, frozenset(attributes), exact, mixed, result)
        return kernel

    return register


def element_type(code: int, where: object) -> torch.dtype:
    """Return torch's type of ONNX's number for it.

    Raises:
        ModelError: when the emulator does not have the type; `where` names what wants it.
    """
    if code not in _ELEMENT_TYPES:
        known = ", ".join(str(t).removeprefix("torch.") for t in _ELEMENT_TYPES.values())
        named = TensorProto.DataType.Name(code) if code in TensorProto.DataType.values() else code
        raise ModelError(f"{where} has the element type {named}; the emulator has {known}")
    return _ELEMENT_TYPES[code]
