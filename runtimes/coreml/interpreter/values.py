"""Decodes the constants of ML programs: those written in the program, and those in a blob file."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from lama_edge.errors import ModelError, shown
from lama_edge.runtimes.base import Array
from lama_edge.runtimes.coreml.interpreter.blobs import BlobFile, unpack_bits
from lama_edge.runtimes.coreml.interpreter.elements import STRING, Element, TensorType, read_type

# How a program writes the folder that its specification lies in.
_MODEL_FOLDER = "@model_path"
# Where a program writes elements in place, unless as bytes.
_FIELDS = {"fp32": "floats", "int32": "ints", "bool": "bools"}


@dataclass
class Blobs:
    """The blob files of a package, opened when the first constant is read from them.

    Attributes:
        folder: where the specification lies, to which file names are relative.
    """

    folder: Path
    _files: dict[str, BlobFile] = field(default_factory=dict)
    _read: dict[tuple[str, int, Element, int], Array] = field(default_factory=dict)

    def read(self, name: str, offset: int, element: Element, count: int) -> Array:
        """Return a blob's elements, [count]; those that are read twice share their memory.

        Raises:
            ModelError: when the file lies outside the package, or see `BlobFile`.
        """
        key = (name, offset, element, count)
        if key not in self._read:
            if name not in self._files:
                self._files[name] = BlobFile(self._path(name))
            content = self._files[name].read(offset, element, count)
            self._read[key] = _decoded(content, element, count)
        return self._read[key]

    def close(self) -> None:
        """Close the files and forget their content."""
        for file in self._files.values():
            file.close()
        self._files.clear()
        self._read.clear()

    def _path(self, name: str) -> Path:
        parts = PurePosixPath(name).parts
        inside = len(parts) > 1 and parts[0] == _MODEL_FOLDER and ".." not in parts
        if not inside or "\0" in name:
            raise ModelError(f"the program names the weights {shown(name)}, outside the package")
        path = self.folder.joinpath(*parts[1:])
        if not path.resolve().is_relative_to(self.folder.resolve()):
            raise ModelError(f"the weights {shown(name)} are a link out of the package")
        return path


def read_constant(proto: Any, blobs: Blobs, where: str) -> tuple[TensorType, Array | str]:
    """Read a ``Value`` message.

    Args:
        proto: the message.
        blobs: the package's weights.
        where: names the constant, for messages.

    Returns:
        Its type, and its elements or its text.

    Raises:
        ModelError: when it cannot be read, or is not what it declares.
    """
    declared = read_type(proto.type, where)
    if None in declared.shape:
        raise ModelError(f"{where} is a constant of open shape")
    sides = [side or 0 for side in declared.shape]
    element, count = declared.element, math.prod(sides)
    if proto.WhichOneof("value") == "blobFileValue":
        blob = proto.blobFileValue
        flat = blobs.read(blob.fileName, blob.offset, element, count)
        return declared, flat.reshape(sides)
    tensor = proto.immediateValue.tensor
    held = tensor.WhichOneof("value")
    if element is STRING:
        return declared, _text(tensor, where)
    if held is None or held not in ("bytes", _FIELDS.get(element.name)):
        raise ModelError(f"{where} declares {element.name} and holds {held or 'nothing'}")
    content = getattr(tensor, held).values
    wanted = -(-count * element.bits // 8) if held == "bytes" else count
    if len(content) != wanted:
        what = "bytes" if held == "bytes" else "elements"
        raise ModelError(f"{where} holds {len(content)} {what}; its type wants {wanted}")
    if held == "bytes":
        return declared, _decoded(content, element, count).reshape(sides)
    return declared, np.array(content, element.storage).reshape(sides)


def _text(tensor: Any, where: str) -> str:
    texts = list(tensor.strings.values)
    if len(texts) != 1:
        raise ModelError(f"{where} holds {len(texts)} texts; the interpreter has single ones only")
    return str(texts[0])


def _decoded(content: bytes, element: Element, count: int) -> Array:
    """Return the elements that bytes hold, [count]."""
    if element.bits < 8:
        packed = np.frombuffer(content, np.uint8)
        return unpack_bits(packed, element.bits, count)
    stored = np.dtype(element.name.replace("fp", "float")).newbyteorder("<")
    return np.frombuffer(content, stored).astype(element.storage, copy=False)
