"""A program that a target may run in the place of the worker: it spoils what an honest one says."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

# Asked by Python's own program, so that only what is spoilt differs from what is right.
_PROGRAM = """\
#!{python}
import json, os, subprocess, sys, time
if len(sys.argv) != 2:
    sys.exit(print("lama-edge-worker: error: usage", file=sys.stderr) or 2)
request = json.load(open(sys.argv[1]))
if {before!r} and request["task"] == {task!r}:
    exec({before!r})
done = subprocess.run(
    [{python!r}, "-m", "lama_edge.benchmarks.targets.tasks", sys.argv[1]], stdout=subprocess.PIPE
)
text = done.stdout.decode()
if {spoil!r} and request["task"] == {task!r} and done.returncode == 0:
    answer = json.loads(text)
    result, model = answer["result"], answer["model"]
    job = request.get("pictures", [None])[0]
    exec({spoil!r})
    text = answer if isinstance(answer, str) else json.dumps(answer)
sys.stdout.write(text)
sys.exit(done.returncode)
"""


def stranger(path: Path, task: str, *, before: str = "", spoil: str = "") -> Path:
    """Write a program that answers the worker's protocol.

    Args:
        path: its file.
        task: that it does not answer honestly.
        before: Python that it runs first of all in that task.
        spoil: Python that changes ``answer``, an object or the text itself, with its ``result``
            and ``model``, or the output's file in ``job``.
    """
    path.write_text(
        _PROGRAM.format(
            python=sys.executable,
            task=task,
            before=textwrap.dedent(before),
            spoil=textwrap.dedent(spoil),
        )
    )
    path.chmod(0o755)
    return path
