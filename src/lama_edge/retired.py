"""Old spellings of options: they work, with one line of warning, until release 1.0."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

# Sets what an old option meant; called with the parsed options and the value given.
Meaning = Callable[[argparse.Namespace, Any], None]


def warn_of(old: str, new: str) -> None:
    """Say on stderr, in one line, what is to be written in the place of an old spelling."""
    print(f"lama-edge: warning: {old} is now {new}; it works until release 1.0", file=sys.stderr)


def sets(name: str) -> Meaning:
    """Return the meaning of an old option whose value is now that of the option `name`."""
    return lambda options, value: setattr(options, name, value)


def add_retired(
    command: argparse.ArgumentParser,
    flag: str,
    instead: str,
    meaning: Meaning,
    *,
    takes: Callable[[str], Any] | None = None,
    choices: Sequence[str] | None = None,
) -> None:
    """Add an old option to a command, unseen in its help.

    Args:
        command: the command.
        flag: the old spelling.
        instead: what to write now.
        meaning: sets the options that it stands for.
        takes: reads its value; None is an option without one.
        choices: the values that it may have.
    """

    class Retired(argparse.Action):
        """Warns, and does what the option did."""

        def __call__(
            self,
            parser: argparse.ArgumentParser,
            namespace: argparse.Namespace,
            values: Any,
            option_string: str | None = None,
        ) -> None:
            warn_of(flag, instead)
            meaning(namespace, values)

    value: dict[str, Any] = {"nargs": 0} if takes is None else {"type": takes, "choices": choices}
    command.add_argument(
        flag, action=Retired, help=argparse.SUPPRESS, dest=argparse.SUPPRESS, **value
    )
