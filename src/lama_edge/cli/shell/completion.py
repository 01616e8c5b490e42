"""`lama-edge completion`: a script that completes commands, options, choices and paths."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from lama_edge.benchmarks.targets.registry import TARGETS
from lama_edge.cli.rendering import print_json
from lama_edge.cli.shell.parser import place
from lama_edge.cli.tradeoff import reduced_precisions
from lama_edge.runtimes.registry import provider_names, runtimes

# Where each shell looks for the script.
_SHELLS = {
    "bash": "~/.local/share/bash-completion/completions/lama-edge (mkdir -p its folder first)",
    "zsh": "_lama-edge in a folder of your fpath",
    "fish": "~/.config/fish/completions/lama-edge.fish",
}


def add_completion(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add `lama-edge completion`."""
    completion = commands.add_parser(
        "completion",
        parents=[common],
        help="print a script that completes what you type",
        description="Print a script for a shell that completes commands, options, choices and "
        f"paths. Where it goes: for {', for '.join(map(' '.join, _SHELLS.items()))}.",
    )
    completion.add_argument("shell", choices=[*_SHELLS], help="the shell that reads it")
    completion.set_defaults(command=_completion)


def _completion(options: argparse.Namespace) -> None:
    # For this command alone: the others shall start fast.
    import shtab

    from lama_edge.cli import _parser
    from lama_edge.imaging.saving import PICTURE_SUFFIXES

    parser = _parser()
    for command in parsers_of(parser):
        for action in command._actions:
            _tell(action, shtab, PICTURE_SUFFIXES)
    script = shtab.complete(parser, options.shell)
    if options.json:
        print_json({"script": script})
    else:
        print(script)


def parsers_of(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Give a parser and those of all commands below it."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from parsers_of(command)


def _tell(action: argparse.Action, shtab: Any, pictures: Collection[str]) -> None:
    """Say of an argument without choices what completes it, by what stands for it in the help."""
    shown = str(action.metavar)
    own: dict[str, Callable[[], Iterable[str]]] = {
        "--provider": provider_names,
        "--target": lambda: TARGETS,
        "--precision": reduced_precisions,  # where there are no choices: of `tradeoff`
        "NAME": _checkpoints,
    }
    words = own.get(action.option_strings[0] if action.option_strings else shown)
    suffix = re.search(r"\.\w+$", shown)
    if words is not None and action.choices is None:
        action.choices = words()
    elif shown == "DIR":
        action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    elif suffix is not None and suffix[0] not in pictures:
        action.complete = shtab.glob(f"*{suffix[0]}")  # type: ignore[attr-defined]
    elif shown.startswith(("MODEL", "CHECKPOINT")):
        # Folders, which checkpoints and Core ML packages are, complete too.
        known = sorted({suffix for one in runtimes() for suffix in one.suffixes})
        action.complete = shtab.glob(*(f"*{one}" for one in known))  # type: ignore[attr-defined]
    elif action.type in (Path, place):
        action.complete = shtab.FILE  # type: ignore[attr-defined]


def _checkpoints() -> list[str]:
    from lama_edge.models.zoo import zoo_entries

    return [entry.name for entry in zoo_entries()]
