"""The one family of errors that users see, and the exit code that each becomes."""

from __future__ import annotations

import keyword
import logging
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import ClassVar

# What a shell gives for a process that Ctrl-C ended.
INTERRUPTED = 130
_MAX_SHOWN_CHARACTERS = 100
# Says that messages are for somebody who typed flags. A variable of the environment, because the
# processes that a command starts shall speak as it does.
SAYS_FLAGS = "LAMA_EDGE_SAYS_FLAGS"
# Parameters whose flag is not their name with dashes.
RENAMED = {
    "cool_down_s": "--cool-down",
    "cool_timeout_s": "--cool-timeout",
    "crop_pixels": "--crop",
    "initial": "--init",
    "mask_rules.channel": "--mask-channel",
    "mask_rules.invert": "--invert-mask",
    "max_temperature_c": "--max-temperature",
    "picture_format": "--format",
    "sustained_s": "--sustained",
}


class LamaEdgeError(Exception):
    """Something the user can act on: what was wrong, the value seen, and what to do about it.

    The command line prints the message on one line and exits with `exit_code`.

    Attributes:
        code: a stable name of what was refused, where native wrappers refuse the same; else None.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, *args: object, code: str | None = None) -> None:
        super().__init__(*args)
        self.code = code


class UsageError(LamaEdgeError):
    """An option or argument that cannot be used, or not together with another."""


class CheckpointError(LamaEdgeError):
    """A checkpoint that cannot be read, is refused, or does not fit its architecture."""


class ModelError(LamaEdgeError):
    """An exported model that cannot be opened, or arrays that do not fit it."""


class PictureError(LamaEdgeError):
    """A picture or mask that cannot be read, used or written."""


class ParityError(LamaEdgeError):
    """An exported model whose results differ from the reference by more than its tolerance."""

    exit_code = 1


class NotFiniteError(ParityError):
    """An exported model that returns NaN or infinite values."""


class MissingBackendError(LamaEdgeError):
    """A package, runtime or provider that is not installed here."""

    exit_code = 3


def parameter(name: str, *values: object) -> str:
    """Spell a parameter for a message: as Python has it, or as the command line's flag.

    Args:
        name: the parameter's name in Python; a keyword, such as ``for``, without its underscore;
            such as ``mask_rules.channel`` where it is an attribute of another one's value.
        values: its value, or several to choose from; none names the parameter alone. A list is
            one value, that of a flag which repeats.

    Returns:
        Such as ``size='dynamic'``, or within `spelling_flags` ``--size dynamic``.
    """
    if not os.environ.get(SAYS_FLAGS):
        bare = f"{name}_" if keyword.iskeyword(name) else name
        return _with_choices(f"{bare}=", (repr(_plain(one)) for one in values)) or bare
    flag = flag_of(name)
    (one, *more) = values or (True,)
    if isinstance(one, bool) and not more:
        return flag if one else f"--no-{flag.removeprefix('--')}"
    if isinstance(one, list | tuple):
        return " ".join(f"{flag} {_typed(each)}" for each in one)
    return _with_choices(f"{flag} ", map(_typed, values))


def _typed(value: object) -> str:
    return shlex.quote(printable(f"{value:g}" if isinstance(value, float) else str(value)))


def _plain(value: object) -> object:
    """Return what Python spells as it is written; others, such as a path, by their text."""
    kept = (bool, int, float, list, tuple)
    return value if value is None or isinstance(value, kept) else str(value)


def _with_choices(begin: str, spelled: Iterable[str]) -> str:
    *others, last = [*spelled] or [""]
    return last and begin + (f"{', '.join(others)} or {last}" if others else last)


def flag_of(name: str) -> str:
    """Return the command line's flag of a parameter, such as ``--max-side`` of ``max_side``."""
    return RENAMED.get(name) or f"--{name.replace('_', '-')}"


