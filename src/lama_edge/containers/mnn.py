"""MNN files: the manifest in them, the seal over them, and what MNN's library prints.

An MNN file is a FlatBuffers table, ``Net`` in MNN's ``schema/default/MNN.fbs``, of which two fields
are touched here. The manifest is its ``bizCode``, a text of the application's own that MNN's
interfaces give back. It stands behind what the converter wrote, and behind it stands the SHA-256 of
all before, since MNN goes by most of the numbers in a file without a look.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import mmap
import os
import re
import struct
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from lama_edge.errors import ModelError, reason

# Numbers of fields of the table Net.
_BIZ_CODE, _UUID = 0, 11
_UUID_BYTES = 36
_SEAL_BYTES = 64
_STDOUT = 1


def seal(path: Path, text: str) -> None:
    """Put a manifest into a file, in place of the one there; the same input gives the same bytes.

    Args:
        path: what MNN's converter wrote with some ``bizCode``, or a file that was sealed.
        text: the manifest.

    Raises:
        ModelError: when it is no such file.
    """
    data = bytearray(path.read_bytes())
    try:
        field = _field(data, _BIZ_CODE)
        if _is_sealed(data):
            del data[_text(data, field)[0] :]
        else:
            _name_by_content(data)
    except (struct.error, ValueError) as error:
        raise ModelError(f"{str(path)!r} is no MNN file ({reason(error)})") from error
    data += bytes(-len(data) % 4)
    struct.pack_into("<I", data, field, len(data) - field)
    encoded = text.encode()
    data += struct.pack("<I", len(encoded)) + encoded + b"\0"
    path.write_bytes(data + hashlib.sha256(data).hexdigest().encode())


def sealed_text(path: Path) -> str | None:
    """Return the manifest of a file that is as it was exported.

    Returns:
        The text; None when the file was not sealed.

    Raises:
        ModelError: when it cannot be read, or was changed since.
    """
    try:
        with path.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise ModelError(f"{str(path)!r} cannot be read: {reason(error)}") from error
    with data:
        if not _is_sealed(data):
            return None
        with memoryview(data) as view:
            digest = hashlib.sha256(view[:-_SEAL_BYTES]).hexdigest()
        if digest.encode() != data[-_SEAL_BYTES:]:
            raise ModelError(
                f"{str(path)!r} is damaged, or was changed since it was exported; export it again"
            )
        try:
            start, length = _text(data, _field(data, _BIZ_CODE))
            return data[start + 4 : start + 4 + length].decode()
        except (struct.error, ValueError) as error:
            raise ModelError(f"{str(path)!r} is no MNN file ({reason(error)})") from error


@contextlib.contextmanager
def quiet() -> Iterator[list[str]]:
    """Keep what MNN prints inside the block off standard output, which is for results.

    Yields:
        A list that has the lines once the block has ended.
    """
    lines: list[str] = []
    with contextlib.ExitStack() as stack:
        heard = stack.enter_context(tempfile.TemporaryFile())
        try:
            before = os.dup(_STDOUT)
        except OSError:  # a program without standard output
            yield lines
            return
        stack.callback(os.close, before)
        _flush()
        os.dup2(heard.fileno(), _STDOUT)
        try:
            yield lines
        finally:
            _flush()
            os.dup2(before, _STDOUT)
            heard.seek(0)
            lines += heard.read().decode(errors="replace").splitlines()


def _flush() -> None:
    """Write out what C's library holds back."""
    with contextlib.suppress(AttributeError, OSError, TypeError):  # a system with another one
        ctypes.CDLL(None).fflush(None)


def _is_sealed(data: bytearray | mmap.mmap) -> bool:
    return re.fullmatch(rb"[0-9a-f]{64}", data[-_SEAL_BYTES:]) is not None


def _name_by_content(data: bytearray) -> None:
    """Put in the place of a model's random name one that goes by what is in the file."""
    start, length = _text(data, _field(data, _UUID))
    place = slice(start + 4, start + 4 + _UUID_BYTES)
    if length != _UUID_BYTES:
        raise ValueError("its mnn_uuid is no UUID")
    data[place] = bytes(_UUID_BYTES)
    digest = hashlib.sha256(data).hexdigest()
    data[place] = str(uuid.uuid5(uuid.NAMESPACE_URL, f"lama-edge/{digest}")).encode()


def _field(data: bytearray | mmap.mmap, number: int) -> int:
    """Return where the root table has a field; see FlatBuffers' own page on its binary format.

    Raises:
        ValueError or struct.error: when it has none, or the file is none of FlatBuffers.
    """
    (table,) = struct.unpack_from("<I", data)
    (back,) = struct.unpack_from("<i", data, table)
    entry = table - back + 4 + 2 * number
    (size,) = struct.unpack_from("<H", data, table - back)
    (within,) = struct.unpack_from("<H", data, entry)
    if entry >= table - back + size or within == 0:
        raise ValueError(f"it has no field {number}")
    return int(table + within)


def _text(data: bytearray | mmap.mmap, field: int) -> tuple[int, int]:
    """Return where a field's text begins, with its length, and how long it is."""
    (away,) = struct.unpack_from("<I", data, field)
    (length,) = struct.unpack_from("<I", data, field + away)
    return int(field + away), int(length)
