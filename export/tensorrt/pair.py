"""Writing an engine and its manifest so that nobody ever sees half a pair."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lama_edge.engines import manifest_path
from lama_edge.files import check_output, remove_stale


def check_pair(engine: Path, *, overwrite: bool) -> None:
    """Refuse an engine's path that cannot be written, before any long work is done.

    Raises:
        UsageError: when the folder is missing or not writable, or the engine or its manifest
            exists and must not be replaced.
    """
    check_output(engine, overwrite=overwrite)
    check_output(manifest_path(engine), overwrite=overwrite)


@contextmanager
def atomic_pair(engine: Path) -> Iterator[Path]:
    """Give a temporary place for an engine and its manifest, and put both in theirs at the end.

    A failed or interrupted run leaves what was there before; a failed renaming is undone. What a
    killed run left beside it is removed by the next run for the same engine.

    Args:
        engine: where the finished engine shall stand; its manifest stands beside it.

    Yields:
        A path for the engine, in a folder of its own that its manifest shall be written to too.
    """
    remove_stale(engine)
    token = f"{os.getpid()}-{secrets.token_hex(4)}"
    folder = engine.with_name(f".{engine.stem}.tmp-{token}{engine.suffix}")
    folder.mkdir()
    try:
        new = folder / engine.name
        yield new
        for path in (new, manifest_path(new)):
            with path.open("rb+") as file:
                os.fsync(file.fileno())
        _replace_both(new, engine, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _replace_both(new: Path, engine: Path, folder: Path) -> None:
    """Replace the engine while no manifest stands beside it, so that a kill cannot mix two."""
    old_engine, old_manifest = folder / "previous", folder / "previous.json"
    moves = [
        (manifest_path(engine), old_manifest),
        (engine, old_engine),
        (new, engine),
        (manifest_path(new), manifest_path(engine)),
    ]
    done: list[tuple[Path, Path]] = []
    try:
        for source, target in moves:
            if source.exists():
                source.replace(target)
                done.append((source, target))
    except OSError:
        for source, target in reversed(done):
            target.replace(source)
        raise
