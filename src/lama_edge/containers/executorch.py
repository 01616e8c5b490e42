"""What lies where in a ``.pte`` file: the manifest and the seal, as methods that return a text.

ExecuTorch's files have no place for metadata, but methods without inputs that return a constant,
which apps call as they call the model. Both texts keep their length, so that they can be replaced
where they stand: the manifest has spaces behind it, and the seal is the SHA-256 of the file with
zeros in the digest's place.

A file begins with a flatbuffer, the program, whose header says how long it is; the segments with
the weights follow (``schema/extended_header.h`` in pytorch/executorch).
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path

from lama_edge.errors import ModelError, reading

MANIFEST_METHOD = "lama_edge"
SEAL_METHOD = "lama_edge_sha256"

# Flatbuffer's offset and identifier, the extended header's mark and length, the program's size.
_HEADER = struct.Struct("<4x4s4s4xQ")
_MARKS = (b"ET12", b"eh00")
# Every manifest begins so, since its keys are sorted; no other text in a file does.
_MANIFEST = b'{"dft":'
_SEAL = b"sha256:"
_DIGITS = 64
# For the figures of parity and what else is known after the file is written.
_ROOM = 2048
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class _Layout:
    """Where the texts are.

    Attributes:
        program: the flatbuffer.
        manifest: where the manifest begins and ends, spaces and all; None where there is none.
        digest: where the seal's digest begins; None where there is none.
    """

    program: bytes
    manifest: tuple[int, int] | None
    digest: int | None


def texts_to_fill(manifest: str) -> dict[str, str]:
    """Return, by method, what a file is written with for `write_manifest` to replace.

    Args:
        manifest: about as long as the one that is going to stand there.
    """
    room = len(manifest.encode()) + _ROOM
    return {
        MANIFEST_METHOD: _MANIFEST.decode().ljust(room),
        SEAL_METHOD: _SEAL.decode() + "0" * _DIGITS,
    }


def write_manifest(path: Path, manifest: str) -> None:
    """Put a manifest into a file that was written with `texts_to_fill`, and seal it.

    Raises:
        ModelError: when the file has no place for it.
    """
    layout = _layout_of(path)
    text = manifest.encode()
    if layout.manifest is None or layout.digest is None:
        raise ModelError(f"{str(path)!r} has no place for a manifest; export it again")
    start, end = layout.manifest
    if len(text) > end - start:
        raise ModelError(
            f"{str(path)!r} has {end - start} bytes for its manifest, which has {len(text)}"
        )
    with path.open("r+b") as file:
        file.seek(start)
        file.write(text.ljust(end - start))
    digest = _digest_of(path, layout.digest)
    with path.open("r+b") as file:
        file.seek(layout.digest)
        file.write(digest)


def read_manifest_text(path: Path) -> str | None:
    """Return the manifest's text from a file, or None when it has none; without ExecuTorch.

    Raises:
        ModelError: when the file is not whole, was changed since export, or is no ``.pte``.
    """
    layout = _layout_of(path)
    if layout.manifest is None:
        return None
    at = layout.digest
    if at is None or layout.program[at : at + _DIGITS] != _digest_of(path, at):
        raise ModelError(
            f"{str(path)!r} is damaged, or was changed since its export: export it again"
        )
    start, end = layout.manifest
    with reading("manifest"):
        return layout.program[start:end].rstrip().decode()


def _layout_of(path: Path) -> _Layout:
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER.size)
            if len(head) < _HEADER.size:
                raise ModelError(f"{str(path)!r} is no ExecuTorch program: it is too short")
            *marks, size = _HEADER.unpack(head)
            if tuple(marks) != _MARKS:
                raise ModelError(
                    f"{str(path)!r} is no ExecuTorch program of a version known here: it begins "
                    f"with {marks[0]!r}, {marks[1]!r}"
                )
            if size > path.stat().st_size:
                raise ModelError(f"{str(path)!r} is not whole: get or export it again")
            file.seek(0)
            program = file.read(size)
    except OSError as error:
        raise ModelError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    manifest, seal = _text_at(program, _MANIFEST), _text_at(program, _SEAL)
    whole = seal is not None and seal[1] - seal[0] == len(_SEAL) + _DIGITS
    return _Layout(program, manifest, seal[0] + len(_SEAL) if seal and whole else None)


def _text_at(program: bytes, beginning: bytes) -> tuple[int, int] | None:
    """Return where a text of the flatbuffer begins and ends, whose length stands before it."""
    start = program.find(beginning, 4)
    if start < 0:
        return None
    (length,) = struct.unpack_from("<I", program, start - 4)
    end = start + length
    return (start, end) if program[end : end + 1] == b"\0" else None


def _digest_of(path: Path, place: int) -> bytes:
    """Return the file's SHA-256 in hexadecimal, with zeros at a place for one."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        digest.update(file.read(place))
        digest.update(b"0" * _DIGITS)
        file.seek(place + _DIGITS)
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest().encode()
