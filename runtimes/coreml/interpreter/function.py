"""Reads one function of an ML program into what the interpreter runs, and checks all of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lama_edge.errors import ModelError, naming, shown
from lama_edge.runtimes.base import Array, ValueSeen
from lama_edge.runtimes.coreml.interpreter.elements import STRING, Element, TensorType, read_type
from lama_edge.runtimes.coreml.interpreter.operators import OPERATORS, UNFOLDING
from lama_edge.runtimes.coreml.interpreter.registry import Operation, printed
from lama_edge.runtimes.coreml.interpreter.values import Blobs, read_constant
from lama_edge.runtimes.emulator.execution import Graph

# Of iOS 16 to 18.
_OPSETS = ("CoreML6", "CoreML7", "CoreML8")
_NAME = "name"
_VALUE = "val"


def read_function(program: Any, name: str, blobs: Blobs) -> Graph[Operation]:
    """Read a function and check that the interpreter has all it uses.

    Args:
        program: coremltools' ``Program`` message.
        name: which of its functions.
        blobs: the package's weights.

    Returns:
        Its constants are tensors and texts, compressed weights unfolded; its nodes all others.

    Raises:
        ModelError: when there is no such function, it contradicts itself, or it uses an op,
            input or type that the interpreter does not have; the message names the operation.
    """
    if name not in program.functions:
        known = ", ".join(shown(each) for each in sorted(program.functions)) or "none"
        raise ModelError(f"the program has no function {shown(name)}; it has: {known}")
    proto = program.functions[name]
    if proto.opset not in _OPSETS or proto.opset not in proto.block_specializations:
        raise ModelError(
            f"the function {shown(name)} is written in {shown(proto.opset)}; the interpreter reads "
            f"{', '.join(_OPSETS)}"
        )
    block = proto.block_specializations[proto.opset]
    reader = _Reader(blobs)
    inputs = tuple(reader.input(value) for value in proto.inputs)
    for operation in block.operations:
        reader.operation(operation)
    if not block.outputs:
        raise ModelError(f"the function {shown(name)} gives nothing")
    outputs = tuple(reader.output(each) for each in block.outputs)
    return Graph(inputs, outputs, reader.constants, reader.operations)


@dataclass
class _Reader:
    """A function as far as it is read."""

    blobs: Blobs
    types: dict[str, TensorType] = field(default_factory=dict)
    constants: dict[str, Array | str] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)

    def input(self, proto: Any) -> ValueSeen:
        """Enter an input of the function."""
        declared = read_type(proto.type, f"the input {shown(proto.name)}")
        self._enter(proto.name, declared)
        return ValueSeen(proto.name, str(declared.element.storage), declared.shape)

    def output(self, name: str) -> ValueSeen:
        """Return the type of an output of the function."""
        if name not in self.types:
            raise ModelError(f"nothing gives the output {shown(name)}")
        declared = self.types[name]
        if declared.element is STRING:
            raise ModelError(f"the output {shown(name)} is a text")
        return ValueSeen(name, str(declared.element.storage), declared.shape)

    def operation(self, proto: Any) -> None:
        """Enter an operation; constants, and what unfolds to one, are computed at once."""
        if len(proto.outputs) != 1:
            raise ModelError(
                f"an operation of type {printed(proto.type)} gives {len(proto.outputs)} values, "
                "not one"
            )
        where = f"the operation {shown(proto.outputs[0].name)} ({printed(proto.type)})"
        if proto.type == "const":
            self._constant(proto, where)
            return
        if proto.type not in OPERATORS or proto.blocks:
            raise ModelError(f"{where} is of a type that the interpreter does not have")
        operation = Operation(
            proto.outputs[0].name,
            proto.type,
            self._arguments(proto, where),
            read_type(proto.outputs[0].type, where),
        )
        OPERATORS[operation.op].check(operation, self._declared(operation))
        self._enter(operation.name, operation.result)
        if operation.op.startswith(UNFOLDING):
            self.constants[operation.name] = self._unfolded(operation)
        else:
            self.operations.append(operation)

    def _enter(self, name: str, declared: TensorType, constant: Array | str | None = None) -> None:
        if name in self.types:
            raise ModelError(f"the program has two values of the name {shown(name)}")
        self.types[name] = declared
        if constant is not None:
            self.constants[name] = constant

    def _constant(self, proto: Any, where: str) -> None:
        if _VALUE not in proto.attributes:
            raise ModelError(f"{where} holds no value")
        declared, value = read_constant(proto.attributes[_VALUE], self.blobs, where)
        if read_type(proto.outputs[0].type, where) != declared:
            raise ModelError(f"{where} declares another type than its value has")
        self._enter(proto.outputs[0].name, declared, value)

    def _arguments(self, proto: Any, where: str) -> dict[str, tuple[str, ...]]:
        """Return the names bound to each input; values written in place become constants."""
        found: dict[str, tuple[str, ...]] = {}
        for name, argument in proto.inputs.items():
            bound = []
            for place, binding in enumerate(argument.arguments):
                if binding.WhichOneof("binding") == "name":
                    bound.append(binding.name)
                else:
                    bound.append(self._in_place(binding.value, where, f"{name}[{place}]"))
            found[name] = tuple(bound)
        for name, value in proto.attributes.items():
            if name in found:
                raise ModelError(f"{where} has the input {shown(name)} twice")
            if name != _NAME:
                found[name] = (self._in_place(value, where, name),)
        for each in (each for bound in found.values() for each in bound):
            if each not in self.types:
                raise ModelError(f"{where} reads {shown(each)}, which nothing before it gives")
        return found

    def _in_place(self, value: Any, where: str, place: str) -> str:
        name = f"{where}: {place}"
        self._enter(name, *read_constant(value, self.blobs, where))
        return name

    def _declared(self, operation: Operation) -> dict[str, Element | str]:
        declared: dict[str, Element | str] = {}
        for name, bound in operation.arguments.items():
            names = {self.types[each].element.name for each in bound}
            if len(names) > 1:
                raise ModelError(f"{operation} mixes {' and '.join(sorted(names))} in {name}")
            for each in bound:
                value = self.constants.get(each)
                declared[name] = value if isinstance(value, str) else self.types[each].element
        return declared

    def _unfolded(self, operation: Operation) -> Array:
        for name in operation.inputs:
            if name not in self.constants:
                raise ModelError(f"{operation} reads {shown(name)}, which is no constant")
        return computed(operation, operation.bound([self.constants[n] for n in operation.inputs]))


def computed(operation: Operation, arguments: dict[str, Any]) -> Array:
    """Compute an operation and check its result against what the program declares.

    Args:
        operation: what to compute.
        arguments: its inputs by name; emptied.

    Raises:
        ModelError: when it fails, naming the operation.
    """
    with naming(operation), np.errstate(all="ignore"):
        result = OPERATORS[operation.op].apply(operation, arguments)
        operation.result.check(result.shape)
    return result
