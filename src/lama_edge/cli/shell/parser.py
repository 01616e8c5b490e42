"""The parser of every command: what a slip is told."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Iterable
from typing import Any, NoReturn

# As argparse says it, with and without quotes around the choices (before Python 3.12, and since).
_NO_CHOICE = re.compile(r"invalid choice: '(?P<given>[^']*)' \(choose from (?P<known>.*)\)")


class _Help(argparse.HelpFormatter):
    """Help whose lines never break within a name, a path or an option."""

    def add_argument(self, action: argparse.Action) -> None:
        """Add an argument; commands are indented twice, for which argparse has no room."""
        super().add_argument(action)
        if isinstance(action, argparse._SubParsersAction):
            self._action_max_length += self._indent_increment

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines = self._split_lines(text, width - len(indent))
        return "\n".join(indent + line for line in lines)


class Parser(argparse.ArgumentParser):
    """A parser that names the choice that was probably meant; its subparsers are of its kind."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{"formatter_class": _Help, **options})
        self.set_defaults(parser=self)  # a command's own goes before that of what it is of

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse; what is left over is told by the command that it was given to."""
        options, left = self.parse_known_args(args, namespace)
        if left:
            options.parser._refuse(left)
        return options

    def _get_option_tuples(self, option_string: str) -> list[Any]:
        """Give what a shortened option may mean: never a spelling that is gone from the help.

        Else ``--for``, of a format that lacks it, would be ``--force``, and replace the output.
        """
        meant = super()._get_option_tuples(option_string)
        return [one for one in meant if one[0].help is not argparse.SUPPRESS]

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and end with exit code 2."""
        found = _NO_CHOICE.search(message)
        if found is not None:
            message += _meant(found["given"], re.findall(r"[\w.-]+", found["known"]))
        super().error(message)

    def _refuse(self, left: list[str]) -> NoReturn:
        slip = next((word for word in left if word.startswith("-")), "").partition("=")[0]
        known = self._option_string_actions.items()
        meant = _meant(slip, [flag for flag, it in known if it.help is not argparse.SUPPRESS])
        self.error(f"unrecognized arguments: {' '.join(left)}{meant}")


def _meant(given: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches  # the help of every command starts here

    near = get_close_matches(given, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def place(text: str) -> str:
    """Take an argument that is a path or a URL, which a `Path` would break, as it is."""
    return text


def common_options() -> argparse.ArgumentParser:
    """Return the parent of all commands: the options that each has."""
    common = argparse.ArgumentParser(add_help=False)
    group = common.add_argument_group("common options")
    group.add_argument("--json", action="store_true", help="print the result as JSON")
    group.add_argument("--verbose", action="store_true", help="log what is decided and why")
    group.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return common
