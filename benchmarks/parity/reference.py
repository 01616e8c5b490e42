"""Finds the checkpoint that models were exported from among those that are here."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from lama_edge.errors import UsageError
from lama_edge.files import sha256_of
from lama_edge.models.zoo import installed_path, zoo_entries

_HASH_DIGITS = 12


def choose_reference(sources: Collection[str]) -> str:
    """Return the name of the installed checkpoint with the models' source hash.

    Args:
        sources: the source hashes of the models' manifests, without repetition.

    Raises:
        UsageError: when there are several, or none of the zoo's checkpoints here has the hash.
    """
    if len(sources) > 1:
        raise UsageError(
            f"the models were exported from {len(sources)} different checkpoints: name the one to "
            "compare with by --reference"
        )
    (wanted,) = sources
    for entry in zoo_entries():
        path = installed_path(entry)
        if path is not None and sha256_of(_weights(path)) == wanted:
            return entry.name
    raise UsageError(
        f"the checkpoint {wanted[:_HASH_DIGITS]}… that the models were exported from is not "
        "among those here: name it by --reference"
    )


def _weights(path: Path) -> Path:
    return path / "models" / "best.ckpt" if path.is_dir() else path
