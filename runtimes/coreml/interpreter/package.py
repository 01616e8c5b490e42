"""Opens ``.mlpackage`` folders: the specification, and the functions that it describes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from lama_edge import plain
from lama_edge.errors import ModelError, needs_extra, reason, shown
from lama_edge.manifest import METADATA_KEY

_MANIFEST = "Manifest.json"
_DATA = "Data"
_MAIN = "main"
# Those of big-lama have 2 MB; a package's weights lie beside its specification.
_MOST_SPECIFICATION_BYTES = 256 * 2**20
_MOST_MANIFEST_BYTES = 2**20


@dataclass(frozen=True)
class Package:
    """A package on disk, and one of its functions.

    Attributes:
        specification: coremltools' ``Model`` message.
        folder: where the specification lies; names of blob files are relative to it.
        functions: the names of all functions, the default one first.
        function: the name of the one.
        description: the message that holds its inputs and outputs.
        manifest: its own manifest, as JSON, or the package's where there is one for all; None
            where there is none.
    """

    specification: Any
    folder: Path
    functions: tuple[str, ...]
    function: str
    description: Any
    manifest: str | None


def read_package(path: Path, function: str | None = None) -> Package:
    """Read a package's manifest and specification; its weights stay where they are.

    Args:
        path: the ``.mlpackage`` folder.
        function: which of its functions; None is the default one.

    Raises:
        ModelError: when it is no package of an ML program, is damaged, or has no such function.
        MissingBackendError: when coremltools is not installed.
    """
    if not path.is_dir():
        raise ModelError(f"{str(path)!r} is no folder; a .mlpackage is one")
    file = _specification_path(path)
    content = _content(file, _MOST_SPECIFICATION_BYTES)
    with needs_extra("coreml"), _quiet():
        from coremltools.proto import Model_pb2
    model = Model_pb2.Model()
    try:
        model.ParseFromString(content)
    except Exception as error:
        # Protocol Buffers' exceptions share no base class with others.
        raise ModelError(
            f"{file.name!r} in {str(path)!r} cannot be read as a Core ML specification: "
            f"{reason(error)}; copy the package again, or export it again"
        ) from error
    kind = model.WhichOneof("Type")
    if kind != "mlProgram":
        raise ModelError(f"{str(path)!r} holds {kind or 'no model'}; it runs mlProgram")
    described = model.description
    functions = _functions(described)
    chosen = functions[0] if function is None else function
    if chosen not in functions:
        known = ", ".join(map(shown, functions))
        raise ModelError(f"{str(path)!r} has no function {shown(chosen)}; it has: {known}")
    own = next((one for one in described.functions if one.name == chosen), described)
    entries = described.metadata.userDefined
    manifest = entries.get(f"{METADATA_KEY}.{chosen}", entries.get(METADATA_KEY))
    return Package(model, file.parent, functions, chosen, own, manifest)


def _functions(description: Any) -> tuple[str, ...]:
    named = [str(one.name) for one in description.functions]
    if not named:
        return (_MAIN,)
    default = str(description.defaultFunctionName) or named[0]
    if default not in named:
        raise ModelError(
            f"the package's default function is {shown(default)}, which is none of its own: "
            f"{', '.join(map(shown, named))}"
        )
    return (default, *(name for name in named if name != default))


def _specification_path(path: Path) -> Path:
    """Return where the manifest says that the specification lies."""
    try:
        manifest = plain.loads(_content(path / _MANIFEST, _MOST_MANIFEST_BYTES))
        item = manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"]
        parts = PurePosixPath(item).parts
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(
            f"the {_MANIFEST} of {str(path)!r} cannot be read ({type(error).__name__}: "
            f"{reason(error)}); it is no .mlpackage"
        ) from error
    file = path.joinpath(_DATA, *parts)
    if ".." in parts or not file.resolve().is_relative_to(path.resolve()):
        raise ModelError(f"the {_MANIFEST} of {str(path)!r} names {shown(item)}, outside of it")
    return file


def _content(file: Path, most_bytes: int) -> bytes:
    try:
        size_bytes = file.stat().st_size
        if size_bytes > most_bytes:
            raise ModelError(f"{file.name!r} has {size_bytes} bytes; {most_bytes} is the most")
        return file.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{str(file)!r} cannot be read: {error.strerror}; is it the folder of a .mlpackage?"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what coremltools logs on being imported: that it has no Core ML here."""
    log = logging.getLogger("coremltools")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)
