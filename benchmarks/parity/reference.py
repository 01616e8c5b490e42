"""Finds the checkpoint that models were exported from among those that are here."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from lama_edge.errors import UsageError, parameter
from lama_edge.files import join_part, sha256_of, split_part
from lama_edge.manifest import Source
from lama_edge.models.checkpoint import is_zoo_name
from lama_edge.models.zoo import installed_path, required_path, zoo_entries, zoo_entry
from lama_edge.runtimes.base import is_checkpoint
from lama_edge.runtimes.registry import checkpoint_runtimes

_HASH_DIGITS = 12
_DEFAULT_RUNTIME = "numpy"


def reference_provider(reference: str, runtime: str | None) -> str:
    """Return the provider that opens a reference.

    Args:
        reference: a checkpoint's path or name, or another model's.
        runtime: what runs a checkpoint; None is the reference that exports are judged against.

    Raises:
        UsageError: when the runtime does not run checkpoints, or the reference is no checkpoint.
    """
    known = checkpoint_runtimes()
    if runtime is not None and runtime not in known:
        raise UsageError(
            f"{parameter('reference_runtime', runtime)} runs no checkpoints; choose one of: "
            + ", ".join(known)
        )
    if is_checkpoint(reference):
        return known[runtime or _DEFAULT_RUNTIME].providers[0]
    if runtime is not None:
        raise UsageError(
            f"{parameter('reference_runtime', runtime)} is for checkpoints, and {reference!r} is "
            "none: leave it out"
        )
    return "cpu"


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
            f"compare with as {parameter('reference')}"
        )
    (wanted,) = sources
    for entry in zoo_entries():
        path = installed_path(entry)
        if path is not None and sha256_of(_weights(path)) == wanted:
            return entry.name
    raise UsageError(
        f"the checkpoint {wanted[:_HASH_DIGITS]}… that the models were exported from is not "
        f"among those here: name it as {parameter('reference')}"
    )


def as_exported(reference: str, sources: Iterable[Source]) -> tuple[str, tuple[str, ...]]:
    """Return a reference as the models that were exported from it read it.

    Args:
        reference: a checkpoint's path or name, with or without one of its generators named, or
            another model's.
        sources: where the models come from.

    Returns:
        The reference, with the generator named that they were exported from, and what they left
        out of it; as it is where it is not their checkpoint.

    Raises:
        UsageError: when they were exported from it in several ways.
    """
    read = {(one.sha256, one.entry, one.ignored) for one in sources if one.entry or one.ignored}
    if not read or not is_checkpoint(reference):
        return reference, ()
    path, named = split_part(reference)
    here = sha256_of(_weights(required_path(zoo_entry(str(path))) if is_zoo_name(path) else path))
    ways = {
        (entry, ignored)
        for sha256, entry, ignored in read
        if sha256 == here and named in (None, entry)
    }
    if len(ways) > 1:
        raise UsageError(
            f"the models were exported from {len(ways)} generators or with other tensors left out "
            f"of {str(path)!r}: check them one by one, or name one as "
            f"{parameter('reference', 'FILE#NAME')}"
        )
    for entry, ignored in ways:
        return join_part(path, entry), ignored
    return reference, ()


def _weights(path: Path) -> Path:
    return path / "models" / "best.ckpt" if path.is_dir() else path
