"""`lama-edge models`: which checkpoints are published, and where those fetched lie."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lama_edge.cli.rendering import counter, print_json

_NAME_HELP = "one of those that `lama-edge models list` lists"


def add_models(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add `lama-edge models`, with `list`, `fetch` and `path`."""
    models = commands.add_parser(
        "models",
        help="list and fetch published checkpoints",
        description="List and fetch published checkpoints.",
    )
    actions = models.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser(
        "list",
        parents=[common],
        help="the checkpoints that are known",
        description="List the published checkpoints that are known, and which of them are here.",
    )
    listing.set_defaults(command=_models_list)
    fetching = actions.add_parser(
        "fetch",
        parents=[common],
        help="download a checkpoint, verified before it can be used",
        description="Download a checkpoint; it is verified before it can be used, and an "
        "interrupted download goes on where it was.",
    )
    fetching.add_argument("name", metavar="NAME", help=_NAME_HELP)
    fetching.add_argument(
        "--accept-md5",
        action="store_true",
        help="take a checkpoint that was published with an md5 alone",
    )
    fetching.set_defaults(command=_models_fetch)
    locating = actions.add_parser(
        "path",
        parents=[common],
        help="where a checkpoint lies",
        description="Print where a checkpoint that was fetched lies.",
    )
    locating.add_argument("name", metavar="NAME", help=_NAME_HELP)
    locating.set_defaults(command=_models_path)


def _models_list(options: argparse.Namespace) -> None:
    from lama_edge.models.zoo import installed_path, zoo_entries

    entries = zoo_entries()
    if options.json:
        print_json(
            [
                {**entry.to_dict(), "installed": installed_path(entry) is not None}
                for entry in entries
            ]
        )
        return
    width = max(len(entry.name) for entry in entries)
    for entry in entries:
        state = entry.source if installed_path(entry) is None else "here"
        print(f"{entry.name:<{width}}  {state:<15} {entry.licence:<11} {entry.purpose}")


def _models_fetch(options: argparse.Namespace) -> None:
    from lama_edge.models.zoo import fetch, zoo_entry

    with counter("B") as progress:
        path = fetch(zoo_entry(options.name), accept_md5=options.accept_md5, progress=progress)
    _print_path(path, as_json=options.json)


def _models_path(options: argparse.Namespace) -> None:
    from lama_edge.models.zoo import required_path, zoo_entry

    _print_path(required_path(zoo_entry(options.name)), as_json=options.json)


def _print_path(path: Path, *, as_json: bool) -> None:
    if as_json:
        print_json({"path": str(path)})
    else:
        print(path)
