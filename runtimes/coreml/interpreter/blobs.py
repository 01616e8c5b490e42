"""Reads weights from MIL blob storage, the format of a package's ``weights/weight.bin``.

A 64-byte header with the version, then for each blob a 64-byte record, at the offset that the
program names, that says type, length and place of its bytes; all little-endian. Documented in
coremltools' mlmodel/src/MILBlob/Blob/StorageFormat.hpp and BlobDataType.hpp.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import ModelError
from lama_edge.runtimes.coreml.interpreter.elements import Element

_HEADER = struct.Struct("<II")
_RECORD = struct.Struct("<IIQQQ")
_ENTRY_BYTES = 64
_VERSION = 2
_SENTINEL = 0xDEADBEEF
_CODES = {
    1: "fp16",
    2: "fp32",
    3: "uint8",
    4: "int8",
    11: "uint4",
    13: "uint6",
    14: "int32",
    15: "uint32",
}


class BlobFile:
    """A file of weights; its content is read piece by piece and never mapped into memory."""

    def __init__(self, path: Path) -> None:
        """Open a file.

        Raises:
            ModelError: when it is missing or no blob storage.
        """
        self._name = path.name
        try:
            self._file = path.open("rb")
            self._size_bytes = path.stat().st_size
        except OSError as error:
            raise ModelError(
                f"the weights {path.name!r} cannot be opened: {error.strerror}; copy the package "
                "again, or export it again"
            ) from error
        if self._size_bytes < _ENTRY_BYTES:
            raise ModelError(f"the weights {path.name!r} end before their header does")
        _, version = _HEADER.unpack(self._read(0, _HEADER.size))
        if version != _VERSION:
            raise ModelError(
                f"the weights {path.name!r} are of version {version}; the interpreter reads "
                f"{_VERSION}"
            )

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read(self, offset: int, element: Element, count: int) -> bytes:
        """Return a blob's bytes.

        Args:
            offset: where its record lies, in bytes.
            element: the type that the program declares.
            count: how many elements the program declares.

        Raises:
            ModelError: when there is no such record, the blob is of another type or length, or
                it reaches beyond the file.
        """
        where = f"the blob at offset {offset} of the weights {self._name!r}"
        if offset + _ENTRY_BYTES > self._size_bytes:
            raise ModelError(f"{where} lies beyond their end, {self._size_bytes} bytes")
        sentinel, code, size_bytes, start, _ = _RECORD.unpack(self._read(offset, _RECORD.size))
        if sentinel != _SENTINEL:
            raise ModelError(f"{where} is none: there is no record of one")
        stored = _CODES.get(code, f"type {code}")
        if stored != element.name:
            raise ModelError(f"{where} holds {stored}, the program declares {element.name}")
        wanted_bytes = -(-count * element.bits // 8)
        if size_bytes != wanted_bytes:
            raise ModelError(f"{where} has {size_bytes} bytes, the program wants {wanted_bytes}")
        if start + size_bytes > self._size_bytes:
            raise ModelError(f"{where} reaches beyond their end, {self._size_bytes} bytes")
        return self._read(start, size_bytes)

    def _read(self, start: int, size_bytes: int) -> bytes:
        self._file.seek(start)
        content = self._file.read(size_bytes)
        if len(content) != size_bytes:
            raise ModelError(f"the weights {self._name!r} became shorter while they were read")
        return content


def unpack_bits(packed: NDArray[np.uint8], bits: int, count: int) -> NDArray[np.uint8]:
    """Spread elements of less than a byte, which are packed from the lowest bit on.

    As documented for ``constexpr_lut_to_dense`` (MIL ops, iOS16.constexpr_ops).

    Args:
        packed: the bytes that `count` elements take.
        bits: of an element, 1 to 8.
        count: how many elements to give.

    Returns:
        One element a byte, [count].
    """
    spread = np.unpackbits(packed, count=count * bits, bitorder="little").reshape(count, bits)
    return np.packbits(spread, axis=1, bitorder="little")[:, 0]
