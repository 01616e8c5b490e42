"""The options of the commands that open models: with which provider, and which part."""

from __future__ import annotations

import argparse

from lama_edge.retired import add_retired, sets
from lama_edge.runtimes.registry import provider_names, runtimes


def add_provider(parser: argparse.ArgumentParser, about: str = "where to run") -> None:
    """Add ``--provider``, which knows what the runtimes have.

    Args:
        parser: of a command.
        about: what it is good for.
    """
    parser.add_argument(
        "--provider",
        type=_provider,
        default="auto",
        metavar="NAME",
        help=f"{about}: {', '.join(provider_names())} (default: auto)",
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
