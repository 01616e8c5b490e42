"""Shared vectors: what every native wrapper must reproduce, written from this implementation.

    python -m lama_edge.runtimes.vectors tests/data/vectors

The format is in tests/data/vectors/README.md.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from lama_edge.errors import exit_code_of
from lama_edge.files import atomic_output
from lama_edge.runtimes.vectors.format import Topic
from lama_edge.runtimes.vectors.manifests import manifest_vectors
from lama_edge.runtimes.vectors.masks import mask_vectors
from lama_edge.runtimes.vectors.pixels import pixel_vectors
from lama_edge.runtimes.vectors.windows import inpainting_vectors, window_vectors


def shared_vectors() -> Iterator[Topic]:
    """Compute all vectors from the Python implementation; the same ones each time."""
    yield manifest_vectors()
    yield pixel_vectors()
    yield mask_vectors()
    yield window_vectors()
    yield inpainting_vectors()


def write_vectors(folder: Path) -> None:
    """Write all topics into a folder: a JSON file each, and one of arrays where there are any.

    Raises:
        UsageError: when the folder is missing or not writable.
    """
    for topic in shared_vectors():
        with atomic_output(folder / f"{topic.name}.json") as path:
            path.write_text(topic.to_json(), encoding="utf-8", newline="\n")
        if topic.data:
            with atomic_output(folder / f"{topic.name}.bin") as path:
                path.write_bytes(topic.data)


def main(argv: Sequence[str] | None = None) -> int:
    """Write the vectors into the folder named on the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m lama_edge.runtimes.vectors",
        description="Write what every native wrapper must reproduce.",
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path("tests/data/vectors"), help="(%(default)s)"
    )
    folder = parser.parse_args(argv).folder
    return exit_code_of(lambda: write_vectors(folder))


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # of masks that look wrong, which the vectors show
    raise SystemExit(main())
