"""The command reference, made from the parsers of `lama-edge`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

_FOLDED = re.compile(r"\s+")
_MARKUP = re.compile(r"([\\*_\[\]<>|#])")


def reference(parser: argparse.ArgumentParser) -> str:
    """Return Markdown with a heading for each command below a parser, in its own order.

    Args:
        parser: the program's; its own options come first.
    """
    return "\n".join([*_options(parser), "", *_commands(parser, "##")]) + "\n"


def _commands(parser: argparse.ArgumentParser, heading: str) -> Iterator[str]:
    for group in _groups(parser):
        # An alias is another name of the same parser.
        known: set[int] = set()
        for command in group.choices.values():
            if id(command) in known:
                continue
            known.add(id(command))
            yield from (f"{heading} {command.prog}", "")
            if command.description:
                yield from (_text(command.description), "")
            usage = _FOLDED.sub(" ", command.format_usage().removeprefix("usage: ")).strip()
            yield from ("```text", *_wrapped(usage), "```", "")
            yield from _options(command)
            if command.epilog:
                yield from ("", _text(command.epilog))
            yield ""
            yield from _commands(command, f"{heading}#")


def _groups(parser: argparse.ArgumentParser) -> Iterator[argparse._SubParsersAction]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield action


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    formatter = parser._get_formatter()
    for action in parser._actions:
        if action.help == argparse.SUPPRESS or isinstance(
            action, argparse._HelpAction | argparse._SubParsersAction
        ):
            continue
        shown = formatter._format_action_invocation(action)
        said = [_text(formatter._expand_help(action))] if action.help else []
        if action.option_strings and action.required:
            said.append("required")
        yield from (f"`{shown}`", f":   {'; '.join(said) or 'see the usage'}", "")


def _text(words: str) -> str:
    """Escape what Markdown would take for markup, but not what stands between backquotes."""
    parts = _FOLDED.sub(" ", words).strip().split("`")
    return "`".join(
        part if index % 2 else _MARKUP.sub(r"\\\1", part) for index, part in enumerate(parts)
    )


def _wrapped(usage: str, width: int = 88) -> Iterator[str]:
    """Break a usage between its words; what stands in brackets stays together."""
    words = re.findall(r"\[[^\]]*\](?:\S*)|\S+", usage)
    line = ""
    for word in words:
        if line and len(line) + 1 + len(word) > width:
            yield line
            line = "   "
        line = f"{line} {word}" if line else word
    yield line
