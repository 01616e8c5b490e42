"""The options of the commands that open models: with which provider, and which part."""

from __future__ import annotations

import argparse

from lama_edge.retired import add_retired, sets
from lama_edge.runtimes.registry import provider_names, runtimes


def add_provider(
    parser: argparse.ArgumentParser, about: str = "where to run", *, several: bool = False
) -> None:
    """Add ``--provider``, which knows what the runtimes have.

    Args:
        parser: of a command.
        about: what it is good for.
        several: whether it may repeat; then it is a list, or None where nothing was said.
    """
    more = "; may repeat" if several else ""
    parser.add_argument(
        "--provider",
        type=_provider,
        action="append" if several else "store",
        default=None if several else "auto",
        metavar="NAME",
        help=f"{about}: {', '.join(provider_names())} (default: auto){more}",
    )


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Add ``--threads`` to a command that opens a model."""
    parser.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="processor threads that work on one operation (default: the runtime's choice)",
    )


def _provider(text: str) -> str:
    if text != "auto" and not any(runtime.has(text) for runtime in runtimes()):
        raise argparse.ArgumentTypeError(
            f"unknown provider {text!r}; choose one of: {', '.join(provider_names())}"
        )
    return text


def add_function(parser: argparse.ArgumentParser) -> None:
    """Add ``--function``, the old way to name a part."""
    add_retired(parser, "--function", "MODEL#NAME", sets("function"), takes=str)
    parser.set_defaults(function=None)
