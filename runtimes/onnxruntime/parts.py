"""Cuts parts out of an ONNX file by the names of its values, without the onnx package.

A part consists of some of the graph's nodes and tensors as they are, byte for byte, between new
inputs and outputs; so only the names have to be read, and of a large file no more is held in
memory than what a part takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from lama_edge.errors import ModelError
from lama_edge.manifest import METADATA_KEY, Manifest
from lama_edge.wire import (
    BYTES,
    MODEL_GRAPH,
    MODEL_METADATA,
    Field,
    damaged,
    fields,
    map_file,
)

# Field numbers of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
_GRAPH_NODE, _GRAPH_NAME, _GRAPH_INITIALIZER = 1, 2, 5
_GRAPH_INPUT, _GRAPH_OUTPUT, _GRAPH_VALUE_INFO = 11, 12, 13
_NODE_INPUT, _NODE_OUTPUT, _NODE_ATTRIBUTE = 1, 2, 5
_ATTRIBUTE_GRAPH = 6
_TENSOR_NAME, _TENSOR_EXTERNAL_DATA = 8, 13
_VALUE_NAME, _VALUE_TYPE = 1, 2
_TYPE_TENSOR = 1
_TENSOR_TYPE_ELEMENT, _TENSOR_TYPE_SHAPE = 1, 2
_SHAPE_DIMENSION = 1
_ENTRY_KEY, _ENTRY_VALUE = 1, 2


@dataclass(frozen=True)
class _Node:
    field: Field
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class OnnxParts:
    """An ONNX file whose parts can be taken out; release it with `close`.

    Attributes:
        metadata: the file's metadata entries.
        external_files: names of the files beside it that hold values of its tensors.
    """

    def __init__(self, path: Path) -> None:
        """Map the file and read its names.

        Args:
            path: an ``.onnx`` file; only one with its tensors inside can be cut.

        Raises:
            ModelError: when it cannot be read, or is no ONNX file.
        """
        self._data = map_file(path)
        try:
            self._read()
        except (IndexError, ValueError, KeyError, RecursionError) as error:
            self._data.close()
            raise damaged(path) from error

    def _read(self) -> None:
        """Index the graph's nodes, tensors and value types by name."""
        model = list(fields(self._data, 0, len(self._data)))
        self.metadata = dict(
            self._entry(field) for field in model if field.number == MODEL_METADATA
        )
        self._header = [f for f in model if f.number not in (MODEL_GRAPH, MODEL_METADATA)]
        self._nodes: list[_Node] = []
        self._tensors: dict[str, Field] = {}
        self._types: dict[str, Field] = {}
        self.external_files: set[str] = set()
        (graph,) = (field for field in model if field.number == MODEL_GRAPH)
        for field in fields(self._data, graph.payload, graph.end):
            if field.number == _GRAPH_NODE:
                self._nodes.append(
                    _Node(field, self._reads(field), self._texts(field, _NODE_OUTPUT))
                )
            elif field.number == _GRAPH_INITIALIZER:
                self._tensors[self._texts(field, _TENSOR_NAME)[0]] = field
                self.external_files.update(self._external_files(field))
            elif field.number in (_GRAPH_INPUT, _GRAPH_OUTPUT, _GRAPH_VALUE_INFO):
                self._types[self._texts(field, _VALUE_NAME)[0]] = field
        self._producers = {
            name: index for index, node in enumerate(self._nodes) for name in node.outputs
        }

    def close(self) -> None:
        """Release the file; calling it again does nothing."""
        self._data.close()

    def cut(self, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
        """Return the part of the graph between some of its values as an ONNX model.

        Args:
            inputs: values that the part takes; their extents are left open.
            outputs: values that it gives.

        Returns:
            The model's bytes, with all nodes and tensors that lead to the outputs, and only
            those of `inputs` that matter to them.

        Raises:
            ModelError: when the graph has no such value, or the outputs need other inputs.
        """
        nodes, names = self._walk_back(set(inputs), outputs)
        graph = [self._copy(self._nodes[index].field) for index in sorted(nodes)]
        graph.append(_message(_GRAPH_NAME, b"part"))
        graph += [self._copy(self._tensors[name]) for name in sorted(names & set(self._tensors))]
        graph += [self._value(_GRAPH_INPUT, name) for name in inputs if name in names]
        graph += [self._value(_GRAPH_OUTPUT, name) for name in outputs]
        header = [self._copy(field) for field in self._header]
        size = sum(map(len, graph))
        return b"".join([*header, _prefix(MODEL_GRAPH, size), *graph])

    def _walk_back(self, inputs: set[str], outputs: Sequence[str]) -> tuple[set[int], set[str]]:
        """Return the indices of the nodes that lead to the outputs, and all names they read."""
        nodes: set[int] = set()
        names: set[str] = set()
        waiting = list(outputs)
        while waiting:
            name = waiting.pop()
            if name in names or not name:
                continue
            names.add(name)
            if name in inputs or name in self._tensors:
                continue
            if name not in self._producers:
                raise ModelError(
                    f"the graph's part that gives {', '.join(outputs)} needs {name!r}, which is "
                    "not among its inputs; export the model again"
                )
            nodes.add(self._producers[name])
            waiting += self._nodes[self._producers[name]].inputs
        return nodes, names

    def _reads(self, node: Field) -> tuple[str, ...]:
        """Return what a node reads: its inputs, and what the body of a loop takes from around."""
        names = list(self._texts(node, _NODE_INPUT))
        for attribute in self._inside(node):
            if attribute.number == _NODE_ATTRIBUTE:
                for field in self._inside(attribute):
                    if field.number == _ATTRIBUTE_GRAPH:
                        names += self._reads_from_around(field)
        return tuple(names)

    def _reads_from_around(self, body: Field) -> list[str]:
        """Return what a loop's body reads but neither takes nor makes."""
        read: dict[str, None] = {}
        own: set[str] = set()
        for field in self._inside(body):
            if field.number == _GRAPH_NODE:
                read.update(dict.fromkeys(self._reads(field)))
                own.update(self._texts(field, _NODE_OUTPUT))
            elif field.number == _GRAPH_INPUT:
                own.update(self._texts(field, _VALUE_NAME))
            elif field.number == _GRAPH_INITIALIZER:
                own.update(self._texts(field, _TENSOR_NAME))
        return [name for name in read if name not in own]

    def _copy(self, field: Field) -> bytes:
        return self._data[field.start : field.end]

    def _value(self, number: int, name: str) -> bytes:
        try:
            kind = _message(_VALUE_TYPE, self._open_type(self._types[name]))
        except (IndexError, ValueError, KeyError) as error:
            raise ModelError(
                f"the graph has no value {name!r} of known type; export it again"
            ) from error
        return _message(number, _message(_VALUE_NAME, name.encode()) + kind)

    def _open_type(self, value: Field) -> bytes:
        """Return a value's type with as many dimensions, all of them open.

        A piece has other extents than the whole, and symbolic ones would claim that values cut
        to different sizes are equally large.
        """
        (kind,) = (f for f in self._inside(value) if f.number == _VALUE_TYPE)
        (tensor,) = (f for f in self._inside(kind) if f.number == _TYPE_TENSOR)
        content = b""
        for field in self._inside(tensor):
            if field.number == _TENSOR_TYPE_ELEMENT:
                content += self._copy(field)
            elif field.number == _TENSOR_TYPE_SHAPE:
                rank = sum(f.number == _SHAPE_DIMENSION for f in self._inside(field))
                content += _message(_TENSOR_TYPE_SHAPE, _message(_SHAPE_DIMENSION, b"") * rank)
        return _message(_TYPE_TENSOR, content)

    def _external_files(self, tensor: Field) -> Iterator[str]:
        for field in self._inside(tensor):
            if field.number == _TENSOR_EXTERNAL_DATA:
                key, value = self._entry(field)
                if key == "location":
                    yield value

    def _entry(self, field: Field) -> tuple[str, str]:
        return self._texts(field, _ENTRY_KEY)[0], "".join(self._texts(field, _ENTRY_VALUE))

    def _texts(self, message: Field, number: int) -> tuple[str, ...]:
        return tuple(
            self._data[field.payload : field.end].decode()
            for field in self._inside(message)
            if field.number == number
        )

    def _inside(self, message: Field) -> Iterator[Field]:
        return fields(self._data, message.payload, message.end)


def _message(number: int, content: bytes) -> bytes:
    return _prefix(number, len(content)) + content


def _prefix(number: int, length: int) -> bytes:
    """Return what comes before the `length` bytes of a field's payload."""
    return bytes(_to_varint(number << 3 | BYTES)) + bytes(_to_varint(length))


def _to_varint(value: int) -> Iterable[int]:
    while value >= 0x80:
        yield value & 0x7F | 0x80
        value >>= 7
    yield value


def read_manifest_of(model: Path) -> Manifest | None:
    """Read a file's manifest without opening it in a runtime; None when it has none.

    Raises:
        ModelError: when the file cannot be read, or its manifest cannot.
    """
    with closing(OnnxParts(model)) as parts:
        text = parts.metadata.get(METADATA_KEY)
    return None if text is None else Manifest.from_json(text)
