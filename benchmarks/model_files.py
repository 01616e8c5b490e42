"""What documents say of a model: the files it is made of, their size and hash, its manifest."""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lama_edge.errors import ModelError
from lama_edge.files import sha256_of, split_part
from lama_edge.manifest import Manifest
from lama_edge.models.checkpoint import EMBEDDED_NAME, is_zoo_name
from lama_edge.models.zoo import required_path, zoo_entry
from lama_edge.runtimes.base import runtimes_of

# Field numbers of onnx.proto: the way from a model to the file names of its large tensors.
_GRAPH, _INITIALIZER, _EXTERNAL_DATA, _KEY, _VALUE = 7, 5, 13, 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def located(model: str | Path) -> Path:
    """Return where a model lies: its path without the part, or that of a name in the zoo.

    Raises:
        ModelError: when nothing is there.
        CheckpointError: when the zoo's file was not fetched.
    """
    path, _ = split_part(model)
    if is_zoo_name(path):
        return required_path(zoo_entry(str(path)))
    if not path.exists():
        raise ModelError(
            f"the model {str(path)!r} does not exist; give an exported model, a checkpoint or a "
            f"name such as {EMBEDDED_NAME} from: lama-edge models list"
        )
    return path


def model_files(path: Path) -> list[Path]:
    """Return the files that make up a model: those of its folder, or it and its external data."""
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file())
    if path.suffix.lower() != ".onnx":
        return [path]
    beside = sorted(path.parent / name for name in _external_data(path))
    return [path, *(file for file in beside if file.is_file())]


def model_size_bytes(path: Path) -> int:
    """Return the size of all of a model's files."""
    return sum(file.stat().st_size for file in model_files(path))


def model_sha256(path: Path) -> str:
    """Return a model's hash: its file's, or that of the list of its files.

    The list has a line ``HASH  NAME`` for each file, as ``sha256sum`` prints it, with names
    relative to the model's folder.
    """
    files = model_files(path)
    if files == [path]:
        return sha256_of(path)
    folder = path if path.is_dir() else path.parent
    lines = (f"{sha256_of(file)}  {file.relative_to(folder).as_posix()}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _external_data(path: Path) -> set[str]:
    """Return the file names that an ONNX file's weights refer to.

    Read from the encoding itself, since the onnx package is not there where models only run.
    """
    names: set[str] = set()
    with path.open("rb") as file:
        if not path.stat().st_size:
            return names
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                for graph in _fields(data, 0, len(data), _GRAPH):
                    for tensor in _fields(data, *graph, _INITIALIZER):
                        for entry in _fields(data, *tensor, _EXTERNAL_DATA):
                            texts = [
                                [data[a:b].decode() for a, b in _fields(data, *entry, field)]
                                for field in (_KEY, _VALUE)
                            ]
                            if texts[0] == ["location"]:
                                names.update(texts[1])
            except (IndexError, ValueError):
                # A damaged file: the runtime says so better when it opens it.
                return set()
    return {name for name in names if ".." not in Path(name).parts and not Path(name).is_absolute()}


def _fields(data: mmap.mmap, start: int, stop: int, wanted: int) -> Iterator[tuple[int, int]]:
    """Give begin and end of each message, text or bytes field of one number in an encoded message.

    See https://protobuf.dev/programming-guides/encoding/ (length-delimited records).
    """
    while start < stop:
        key, start = _varint(data, start)
        field, kind = key >> 3, key & 7
        if kind == _VARINT:
            _, start = _varint(data, start)
        elif kind in (_FIXED64, _FIXED32):
            start += 8 if kind == _FIXED64 else 4
        elif kind == _BYTES:
            length, start = _varint(data, start)
            if start + length > stop:
                raise ValueError("a field reaches beyond its message")
            if field == wanted:
                yield start, start + length
            start += length
        else:
            raise ValueError(f"unknown wire type {kind}")


def _varint(data: mmap.mmap, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError("a number is too long")


def format_of(model: str | Path) -> str:
    """Return a model's format, as far as its name tells; a manifest knows better."""
    formats = [runtime.format for runtime in runtimes_of(model)]
    return formats[0] if formats else Path(model).suffix.lower().lstrip(".") or "unknown"


def titled(name: str, part: str | None) -> str:
    """Return what documents call a model, or one part of it."""
    return name if part is None else f"{name} {part}"


def manifest_facts(manifest: Manifest) -> dict[str, Any]:
    """Return what a document's ``model`` takes from the manifest."""
    return {
        "format": str(manifest.format["name"]),
        "precision": manifest.precision,
        "io": manifest.io.form,
        "dft": manifest.dft,
        "architecture": str(manifest.source.architecture["kind"]),
        "parameters": manifest.source.parameters,
        "source_sha256": manifest.source.sha256,
    }
