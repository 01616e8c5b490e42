"""ncnn's models, read without ncnn."""

from __future__ import annotations

from pathlib import Path

from lama_edge.containers.ncnn import layers, sealed_text
from lama_edge.files import weights_beside
from lama_edge.manifest import Manifest
from lama_edge.runtimes.base import ModelFacts, read_manifest


def manifest_of(path: Path) -> Manifest:
    """Return what a model says of itself.

    Args:
        path: the ``.param`` file, with its ``.bin`` file beside it.

    Raises:
        ModelError: when a file is missing or cannot be read, carries no manifest, or is not as it
            was exported.
    """
    text = sealed_text(path, weights_beside(path))
    if text is None:
        return read_manifest(path, text, inputs=(), outputs=())
    return Manifest.from_json(text)


def model_facts(path: Path, part: str | None, provider: str) -> ModelFacts:
    """Read what a model says of itself, and count its layers, without opening it.

    Args:
        path: the ``.param`` file.
        part: of no meaning: a file has one model.
        provider: of no meaning.

    Raises:
        ModelError: as `manifest_of`.
    """
    manifest, counted = manifest_of(path), layers(path)
    named = ", ".join(f"{kind} {count}" for kind, count in counted.items())
    return ModelFacts(
        manifest, [("layers", f"{counted.total()}: {named}")], data={"layers": dict(counted)}
    )
