"""Pages of the repository of which a part is generated: replaced between markers, or checked."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lama_edge.errors import UsageError, exit_code_of
from lama_edge.files import atomic_output


def between_markers(page: str, begin: str, end: str, text: str) -> str:
    """Return the page with the text between its markers.

    Raises:
        UsageError: when the page has not exactly one pair of markers, in order.
    """
    if page.count(begin) != 1 or page.count(end) != 1 or page.index(begin) > page.index(end):
        raise UsageError(f"the page needs the lines {begin!r} and {end!r} once each, in this order")
    before, rest = page.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}\n{text}\n{end}{after}"


def write_or_check(page: Path, old: str, new: str, *, check: bool, module: str) -> int:
    """Write a page anew where it changed, or only say so.

    Args:
        page: the file.
        old: what it holds.
        new: what it should hold.
        check: write nothing.
        module: the module to run for it, for the message.

    Returns:
        The exit code: 0 written or up to date, 1 out of date.
    """
    if new == old:
        return 0
    if check:
        print(f"{page} is out of date: run python -m {module}", file=sys.stderr)
        return 1
    with atomic_output(page) as temporary:
        temporary.write_text(new, encoding="utf-8")
    return 0


def update_page(
    arguments: Sequence[str] | None,
    updated: Callable[[str, Path], str],
    *,
    module: str,
    description: str | None,
    source: Path,
    page: Path,
) -> int:
    """Run the command that writes a page from committed results, or checks it.

    Args:
        arguments: the command line's; None takes those of the process.
        updated: returns the page with the part that the results give.
        module: the module that is the command.
        description: of the command.
        source: where the results lie, unless ``--results`` names another file or folder.
        page: the page, unless ``--page`` names another one.

    Returns:
        The exit code: 0 done or up to date, 1 out of date, 2 wrong usage or input.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    add = parser.add_argument
    add("--check", action="store_true", help="write nothing; exit 1 if out of date")
    add("--results", "--result", type=Path, default=source, metavar="PATH")
    add("--page", type=Path, default=page, metavar="PAGE.md")
    options = parser.parse_args(arguments)

    def run() -> int:
        for path in (options.results, options.page):
            if not path.exists():
                raise UsageError(
                    f"there is no {str(path)!r}: run this in the top folder of a clone, or name "
                    "results and page with --results and --page"
                )
        old = options.page.read_text(encoding="utf-8")
        new = updated(old, options.results)
        return write_or_check(options.page, old, new, check=options.check, module=module)

    return exit_code_of(run)


def add_page_options(parser: argparse.ArgumentParser, result: Path, page: Path) -> None:
    """Add what `write_from_result` reads: --measure, --check, --json-out and --page."""
    add = parser.add_argument
    add("--measure", action="store_true", help="measure and write the result first")
    add("--check", action="store_true", help="write nothing; exit 1 if out of date")
    add("--json-out", type=Path, default=result, metavar="RESULT.json")
    add("--page", type=Path, default=page, metavar="PAGE.md")


def write_from_result(
    options: argparse.Namespace,
    measure: Callable[[], Mapping[str, Any]],
    updated: Callable[[str, Mapping[str, Any]], str],
    *,
    module: str,
) -> int:
    """Write or check a page from a committed result, which is measured first where asked for.

    Args:
        options: what `add_page_options` added.
        measure: returns a new result, as JSON carries it.
        updated: returns the page with the part that a result gives.
        module: the module to run for it, for messages.

    Returns:
        The exit code: 0 written or up to date, 1 out of date.

    Raises:
        UsageError: when there is no such page or result, or a file cannot be written.
    """
    if not options.page.is_file():
        raise UsageError(
            f"there is no page {str(options.page)!r}: run this in the top folder of a clone, or "
            "name it with --page"
        )
    if options.measure:
        text = json.dumps(measure(), indent=1, sort_keys=True, ensure_ascii=False)
        with atomic_output(options.json_out) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")
    elif not options.json_out.is_file():
        raise UsageError(f"there is no result {str(options.json_out)!r}: make it with --measure")
    document = json.loads(options.json_out.read_text(encoding="utf-8"))
    old = options.page.read_text(encoding="utf-8")
    new = updated(old, document)
    return write_or_check(options.page, old, new, check=options.check, module=module)
