"""The files that a model is made of, their size and hash."""

from __future__ import annotations

import hashlib
from contextlib import closing
from pathlib import Path

from lama_edge.errors import ModelError
from lama_edge.files import sha256_of, split_part
from lama_edge.models.checkpoint import EMBEDDED_NAME, is_zoo_name
from lama_edge.models.zoo import required_path, zoo_entry
from lama_edge.runtimes.base import runtimes_of
from lama_edge.runtimes.onnxruntime.parts import OnnxParts


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
    """Return the files that make up a model: those of its folder, or it and those of its weights.

    An ONNX file's weights may lie in files that it names, others' in one beside the model.
    """
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file())
    beside = {path.with_suffix(one.weights) for one in runtimes_of(path) if one.weights}
    if path.suffix.lower() == ".onnx":
        beside = {path.parent / name for name in external_data(path)}
    return [path, *(file for file in sorted(beside) if file.is_file())]


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


def external_data(path: Path) -> set[str]:
    """Return the file names that an ONNX file's weights refer to, those in its folder alone.

    The onnx package need not be there where models only run.
    """
    try:
        with closing(OnnxParts(path)) as parts:
            names = parts.external_files
    except ModelError:
        # A damaged file: the runtime says so better when it opens it.
        return set()
    return {name for name in names if ".." not in Path(name).parts and not Path(name).is_absolute()}
