"""The exit code of a benchmark that is a command of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable

from lama_edge.errors import LamaEdgeError, one_line

_INTERRUPTED = 130


def exit_code_of(run: Callable[[], int]) -> int:
    """Return what `run` does, or print what went wrong on one line and return its exit code."""
    try:
        return run()
    except LamaEdgeError as error:
        print(f"lama-edge: error: {one_line(error)}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("lama-edge: interrupted", file=sys.stderr)
        return _INTERRUPTED
