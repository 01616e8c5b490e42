"""What nodes and operators are to the emulator, and how an operator is applied and rounded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lama_edge.errors import ModelError, needs_extra
from lama_edge.kernels.arithmetic import rounded, widened
from lama_edge.runtimes.base import Array

with needs_extra("export"):
    from onnx import TensorProto

Kernel = Callable[..., Array]

_ELEMENT_TYPES: dict[int, np.dtype[Any]] = {
    TensorProto.FLOAT: np.dtype(np.float32),
    TensorProto.FLOAT16: np.dtype(np.float16),
    TensorProto.DOUBLE: np.dtype(np.float64),
    TensorProto.INT8: np.dtype(np.int8),
    TensorProto.UINT8: np.dtype(np.uint8),
    TensorProto.INT32: np.dtype(np.int32),
    TensorProto.INT64: np.dtype(np.int64),
    TensorProto.BOOL: np.dtype(np.bool_),
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
        attributes: numbers, texts, tuples of numbers, element types and the body of a loop.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    def __str__(self) -> str:
        return f"the node {self.name!r} ({self.op})"


@dataclass(frozen=True)
class Operator:
    """How an operator is computed.

    Attributes:
        kernel: takes the arguments, None for those left out, and the attributes by their names.
        attributes: names of those it takes.
        exact: whether the kernel takes its arguments in their own type and gives its result in
            the declared one, because it only moves, compares, selects or converts elements; else
            float16 arrives as float32 and integers as int64, and the result is rounded to the
            first argument's type.
    """

    kernel: Kernel
    attributes: frozenset[str]
    exact: bool

    def apply(self, node: Node, arguments: list[Array | None]) -> Array:
        """Compute a node.

        Args:
            node: what to compute.
            arguments: its inputs; emptied, so that one that nobody else holds is freed as soon
                as its wide copy exists.

        Returns:
            The output, rounded.

        Raises:
            ModelError: when floating-point arguments differ in type.
        """
        types = [argument.dtype for argument in arguments if argument is not None]
        floats = {element for element in types if element.kind == "f"}
        if len(floats) > 1:
            names = " and ".join(sorted(map(str, floats)))
            raise ModelError(f"{node} mixes {names}: ONNX wants one type; export the model again")
        if not self.exact:
            for index, argument in enumerate(arguments):
                arguments[index] = None if argument is None else widened(argument)
                del argument
        result = self.kernel(*arguments, **node.attributes)
        arguments.clear()
        # NumPy gives a number for arrays without axes.
        result = np.asarray(result)
        return result if self.exact else rounded(result, types[0])


def element_type(code: int, where: object) -> np.dtype[Any]:
    """Return NumPy's type of ONNX's number for it.

    Raises:
        ModelError: when the emulator does not have the type; `where` names what wants it.
    """
    if code not in _ELEMENT_TYPES:
        known = ", ".join(map(str, _ELEMENT_TYPES.values()))
        named = TensorProto.DataType.Name(code) if code in TensorProto.DataType.values() else code
        raise ModelError(f"{where} has the element type {named}; the emulator has {known}")
    return _ELEMENT_TYPES[code]