@contextmanager
def spelling_flags() -> Iterator[None]:
    """Let `parameter` give flags inside the block, in processes that it starts too.

    For commands: whoever typed one knows its flags, and no parameters.
    """
    before = os.environ.get(SAYS_FLAGS)
    os.environ[SAYS_FLAGS] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(SAYS_FLAGS, None)
        else:
            os.environ[SAYS_FLAGS] = before


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Turn a failed import inside the block into the `pip install` line that mends it.

    Args:
        extra: name of the optional dependency group, for example ``"onnx"``.

    Raises:
        MissingBackendError: when a module from outside lama-edge is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("lama_edge"):
            raise
        raise MissingBackendError(
            f"the package {error.name!r} is not installed; "
            f'install it with: pip install "lama-edge[{extra}]"'
        ) from error


@contextmanager
def without_remarks(*loggers: str) -> Iterator[None]:
    """Keep what loggers remark inside the block from users, such as on what is not here.

    Args:
        loggers: their names; errors are heard.
    """
    talking = [logging.getLogger(name) for name in loggers]
    levels = [log.level for log in talking]
    for log in talking:
        log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for log, level in zip(talking, levels, strict=True):
            log.setLevel(level)


# Whatever reading a stranger's JSON into data runs into.
_UNREADABLE = (
    *(ArithmeticError, AttributeError, LookupError),
    *(MemoryError, RecursionError, TypeError, ValueError),
)


@contextmanager
def reading(what: str, *, code: str | None = None) -> Iterator[None]:
    """Turn whatever reading a part of a model raises inside the block into one kind of error.

    Args:
        what: that part, such as ``manifest``.
        code: the error's, see `LamaEdgeError`.

    Raises:
        ModelError: in the place of errors that are not lama-edge's own.
    """
    try:
        yield
    except _UNREADABLE as error:
        raise ModelError(
            f"the model's {what} cannot be read ({type(error).__name__}: {reason(error)}); "
            "export the model again",
            code=code,
        ) from error


@contextmanager
def naming(what: object) -> Iterator[None]:
    """Say in one kind of error what failed inside the block, and how.

    Args:
        what: such as a runtime's title, or a node of a graph.

    Raises:
        ModelError: in the place of errors that are not lama-edge's own; those of runtimes share no
            base class.
    """
    try:
        yield
    except LamaEdgeError:
        raise
    except Exception as error:
        raise ModelError(f"{what} failed: {one_line(error)}") from error


def exit_code_of(run: Callable[[], int | None], *, as_flags: bool = True) -> int:
    """Return what a command gives, 0 for None; or print what went wrong on one line, with its code.

    For modules that are commands of their own; `lama_edge.cli` has its own way.

    Args:
        run: the command.
        as_flags: whether its messages spell flags; else as the process that started it does.
    """
    try:
        with spelling_flags() if as_flags else nullcontext():
            return run() or 0
    except LamaEdgeError as error:
        print(f"lama-edge: error: {one_line(error)}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("lama-edge: interrupted", file=sys.stderr)
        return INTERRUPTED


def worst_exit_code(codes: Iterable[int]) -> int:
    """Return the exit code of several things done: 1 wins over 3 over 2, and 0 is for none."""
    found = set(codes)
    return next((code for code in (1, 3, 2) if code in found), 0)


def shown(value: object) -> str:
    """Spell a value out of a stranger's file for an error message: short, and on one line."""
    if isinstance(value, str):
        cut = value[:_MAX_SHOWN_CHARACTERS]
        return repr(cut) if cut == value else f"{cut!r}…"
    if isinstance(value, int) and value.bit_length() > 64:
        return f"a number of {value.bit_length()} bits"
    if value is None or isinstance(value, int | float):
        return repr(value)
    return f"a {type(value).__name__}"


def reason(error: Exception) -> str:
    """Spell an error met in a stranger's file: short, on one line, free of control characters."""
    return one_line(error)[: 2 * _MAX_SHOWN_CHARACTERS]


def one_line(message: object) -> str:
    """Spell an error or text on one line, free of control characters; if empty, by its type."""
    return printable(" ".join(str(message).split())) or type(message).__name__


def printable(text: str) -> str:
    """Replace what a terminal would obey, or could not show, by question marks."""
    return "".join(character if character.isprintable() else "?" for character in text)
