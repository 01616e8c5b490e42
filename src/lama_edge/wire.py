"""ONNX files as they are stored, without the onnx package: their fields, and what they compute.

An ONNX file is a tree of Protocol Buffers messages: runs of fields, each a number with a type and
a payload (https://protobuf.dev/programming-guides/encoding).
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lama_edge.errors import ModelError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_FIXED_BYTES = {FIXED64: 8, FIXED32: 4}
# Of a ModelProto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
MODEL_GRAPH, MODEL_OPSETS, MODEL_METADATA, MODEL_FUNCTIONS = 7, 8, 14, 25


@dataclass(frozen=True)
class Field:
    """A field in the file: its number, where all of it starts, its payload, where it ends.

    `value` is the number itself where the field is a number; its payload is empty then.
    """

    number: int
    start: int
    payload: int
    end: int
    value: int


def fields(data: bytes | mmap.mmap, position: int, end: int) -> Iterator[Field]:
    """Walk over the fields of the message between two positions.

    Raises:
        ValueError, IndexError or KeyError: when it is damaged.
    """
    while position < end:
        start = position
        tag, position = _varint(data, position)
        number, kind = tag >> 3, tag & 7
        value, payload = 0, position
        if kind == VARINT:
            value, position = _varint(data, position)
            payload = position
        elif kind == BYTES:
            length, payload = _varint(data, position)
            position = payload + length
        else:
            position += _FIXED_BYTES[kind]
        if position > end:
            raise ValueError("a field is longer than the message it belongs to")
        yield Field(number, start, payload, position, value)


def map_file(path: Path) -> mmap.mmap:
    """Map a file.

    Raises:
        ModelError: when it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise ModelError(f"{str(path)!r} cannot be read: {error}") from error


def damaged(path: Path) -> ModelError:
    """Return the error for a file whose fields cannot be walked over."""
    return ModelError(f"{str(path)!r} is damaged, or no ONNX file; export it again")


def graph_sha256(model: bytes | mmap.mmap) -> str:
    """Hash what an ONNX model computes: graph and weights, opsets and functions as stored.

    Metadata, and who wrote the file, do not count. Another writer may store the same graph in
    other bytes.

    Returns:
        SHA-256 as lower-case hexadecimal.

    Raises:
        ValueError, IndexError or KeyError: when the model is damaged.
    """
    counted = (MODEL_GRAPH, MODEL_OPSETS, MODEL_FUNCTIONS)
    digest = hashlib.sha256()
    found = [field for field in fields(model, 0, len(model)) if field.number in counted]
    with memoryview(model) as view:
        for field in sorted(found, key=lambda field: field.number):
            digest.update(b"%d %d " % (field.number, field.end - field.payload))
            digest.update(view[field.payload : field.end])
    return digest.hexdigest()


def graph_sha256_of(path: Path) -> str:
    """Hash what an ONNX file computes, see `graph_sha256`.

    Raises:
        ModelError: when it cannot be read, or is damaged.
    """
    with map_file(path) as data:
        try:
            return graph_sha256(data)
        except (IndexError, ValueError, KeyError) as error:
            raise damaged(path) from error


def _varint(data: bytes | mmap.mmap, position: int) -> tuple[int, int]:
    """Read a number of 7 bits to a byte, the lowest first; return it and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("a number is longer than ten bytes")
