"""``python -m lama_edge.benchmarks.targets.tasks REQUEST.json``: ``docs/reference/worker.md``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from lama_edge.errors import exit_code_of, one_line


def main() -> None:
    """Answer the request that the command line names; steps go to standard error.

    Raises:
        LamaEdgeError: when it cannot be answered.
    """
    parser = argparse.ArgumentParser(
        prog="python -m lama_edge.benchmarks.targets.tasks",
        description="Answer a request, see docs/reference/worker.md.",
    )
    parser.add_argument("request", type=Path, metavar="REQUEST.json")
    request: Path = parser.parse_args().request
    # What a library prints is no answer, whichever way it reaches the descriptor.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # Imported here so that a package that is missing is told in one line.
    from lama_edge.benchmarks.targets.tasks.answer import answer

    found = answer(request, lambda step: print(one_line(step), file=sys.stderr))
    with answers:
        json.dump(found, answers)


if __name__ == "__main__":
    # Started by `bench`, or by a program in Python.
    sys.exit(exit_code_of(main, as_flags=False))
