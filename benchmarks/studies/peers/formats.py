"""Writes the table of our own files, each in its own runtime, into the README.

Run it in a clone's top folder as ``python -m lama_edge.benchmarks.studies.peers.formats``; with
``--check`` it writes nothing and only says whether the README is out of date.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from lama_edge.benchmarks.studies.peers.readme import PAGE as PEERS_PAGE


def text(document: dict[str, Any]) -> str:
    """Return the entries' part: how times grow stands in the table of peers."""
    return PEERS_PAGE.text({**document, "growth": [], "dynamic": []})


PAGE = replace(
    PEERS_PAGE,
    module="lama_edge.benchmarks.studies.peers.formats",
    description=__doc__,
    tag="peers-formats",
    result=Path("benchmarks/results/peers-formats.json"),
    text=text,
)


if __name__ == "__main__":
    sys.exit(PAGE.main())
