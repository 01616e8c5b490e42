"""The protocol in Python: an interpreter that has lama-edge."""

from __future__ import annotations

import sys

from lama_edge.benchmarks.targets.places.base import Ended, Place
from lama_edge.benchmarks.targets.programs.base import Program
from lama_edge.errors import MissingBackendError

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
            raise MissingBackendError(f"{self._problem(ended)}, or add --make-venv")

    def command(self) -> list[str]:
        """See `Program.command`."""
        return [self._python or sys.executable, "-m", TASKS]

    def _problem(self, ended: Ended) -> str:
        if ended.code == 127:
            return (
                f"there is no program {self._python!r} on the target: install Python there, name "
                "another with --remote-python, measure with --worker"
            )
        return (
            f"{self._python!r} on the target does not run lama-edge ({ended.said}): "
            'install it there with: pip install "lama-edge[onnx,bench]", name another interpreter '
            "with --remote-python"
        )
