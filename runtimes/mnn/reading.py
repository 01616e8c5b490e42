"""MNN files, read without MNN."""

from __future__ import annotations

from pathlib import Path

from lama_edge.containers.mnn import sealed_text
from lama_edge.manifest import Manifest
from lama_edge.runtimes.base import ModelFacts, read_manifest


def manifest_of(path: Path) -> Manifest:
    """Return what a file says of itself.

    Raises:
        ModelError: when it cannot be read, carries no manifest, or is not as it was exported.
    """
    text = sealed_text(path)
    if text is None:
        return read_manifest(path, text, inputs=(), outputs=())
    return Manifest.from_json(text)


def file_facts(path: Path, part: str | None, provider: str) -> ModelFacts:
    """Read what a file says of itself, without opening it.

    Args:
        path: the ``.mnn`` file.
        part: of no meaning: a file has one model.
        provider: of no meaning.

    Raises:
        ModelError: as `manifest_of`.
    """
    return ModelFacts(manifest_of(path))
