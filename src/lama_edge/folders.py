"""Writing packages, which are folders, so that nobody ever sees half of one."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lama_edge.errors import UsageError
from lama_edge.files import check_output, remove_stale


def check_folder_output(target: Path, *, overwrite: bool, contents: str) -> None:
    """Refuse a package's path that cannot be written, before any long work is done.

    Args:
        target: where the package shall stand.
        overwrite: whether an existing package may be replaced.
        contents: a file that every such package has; other folders are not replaced.

    Raises:
        UsageError: when the folder around it is missing or not writable, or something stands
            there that must not be replaced.
    """
    if not target.is_dir():
        check_output(target, overwrite=overwrite)
        return
    if not (target / contents).is_file():
        raise UsageError(f"the output {str(target)!r} is a folder, and no package: name another")
    if not overwrite:
        raise UsageError(f"the output {str(target)!r} exists: add --force to replace it")
    if not os.access(target.parent, os.W_OK):
        raise UsageError(f"the folder {str(target.parent)!r} is not writable")


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Give a temporary path beside `target`, and put what is made there in its place.

    An interrupted or failed run leaves at `target` what was there before; nothing stands there
    only between two renamings, and a failure of the second one is undone. What a killed run left
    beside it is removed by the next run for the same target.

    Args:
        target: where the finished folder shall stand; a folder there is replaced.

    Yields:
        A path that does not exist yet, with the target's suffix.
    """
    remove_stale(target)
    temporary, previous = (
        target.with_name(f".{target.stem}.tmp-{os.getpid()}-{secrets.token_hex(4)}{target.suffix}")
        for _ in range(2)
    )
    try:
        yield temporary
        if target.exists():
            target.replace(previous)
        try:
            temporary.replace(target)
        except OSError:
            if previous.exists():
                previous.replace(target)
            raise
    finally:
        for path in (temporary, previous):
            shutil.rmtree(path, ignore_errors=True)
