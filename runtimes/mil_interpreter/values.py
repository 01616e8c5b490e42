"""Decodes the constants of ML programs: those written in the program, and those in a blob file."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from lama_edge.errors import ModelError, needs_extra, shown
from lama_edge.runtimes.mil_interpreter.blobs import BlobFile, unpack_bits
from lama_edge.runtimes.mil_interpreter.elements import STRING, Element, TensorType, read_type

with needs_extra("coreml"):
    import torch

# How a program writes the folder that its specification lies in.
_MODEL_FOLDER = "@model_path"
_FIELDS = {"floats": np.float32, "ints": np.int64, "longInts": np.int64, "bools": np.bool_}


@dataclass(frozen=True)
class Constant:
    """A constant of a program.

    Attributes:
        type: its type.
        value: its elements, or its text.
    """

    type: TensorType
    value: torch.Tensor | str


@dataclass
class Blobs:
    """The blob files of a package, opened when the first constant is read from them.

    Attributes:
        folder: where the specification lies, to which file names are relative.
    """

    folder: Path
    _files: dict[str, BlobFile] = field(default_factory=dict)
    _read: dict[tuple[str, int, Element, int], torch.Tensor] = field(default_factory=dict)

    def read(self, name: str, offset: int, element: Element, count: int) -> torch.Tensor:
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
        if len(parts) < 2 or parts[0] != _MODEL_FOLDER or ".." in parts:
            raise ModelError(f"the program names the weights {shown(name)}, outside the package")
        path = self.folder.joinpath(*parts[1:])
        if not path.resolve().is_relative_to(self.folder.resolve()):
            raise ModelError(f"the weights {shown(name)} are a link out of the package")
        return path


def read_constant(proto: Any, blobs: Blobs, where: str) -> Constant:
    """Read a ``Value`` message.

    Args:
        proto: the message.
        blobs: the package's weights.
        where: names the constant, for messages.

    Raises:
        ModelError: when it cannot be read, or is not what it declares.
    """
    declared = read_type(proto.type, where)
    shape = declared.shape
    if shape is None or None in shape:
        raise ModelError(f"{where} is a constant of open shape")
    sides = [side or 0 for side in shape]
    if proto.WhichOneof("value") == "blobFileValue":
        blob = proto.blobFileValue
        flat = blobs.read(blob.fileName, blob.offset, declared.element, math.prod(sides))
        return Constant(declared, flat.reshape(sides))
    kind = proto.immediateValue.WhichOneof("value")
    if kind != "tensor":
        raise ModelError(f"{where} holds {kind or 'nothing'}; the interpreter has tensors only")
    held = proto.immediateValue.tensor.WhichOneof("value")
    if declared.element is STRING:
        return Constant(declared, _text(proto.immediateValue.tensor, where))
    if held not in (*_FIELDS, "bytes"):
        raise ModelError(f"{where} declares {declared.element.name} and holds {held or 'nothing'}")
    content = getattr(proto.immediateValue.tensor, held).values
    return Constant(declared, _immediate(held, content, declared, where).reshape(sides))


def _text(tensor: Any, where: str) -> str:
    texts = list(tensor.strings.values)
    if len(texts) != 1:
        raise ModelError(f"{where} holds {len(texts)} texts; the interpreter has single ones only")
    return str(texts[0])


def _immediate(held: str, content: Any, declared: TensorType, where: str) -> torch.Tensor:
    """Return the elements of a constant written in the program, [count]."""
    element, count = declared.element, math.prod(side or 0 for side in declared.shape or ())
    if held == "bytes":
        wanted = -(-count * element.bits // 8)
        if len(content) != wanted:
            raise ModelError(f"{where} holds {len(content)} bytes; its type wants {wanted}")
        return _decoded(content, element, count)
    if len(content) != count:
        raise ModelError(f"{where} holds {len(content)} elements; its type wants {count}")
    elements = torch.from_numpy(np.array(content, _FIELDS[held]))
    stored = elements.to(element.storage)
    if not torch.equal(stored.to(elements.dtype), elements) and not _has_nan(elements):
        raise ModelError(f"{where} holds {held} that are no {element.name}")
    return stored


def _has_nan(elements: torch.Tensor) -> bool:
    return elements.is_floating_point() and bool(elements.isnan().any())


def _decoded(content: bytes, element: Element, count: int) -> torch.Tensor:
    """Return the elements that bytes hold, [count]."""
    if element.bits < 8:
        signed = element.name.startswith("int")
        return torch.from_numpy(unpack_bits(content, element.bits, count, signed=signed))
    stored = np.dtype(element.name.replace("fp", "float")).newbyteorder("<")
    return torch.from_numpy(np.frombuffer(content, stored).astype(_native(element)))


def _native(element: Element) -> np.dtype[Any]:
    return np.dtype(str(element.storage).removeprefix("torch."))
