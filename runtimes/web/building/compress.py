"""Writes files beside themselves compressed, as the server hands them out: compress.py FOLDER.

Run by `make web`.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

# What is not compressed already, and worth it.
_SUFFIXES = {".css", ".html", ".js", ".json", ".map", ".mjs", ".svg", ".wasm"}
_LEAST_BYTES = 1024


def compress(folder: Path) -> None:
    """Write ``NAME.gz`` beside each file in a folder that is worth it; the same bytes each time."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in _SUFFIXES and path.stat().st_size >= _LEAST_BYTES:
            small = gzip.compress(path.read_bytes(), mtime=0)
            path.with_name(f"{path.name}.gz").write_bytes(small)


if __name__ == "__main__":
    compress(Path(sys.argv[1]))
