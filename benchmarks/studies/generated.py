"""Pages of the repository of which a part is made of a committed result: written, or checked."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lama_edge.errors import UsageError, exit_code_of
from lama_edge.files import atomic_output


def read_json(path: Path) -> Any:
    """Read a result that no schema describes."""
    return json.loads(path.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class GeneratedPage:
    """A page, and the command that writes its generated part.

    Attributes:
        module: the command, as ``python -m`` takes it.
        description: of the command.
        tag: the name of the markers in the page that the part stands between.
        result: where the result lies, a file or folder, unless the command line names another.
        page: the page, unless the command line names another one.
        text: makes the part, Markdown, of a result.
        load: reads a result.
    """

    module: str
    description: str | None
    tag: str
    result: Path
    page: Path
    text: Callable[[Any], str]
    load: Callable[[Path], Any] = read_json

    @property
    def markers(self) -> tuple[str, str]:
        """What stands before and after the part."""
        return f"<!-- {self.tag}:begin -->", f"<!-- {self.tag}:end -->"

    def updated(self, page: str, result: Any) -> str:
        """Return the page with what a result gives between its markers.

        Raises:
            UsageError: when the page has not exactly one pair of markers, in order.
        """
        begin, end = self.markers
        if page.count(begin) != 1 or page.count(end) != 1 or page.index(begin) > page.index(end):
            raise UsageError(
                f"the page needs the lines {begin!r} and {end!r} once each, in this order"
            )
        before, rest = page.split(begin)
        return f"{before}{begin}\n{self.text(result)}\n{end}{rest.split(end)[1]}"

    def parser(self, *, measures: bool = False) -> argparse.ArgumentParser:
        """Return the parser of the command.

        Args:
            measures: whether it can measure the result.
        """
        parser = argparse.ArgumentParser(
            prog=f"python -m {self.module}", description=self.description
        )
        add = parser.add_argument
        if measures:
            add("--measure", action="store_true", help="measure and write the result first")
        add("--check", action="store_true", help="write nothing; exit 1 if out of date")
        flags = ("--json-out",) if measures else ("--results", "--result")
        add(*flags, dest="result", type=Path, default=self.result, metavar="RESULT")
        add("--page", type=Path, default=self.page, metavar="PAGE.md")
        return parser

    def main(self, arguments: Sequence[str] | None = None) -> int:
        """Write the page from the committed result, or check it; see `run`."""
        return self.run(self.parser().parse_args(arguments))

    def run(
        self,
        options: argparse.Namespace,
        measure: Callable[[], Mapping[str, Any]] | None = None,
    ) -> int:
        """Do what the options of `parser` say.

        Args:
            options: the command line's.
            measure: returns a new result, as JSON carries it.

        Returns:
            The exit code: 0 done or up to date, 1 out of date, 2 wrong usage or input.
        """
        return exit_code_of(lambda: self._update(options, measure))

    def _update(
        self, options: argparse.Namespace, measure: Callable[[], Mapping[str, Any]] | None
    ) -> int:
        if not options.page.is_file():
            raise UsageError(
                f"there is no page {str(options.page)!r}: run this in the top folder of a clone, "
                "or name it with --page"
            )
        if measure is not None and options.measure:
            text = json.dumps(measure(), indent=1, sort_keys=True, ensure_ascii=False)
            with atomic_output(options.result) as temporary:
                temporary.write_text(text + "\n", encoding="utf-8")
        elif not options.result.exists():
            how = "name it with --results" if measure is None else "make it with --measure"
            raise UsageError(f"there is no result {str(options.result)!r}: {how}")
        old = options.page.read_text(encoding="utf-8")
        new = self.updated(old, self.load(options.result))
        if new != old and options.check:
            print(f"{options.page} is out of date: run python -m {self.module}", file=sys.stderr)
            return 1
        if new != old:
            with atomic_output(options.page) as temporary:
                temporary.write_text(new, encoding="utf-8")
        return 0


def markdown_table(rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Return rows of cells as Markdown, the first of them the headings.

    Args:
        rows: the cells.
        left: how many columns are text; the others are figures, at the right.
    """
    head, *body = rows
    rules = ["---"] * left + ["---:"] * (len(head) - left)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rules, *body))
