"""What a LiteRT file says of itself, compared with what it consists of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lama_edge.errors import reading
from lama_edge.manifest import METADATA_KEY, Manifest
from lama_edge.runtimes.base import ValueSeen, read_manifest
from lama_edge.runtimes.litert.structure import Structure, read_structure


def manifest_of(path: Path, structure: Structure) -> Manifest:
    """Return a file's manifest.

    Args:
        path: the ``.tflite`` file, for messages.
        structure: what was read of it.

    Raises:
        ModelError: when it carries no manifest, or has other inputs and outputs than that says.
    """
    text = structure.metadata.get(METADATA_KEY)
    with reading("manifest", code="manifest_unreadable"):
        decoded = None if text is None else text.decode()
    return read_manifest(
        path,
        decoded,
        inputs=_values(structure, structure.inputs),
        outputs=_values(structure, structure.outputs),
    )


def read_manifest_of(path: Path) -> Manifest:
    """Return a file's manifest, without LiteRT.

    Raises:
        ModelError: as `manifest_of`, and when the file is damaged or no LiteRT file.
    """
    return manifest_of(path, read_structure(path))


def _values(structure: Structure, named: Mapping[str, int]) -> list[ValueSeen]:
    tensors = structure.tensors
    return [ValueSeen(name, tensors[at].dtype, tensors[at].shape) for name, at in named.items()]
