"""The protocol in Python: an interpreter that has lama-edge."""

from __future__ import annotations

import sys
from pathlib import Path

from lama_edge.benchmarks.targets.places.base import Ended, Place
from lama_edge.benchmarks.targets.programs.base import Program
from lama_edge.errors import MissingBackendError, parameter

TASKS = "lama_edge.benchmarks.targets.tasks"
# Imports what every task needs, and nothing of a runtime.
_CHECK = f"import {TASKS}.answer"


class PythonProgram(Program):
    """See `Program`."""

    name = "python"

    def __init__(self, python: str | None = None) -> None:
        """Take an interpreter by its name or path there; None is this one, on this machine."""
        self._python = python

    def prepare(self, place: Place) -> None:
        """See `Program.prepare`: this interpreter has lama-edge, others are asked."""
        if self._python is None:
            return
        ended = place.run([self._python, "-c", _CHECK])
        if ended.code != 0:
            raise MissingBackendError(self._problem(ended))

    def command(self) -> list[str]:
        """See `Program.command`."""
        return [self._python or sys.executable, "-m", TASKS]

    def _problem(self, ended: Ended) -> str:
        if ended.code == 127:
            # What this machine's shell made of ~ is seldom meant.
            home = f"{Path.home()}/"
            quote = ""
            if self._python and self._python.startswith(home):
                quote = f" (for the target's home quote it: '~/{self._python.removeprefix(home)}')"
            return (
                f"there is no program {self._python!r} on the target{quote}: measure with "
                f"{parameter('worker')}, which needs none, or install Python there and name it by "
                f"{parameter('remote_python')}"
            )
        return (
            f"{self._python!r} on the target does not run lama-edge ({ended.said}): "
            'install it there with: pip install "lama-edge[onnx,bench]", name another interpreter '
            f"with {parameter('remote_python')}, or add {parameter('make_venv', True)}"
        )
