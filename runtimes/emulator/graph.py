"""Reads ONNX files into what the emulator runs: nodes in order, constants, inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lama_edge.errors import ModelError, needs_extra, one_line, shown
from lama_edge.runtimes.base import Array, ValueSeen
from lama_edge.runtimes.emulator.execution import Graph, Step, plan
from lama_edge.runtimes.emulator.operators import OPERATORS
from lama_edge.runtimes.emulator.registry import Node, element_type

with needs_extra("export"):
    import onnx
    from onnx import AttributeProto, numpy_helper

_OPSETS = range(17, 24)
_LOOP = "Scan"
# Of the attributes of every operator here, the one that is an element type's number.
_TYPE = "to"
_LOOP_ATTRIBUTES = frozenset({"body", "num_scan_inputs"})


@dataclass(frozen=True)
class Body:
    """What a loop runs for each element of its inputs.

    Attributes:
        inputs: names of the elements it takes, one of each of the loop's own inputs.
        captured: names of the values it reads from around the loop, which are the loop's other
            inputs.
        outputs: names of what it gives, to be stacked.
        constants: its own, by name.
        steps: its nodes, in order.
    """

    inputs: tuple[str, ...]
    captured: tuple[str, ...]
    outputs: tuple[str, ...]
    constants: dict[str, Array]
    steps: list[Step[Node]]


def read_graph(model: bytes | str | Path | onnx.ModelProto) -> Graph[Node]:
    """Read a model and check that the emulator has all it uses.

    Args:
        model: a path, a file's content, or the model itself.

    Raises:
        ModelError: when it cannot be read, is no ONNX model, or uses an operator, attribute or
            element type that the emulator does not have; the message names the node.
    """
    proto = model if isinstance(model, onnx.ModelProto) else _parse(model)
    graph = proto.graph
    if not graph.output:
        raise ModelError("this is no ONNX model: it has no graph with outputs")
    _check_opset(proto)
    constants = _constants(graph)
    inputs = tuple(_value_type(value) for value in graph.input if value.name not in constants)
    outputs = tuple(_value_type(value) for value in graph.output)
    known = {value.name for value in inputs} | set(constants)
    nodes = _read_nodes(graph.node, known)
    for output in outputs:
        if output.name not in known:
            raise ModelError(f"nothing gives the output {output.name!r}")
    metadata = {entry.key: entry.value for entry in proto.metadata_props}
    return Graph(inputs, outputs, constants, nodes, metadata)


def _parse(model: bytes | str | Path) -> onnx.ModelProto:
    try:
        if isinstance(model, bytes):
            return onnx.load_model_from_string(model)
        return onnx.load_model(str(model))
    except Exception as error:
        # Protocol Buffers' exceptions and the file system's share no base class of their own.
        name = "the model" if isinstance(model, bytes) else repr(str(model))
        raise ModelError(f"{name} cannot be read as an ONNX file: {one_line(error)}") from error


def _check_opset(proto: onnx.ModelProto) -> None:
    versions = [entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")]
    if len(versions) != 1 or versions[0] not in _OPSETS:
        seen = ", ".join(map(str, versions)) or "none"
        raise ModelError(
            f"the model's opset is {seen}; the emulator has {_OPSETS.start} to {_OPSETS.stop - 1}"
        )


def _constants(graph: onnx.GraphProto) -> dict[str, Array]:
    return {
        tensor.name: _array(tensor, f"the constant {tensor.name!r}") for tensor in graph.initializer
    }


def _read_nodes(protos: Iterable[onnx.NodeProto], known: set[str]) -> tuple[Node, ...]:
    """Read nodes, and refuse values that come from nowhere, or from two places.

    Args:
        protos: in the order in which they run.
        known: names of the values that are there before; those that the nodes give are added.
    """
    nodes = []
    for proto in protos:
        node = _read_node(proto, known)
        for name in node.inputs:
            if name and name not in known:
                raise ModelError(f"{node} reads {name!r}, which nothing before it gives")
        for name in filter(None, node.outputs):
            if name in known:
                raise ModelError(f"{node} gives {name!r}, which exists already")
            known.add(name)
        nodes.append(node)
    return tuple(nodes)


def _read_node(proto: onnx.NodeProto, known: set[str]) -> Node:
    name = proto.name or next(iter(proto.output), "")
    described = f"the node {shown(name)} ({proto.op_type})"
    is_loop = proto.op_type == _LOOP
    if proto.domain not in ("", "ai.onnx") or not (is_loop or proto.op_type in OPERATORS):
        of_domain = f" of {shown(proto.domain)}" if proto.domain else ""
        raise ModelError(f"{described} has an operator{of_domain} that the emulator does not have")
    has = _LOOP_ATTRIBUTES if is_loop else OPERATORS[proto.op_type].attributes
    attributes: dict[str, Any] = {}
    for attribute in proto.attribute:
        if attribute.name not in has:
            raise ModelError(
                f"{described} has the attribute {shown(attribute.name)}, which the emulator does "
                "not have"
            )
        if attribute.type == AttributeProto.GRAPH:
            attributes[attribute.name] = _read_body(attribute.g, known)
        else:
            attributes[attribute.name] = _attribute(attribute, described)
    inputs = tuple(proto.input)
    if is_loop:
        body = attributes.get("body")
        given: tuple[object, object] = len(inputs), attributes.get("num_scan_inputs")
        if not isinstance(body, Body) or given != (len(body.inputs), len(body.inputs)):
            raise ModelError(
                f"{described} carries values from one run of its body to the next; the emulator "
                "has loops over elements only"
            )
        inputs += body.captured
    return Node(name, proto.op_type, inputs, tuple(proto.output), attributes)


def _read_body(graph: onnx.GraphProto, around: set[str]) -> Body:
    constants = _constants(graph)
    inputs = tuple(value.name for value in graph.input)
    outputs = tuple(value.name for value in graph.output)
    known = around | set(inputs) | set(constants)
    nodes = _read_nodes(graph.node, known)
    read = dict.fromkeys(name for node in nodes for name in node.inputs if name in around)
    captured = tuple(read)
    steps = plan(nodes, (*outputs, *constants, *captured))
    return Body(inputs, captured, outputs, constants, steps)


def _attribute(attribute: AttributeProto, node: str) -> Any:
    if attribute.type == AttributeProto.STRING:
        return attribute.s.decode(errors="replace")
    if attribute.type == AttributeProto.INT:
        return element_type(attribute.i, node) if attribute.name == _TYPE else attribute.i
    if attribute.type == AttributeProto.INTS:
        return tuple(attribute.ints)
    raise ModelError(
        f"{node}, attribute {shown(attribute.name)}, is of a kind that the emulator does not have"
    )


def _array(proto: onnx.TensorProto, where: str) -> Array:
    element = element_type(proto.data_type, where)
    try:
        return numpy_helper.to_array(proto).astype(element, copy=False)
    except (ValueError, TypeError) as error:
        raise ModelError(f"{where} cannot be read: {one_line(error)}") from error


def _value_type(value: onnx.ValueInfoProto) -> ValueSeen:
    tensor = value.type.tensor_type
    dtype = str(element_type(tensor.elem_type, f"{value.name!r}"))
    if not tensor.HasField("shape"):
        return ValueSeen(value.name, dtype, None)
    extents = (side.dim_value if side.HasField("dim_value") else None for side in tensor.shape.dim)
    return ValueSeen(value.name, dtype, tuple(extents))
