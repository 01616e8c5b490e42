"""Tasks called in the test's own process, where torch and the rest are imported already."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from lama_edge.benchmarks.targets.places.base import Ended
from lama_edge.benchmarks.targets.places.local import LocalPlace
from lama_edge.benchmarks.targets.programs.python import TASKS
from lama_edge.benchmarks.targets.tasks.answer import answer
from lama_edge.errors import LamaEdgeError, one_line


def without_processes(patch: pytest.MonkeyPatch) -> None:
    """Let benchmarks call their tasks instead of starting a process for each.

    What the tasks do is the same, and seconds are saved on each; that they are started in
    processes, and what crashes there, has tests of its own.
    """
    for name in (
        "parity.check",
        "studies.large_photograph",
        "studies.peers.run",
        "studies.worker_speed",
        "tradeoff.exports",
    ):
        module = importlib.import_module(f"lama_edge.benchmarks.{name}")
        patch.setattr(module, "run_isolated", call)
    whole = LocalPlace.run

    def run(place: LocalPlace, command: Sequence[str], **options: Any) -> Ended:
        if TASKS not in command:
            return whole(place, command, **options)
        try:
            found = answer(Path(command[-1]), options["step"])
        except LamaEdgeError as error:
            return Ended(error.exit_code, "", f"lama-edge: error: {one_line(error)}")
        return Ended(0, json.dumps(found), "")

    patch.setattr(LocalPlace, "run", run)


def call(
    task: str,
    payload: Mapping[str, Any],
    *,
    progress: Callable[[str], None] | None = None,
    **options: Any,
) -> Any:
    """Call a task as `run_isolated` does, but here."""
    module, _, name = task.partition(":")
    told = [] if progress is None else [lambda step: progress(one_line(step))]
    return _as_json(getattr(importlib.import_module(module), name)(_as_json(payload), *told))


def _as_json(data: Any) -> Any:
    return json.loads(json.dumps(data))
