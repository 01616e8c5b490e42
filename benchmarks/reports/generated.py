"""Pages of the repository of which a part is generated: replaced between markers, or checked."""

from __future__ import annotations

import sys
from pathlib import Path

from lama_edge.errors import UsageError
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
