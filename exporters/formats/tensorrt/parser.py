"""TensorRT's ONNX parser: opened with all that has to outlive it, and the nodes it refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lama_edge.engines import Library
from lama_edge.errors import MissingBackendError, printable
from lama_edge.exporters.formats.tensorrt.messages import Messages, reason_in

# What the parser says of an operator that neither it nor a plugin knows.
_UNKNOWN_OPERATOR = "Plugin not found"
_MAX_REASON_CHARACTERS = 160
# The first one whose parser can be asked about a file.
_OLDEST_VERSION = (10, 1)


@dataclass(frozen=True)
class RefusedNode:
    """A node that the parser does not take.

    Attributes:
        index: its place in the graph.
        name: its name.
        operator: its ONNX operator.
        reason: what the parser says.
    """

    index: int
    name: str
    operator: str
    reason: str


@dataclass(frozen=True)
class Parser:
    """A parser, an empty network for it to fill, and what has to live as long as they.

    Attributes:
        library: whose they are.
        messages: what the library says.
        builder: the library's `Builder`.
        definition: the library's `INetworkDefinition`; it has to outlive the parser.
        parser: the library's `OnnxParser`.
    """

    library: Library
    messages: Messages
    builder: Any
    definition: Any
    parser: Any

    def refused_nodes(self) -> tuple[RefusedNode, ...]:
        """Return the nodes that the parser's errors name, in the graph's order."""
        errors = [self.parser.get_error(index) for index in range(self.parser.num_errors)]
        nodes = {
            error.node(): RefusedNode(
                int(error.node()),
                printable(error.node_name()),
                printable(error.node_operator()),
                _reason(error),
            )
            for error in errors
            if error.node_operator()
        }
        return tuple(sorted(nodes.values(), key=lambda node: node.index))


def open_parser(library: Library) -> Parser:
    """Open a parser for a strongly typed network: its element types stay as the file has them.

    Raises:
        MissingBackendError: when the library is too old, or finds no driver and needs one.
    """
    trt = library.module
    version = tuple(int(part) for part in library.version.split(".")[:2])
    if library.flavor == "tensorrt" and version < _OLDEST_VERSION:
        oldest = ".".join(map(str, _OLDEST_VERSION))
        raise MissingBackendError(f"{library.title} is too old: engines need {oldest} or later")
    messages = Messages(library)
    try:
        builder = trt.Builder(messages.logger)
        # Every network is strongly typed in TensorRT 11 and for RTX, where the flag does nothing.
        strongly_typed = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        definition = builder.create_network(strongly_typed)
        parser = trt.OnnxParser(definition, messages.logger)
    except (TypeError, RuntimeError) as error:
        # The bindings say no more than that a factory gave nothing.
        raise MissingBackendError(str(messages.failure("cannot start here"))) from error
    return Parser(library, messages, builder, definition, parser)


def _reason(error: Any) -> str:
    if _UNKNOWN_OPERATOR in error.desc():
        return f"this version has no operator {printable(error.node_operator())}"
    lines = [line for line in error.desc().splitlines() if not line.startswith("Invalid Node")]
    return reason_in(lines[0] if lines else error.desc())[:_MAX_REASON_CHARACTERS]
