"""Manifests and seals in ``.pte`` files, told by bytes alone: ExecuTorch is not needed."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from lama_edge.containers.executorch import (
    MANIFEST_METHOD,
    SEAL_METHOD,
    read_manifest_text,
    texts_to_fill,
    write_manifest,
)
from lama_edge.errors import ModelError

MANIFEST = '{"dft":"matmul","precision":"fp32"}'
WEIGHTS = bytes(range(256)) * 40


def _text(words: str) -> bytes:
    """A text as flatbuffers have it: its length before it, a zero behind it."""
    raw = words.encode()
    return struct.pack("<I", len(raw)) + raw + bytes(4 - len(raw) % 4)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A file with the header, the texts and the weights where ExecuTorch has them."""
    texts = texts_to_fill(MANIFEST)
    flatbuffer = b"".join(_text(texts[name]) for name in (MANIFEST_METHOD, SEAL_METHOD))
    size = 32 + len(flatbuffer)
    head = struct.pack("<I4s4sIQQ", 8, b"ET12", b"eh00", 24, size, size)
    path = tmp_path / "a.pte"
    path.write_bytes(head + flatbuffer + WEIGHTS)
    write_manifest(path, MANIFEST)
    return path


def test_a_manifest_is_read_as_it_was_written(program: Path) -> None:
    assert read_manifest_text(program) == MANIFEST


def test_another_manifest_takes_its_place_and_moves_nothing(program: Path) -> None:
    before = program.read_bytes()
    longer = MANIFEST.replace("fp32", "é" * 500)
    write_manifest(program, longer)
    assert read_manifest_text(program) == longer
    assert program.stat().st_size == len(before)
    write_manifest(program, MANIFEST)
    assert program.read_bytes() == before


def test_one_that_is_too_long_changes_nothing(program: Path) -> None:
    before = program.read_bytes()
    with pytest.raises(ModelError, match=r"has \d+ bytes for its manifest, which has \d+"):
        write_manifest(program, MANIFEST.replace("fp32", "9" * 5000))
    assert program.read_bytes() == before


def _flipped(at: float) -> Callable[[bytes], bytes]:
    def flip(content: bytes) -> bytes:
        place = int(at * len(content))
        return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]

    return flip


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "the header alone": lambda content: content[:32],
    "another format": lambda content: b"TFL3" * 100,
    "another version": lambda content: content.replace(b"ET12", b"ET99", 1),
    "cut short": lambda content: content[:-1],
    "longer": lambda content: content + b"\0",
    "a bit of the manifest": lambda content: content.replace(b"matmul", b"matmum", 1),
    "a bit of the weights": _flipped(0.9),
    "a digit of the seal": lambda content: _with_another_digit(content),
    "a page of zeros": lambda content: content[:-4096] + bytes(4096),
    "a program beyond the end": lambda content: (
        content[:16] + struct.pack("<Q", 1 << 40) + content[24:]
    ),
}


def _with_another_digit(content: bytes) -> bytes:
    place = content.index(b"sha256:") + 7
    return (
        content[:place]
        + (b"1" if content[place : place + 1] == b"0" else b"0")
        + content[place + 1 :]
    )


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found(program: Path, damage: str) -> None:
    program.write_bytes(DAMAGES[damage](program.read_bytes()))
    with pytest.raises(ModelError, match=r"a\.pte"):
        read_manifest_text(program)


def test_a_file_of_somebody_elses_has_none(tmp_path: Path) -> None:
    path = tmp_path / "a.pte"
    path.write_bytes(struct.pack("<I4s4sIQQ", 8, b"ET12", b"eh00", 24, 40, 40) + bytes(8))
    assert read_manifest_text(path) is None
    with pytest.raises(ModelError, match="has no place for a manifest"):
        write_manifest(path, MANIFEST)


def test_a_manifest_that_is_no_text_is_refused(program: Path) -> None:
    content = program.read_bytes()
    place = content.index(b"sha256:") + len(b"sha256:")
    content = content.replace(b"matmul", b"\xff" * 6, 1)
    blank = content[:place] + b"0" * 64 + content[place + 64 :]
    sealed = hashlib.sha256(blank).hexdigest().encode()
    program.write_bytes(blank[:place] + sealed + blank[place + 64 :])
    with pytest.raises(ModelError, match="manifest cannot be read"):
        read_manifest_text(program)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        read_manifest_text(tmp_path)
