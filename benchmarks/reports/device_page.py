"""Writes the table of devices into the documentation, from the committed results.

Run it in a clone's top folder as ``python -m lama_edge.benchmarks.reports.device_page``; with
``--check`` it writes nothing and only says whether the page is out of date.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lama_edge.benchmarks.documents import load_bench
from lama_edge.benchmarks.reports.generated import between_markers, write_or_check
from lama_edge.benchmarks.reports.markdown import device_table
from lama_edge.benchmarks.reports.runs import Document
from lama_edge.errors import LamaEdgeError, UsageError

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
    """Write the table into the page, or check it.

    Args:
        arguments: the command line's; None takes those of the process.

    Returns:
        The exit code: 0 done or up to date, 1 out of date, 2 wrong usage or input.
    """
    parser = argparse.ArgumentParser(
        prog="python -m lama_edge.benchmarks.reports.device_page", description=__doc__
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if out of date")
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--page", type=Path, default=Path("docs/devices.md"))
    options = parser.parse_args(arguments)
    try:
        return _update(options.results, options.page, check=options.check)
    except LamaEdgeError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def _update(results: Path, page: Path, *, check: bool) -> int:
    if not results.is_dir() or not page.is_file():
        raise UsageError(
            f"there is no folder {str(results)!r} or no page {str(page)!r}: run this in the top "
            "folder of a clone, or name them with --results and --page"
        )
    old = page.read_text(encoding="utf-8")
    new = updated(old, device_table(load_results(results)))
    return write_or_check(
        page, old, new, check=check, module="lama_edge.benchmarks.reports.device_page"
    )


if __name__ == "__main__":
    sys.exit(main())
