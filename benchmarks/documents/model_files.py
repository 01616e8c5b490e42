"""What documents say of a model: the files it is made of, their size and hash, its manifest."""

from __future__ import annotations

import hashlib
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from lama_edge.errors import LamaEdgeError, ModelError
from lama_edge.files import sha256_of, split_part
from lama_edge.manifest import Manifest
from lama_edge.models.checkpoint import EMBEDDED_NAME, is_zoo_name
from lama_edge.models.zoo import required_path, zoo_entry
from lama_edge.runtimes.base import changed_since_export, runtimes_of
from lama_edge.runtimes.onnxruntime.parts import OnnxParts

_QUALITY = (
    "reference", "max_abs_diff", "tolerance", "psnr_db", "least_psnr_db", "snr_db", "passed",
)  # fmt: skip
_KNOWN_ONCE_OPEN = ("precision", "io", "dft", "architecture", "parameters", "source_sha256")


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
        beside = {path.parent / name for name in _external_data(path)}
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


def model_state(path: Path) -> tuple[tuple[object, ...], ...]:
    """Return what tells a model's files from others that take their place, without reading them.

    Raises:
        ModelError: when they cannot be looked at.
    """
    try:
        found = [(file, file.stat()) for file in model_files(path)]
    except OSError as error:
        raise ModelError(f"cannot read {str(path)!r}: {error.strerror or error}") from error
    return tuple((str(file), it.st_ino, it.st_mtime_ns, it.st_size) for file, it in found)


def _external_data(path: Path) -> set[str]:
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
        "architecture": str(manifest.source.architecture.get("kind", "unknown")),
        "parameters": manifest.source.parameters,
        "source_sha256": manifest.source.sha256,
        **({} if manifest.purpose is None else {"for": manifest.purpose}),
    }


def model_record(model: str | Path, manifest: Manifest | None) -> dict[str, Any]:
    """Return what documents say of a model: no path, its base name only.

    Args:
        model: as the user named it; where that names a part, the record's name does too.
        manifest: its self-description; None for a model that could not be opened.
    """
    hashed: str | None = None
    size_bytes: int | None = None
    with suppress(LamaEdgeError, OSError):
        path = located(model)
        hashed, size_bytes = model_sha256(path), model_size_bytes(path)
    record = {
        "name": titled(base_name(model), split_part(model)[1]),
        "format": format_of(model),
        "sha256": hashed,
        "size_bytes": size_bytes,
    }
    if manifest is None:
        return {**record, **dict.fromkeys(_KNOWN_ONCE_OPEN)}
    return {**record, **manifest_facts(manifest)}


def base_name(model: str | Path) -> str:
    """Return the last step of a model's path."""
    path, _ = split_part(model)
    return path.name or path.resolve().name


def quality_of(model: str | Path, manifest: Manifest) -> dict[str, Any] | None:
    """Return what a bench document's ``quality`` takes from the manifest.

    Args:
        model: as the user named it.
        manifest: its self-description.

    Returns:
        None when it was not judged, or the file was changed since.
    """
    parity = manifest.parity
    if parity is None or changed_since_export(manifest, located(model)):
        return None
    return {**{name: getattr(parity, name) for name in _QUALITY}, "sizes": list(parity.sizes)}
