"""Writes the table of devices into the documentation, from the committed results.

Run it in a clone's top folder as ``python -m lama_edge.benchmarks.studies.device_page``; with
``--check`` it writes nothing and only says whether the page is out of date.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from lama_edge.benchmarks.documents.store import load_bench
from lama_edge.benchmarks.reports.runs import Document
from lama_edge.benchmarks.studies.generated import between_markers, update_page
from lama_edge.benchmarks.studies.markdown import device_table

BEGIN = "<!-- device table: begin -->"
END = "<!-- device table: end -->"
# Results of other commands, which have tables of their own.
_OTHERS = ("peers*.json", "int8.json", "coreml.json", "large-photograph.json")


def load_results(folder: Path) -> list[Document]:
    """Read all documents of `lama-edge bench` in a folder.

    Raises:
        UsageError: when a file cannot be opened.
        DocumentError: when a file holds something else.
    """
    paths = sorted(folder.glob("*.json"))
    return [load_bench(path) for path in paths if not any(map(path.match, _OTHERS))]


def updated(page: str, table: str) -> str:
    """Return the page with the table between its markers.

    Raises:
        UsageError: when the page has not exactly one pair of markers, in order.
    """
    return between_markers(page, BEGIN, END, f"\n{table}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the table into the page, or check it; see `update_page`."""
    return update_page(
        arguments,
        lambda page, results: updated(page, device_table(load_results(results))),
        module="lama_edge.benchmarks.studies.device_page",
        description=__doc__,
        source=Path("benchmarks/results"),
        page=Path("docs/devices.md"),
    )


if __name__ == "__main__":
    sys.exit(main())
