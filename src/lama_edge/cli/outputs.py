"""`--json-out` and `--report`: what commands that measure or judge write beside the text."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from lama_edge.cli.rendering import print_json
from lama_edge.errors import UsageError, printable
from lama_edge.files import atomic_output, check_output
from lama_edge.retired import add_retired, sets

_RESULT_SUFFIXES = (".json",)
_PAGE_SUFFIXES = (".html", ".htm")


def add_outputs(command: argparse.ArgumentParser, what: str = "result") -> None:
    """Add both options to a command."""
    metavar = f"{what.upper()}.json"
    command.add_argument("--json-out", type=Path, metavar=metavar, help=f"write the {what}")
    add_retired(command, "--out", "--json-out", sets("json_out"), takes=Path)
    command.add_argument("--report", type=Path, metavar="OUT.html", help="write a page about it")


def check_outputs(options: argparse.Namespace) -> None:
    """Refuse what could not be written in the end, before any long work is done.

    The names' ends are asked for, so that no model is replaced that was meant to be read.

    Raises:
        UsageError: when a name ends otherwise, or `check_output` refuses it.
    """
    for flag, target, suffixes in (
        ("--json-out", options.json_out, _RESULT_SUFFIXES),
        ("--report", options.report, _PAGE_SUFFIXES),
    ):
        if target is None:
            continue
        check_output(target)
        if target.suffix.lower() not in suffixes:
            raise UsageError(f"{flag} {str(target)!r} must end in {' or '.join(suffixes)}")


def give(
    options: argparse.Namespace,
    document: dict[str, Any],
    page: Callable[[], str],
    lines: Callable[[dict[str, Any]], Iterable[str]],
) -> None:
    """Write what was asked for, then print the document.

    Args:
        options: the command line's.
        document: for `--json-out` and `--json`.
        page: renders the page for `--report`.
        lines: renders the document as text.
    """
    if options.json_out is not None:
        from lama_edge.benchmarks.documents.store import save_document

        save_document(document, options.json_out)
    if options.report is not None:
        with atomic_output(options.report) as temporary:
            temporary.write_text(page(), encoding="utf-8")
    if options.json:
        print_json(document)
        return
    for line in lines(document):
        print(printable(line))
