"""Where the tests' files are, wherever the test that reads them lies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TESTS = Path(__file__).parent.parent
DATA = TESTS / "data"
ROOT = TESTS.parent
# Where the scripts in `.ci` unpack tools.
TOOLS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lama-edge"


def lying_in(folder: Path) -> list[str]:
    """Return what lies in a folder, by relative names, while others may be removing it.

    Not what is mounted there.
    """
    found = []
    for place, folders, files in os.walk(folder):
        found += [str(Path(place, name).relative_to(folder)) for name in (*folders, *files)]
        folders[:] = [name for name in folders if not Path(place, name).is_mount()]
    return sorted(found)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other workers of the tests out of a folder that is built once for all of them."""
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
