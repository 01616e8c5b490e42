"""Runs one task in a process of its own, so that a crash is a result and not the end.

The same process boundary keeps measurements apart: every run starts with fresh memory, fresh
threads and an empty cache of the runtime's own. Tasks are functions that take and return plain
data; arrays travel as files.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lama_edge import errors
from lama_edge.errors import LamaEdgeError, one_line

_LAST_WORDS_CHARACTERS = 200
# `python -m` looks for modules in the current folder first, where a user's own numpy.py or a
# clone's models/ would take the place of the real one. Python 3.10 does not know the variable.
_NO_CURRENT_FOLDER = {"PYTHONSAFEPATH": "1"}


class CrashError(LamaEdgeError):
    """A process that died, or ran out of time, instead of giving a result."""


def run_isolated(
    task: str,
    payload: Mapping[str, Any],
    *,
    environment: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
) -> dict[str, Any]:
    """Call a function in a fresh Python process and wait for its result.

    Args:
        task: the function as ``package.module:name``; it takes `payload` and returns a dict.
        payload: plain data, as JSON carries it.
        environment: variables to add to this process's own.
        timeout_s: how long it may take, in seconds; None is for ever.

    Returns:
        What the function returned.

    Raises:
        CrashError: when the process died (by which signal, or with which last words), returned
            nothing, or ran out of time.
        LamaEdgeError: what the function raised, of the same class.
    """
    with tempfile.TemporaryDirectory(prefix="lama-edge-") as folder:
        request, reply = Path(folder, "request.json"), Path(folder, "reply.json")
        request.write_text(json.dumps({"task": task, "payload": dict(payload)}), encoding="utf-8")
        command = [sys.executable, "-m", "lama_edge.benchmarks.isolation", str(request), str(reply)]
        try:
            done = subprocess.run(
                command,
                env={**os.environ, **_NO_CURRENT_FOLDER, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise CrashError(
                f"the process did not finish within {timeout_s:g} s and was stopped"
            ) from error
        if not reply.exists():
            raise CrashError(_last_words(done))
        answer = json.loads(reply.read_text(encoding="utf-8"))
    if "error" in answer:
        raise _error_class(answer["error"])(answer["message"])
    result: dict[str, Any] = answer["result"]
    return result


def _last_words(done: subprocess.CompletedProcess[bytes]) -> str:
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        hint = ": the system may have run out of memory" if name == "SIGKILL" else ""
        return f"the process was killed by {name}{hint}"
    lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
    return f"the process ended with code {done.returncode}: " + one_line(
        lines[-1][:_LAST_WORDS_CHARACTERS]
    )


def _error_class(name: str) -> type[LamaEdgeError]:
    known = getattr(errors, name, None)
    if isinstance(known, type) and issubclass(known, LamaEdgeError):
        return known
    return LamaEdgeError


def _serve(request: Path, reply: Path) -> None:
    """Call the task that `request` names and write what came of it to `reply`."""
    job = json.loads(request.read_text(encoding="utf-8"))
    module, _, function = job["task"].partition(":")
    try:
        answer = {"result": getattr(importlib.import_module(module), function)(job["payload"])}
    except LamaEdgeError as error:
        answer = {"error": type(error).__name__, "message": str(error)}
    unfinished = reply.with_suffix(".part")
    unfinished.write_text(json.dumps(answer), encoding="utf-8")
    unfinished.replace(reply)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), Path(sys.argv[2]))
