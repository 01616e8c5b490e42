"""Commands that are ended while they measure, and what is left of them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

PATIENCE_S = 60.0
# What the kernel and a shell need, on a machine that is busy.
SOON_S = 10.0
# A task that has computed for as long reads no file any more, whose lack would end it by itself.
_SETTLED_S = 4.0


def words_of(process: psutil.Process) -> list[str]:
    """Return a process's command line; empty where it ended meanwhile."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.cmdline()
    return []


def measures(process: psutil.Process) -> bool:
    """Return whether a process has been measuring for a while."""
    with contextlib.suppress(psutil.Error, OSError, ValueError):
        words = process.cmdline()
        if "lama_edge.benchmarks.targets.tasks" in words:
            task = json.loads(Path(words[-1]).read_text())["task"]
            return bool(task == "measure" and process.cpu_times().user > _SETTLED_S)
    return False


@contextlib.contextmanager
def started(
    command: list[str],
    temporary: Path,
    is_there: Callable[[psutil.Process], bool] = measures,
    folder: Path | None = None,
) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """Start a command and wait for a process of its; none of them outlives the block.

    Args:
        command: the program and its arguments.
        temporary: a folder for its temporary files.
        is_there: whether a process is the one that is waited for.
        folder: what it is started in.

    Yields:
        The command, and all processes that it started.
    """
    family: list[psutil.Process] = []
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            end = time.monotonic() + PATIENCE_S
            while not any(is_there(one) for one in family):
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < end, family
                time.sleep(0.05)
                family[:] = psutil.Process(process.pid).children(recursive=True)
            yield process, family
        finally:
            process.kill()
            for one in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()


def left(folder: Path) -> list[str]:
    """Return what lies there in the end."""
    end = time.monotonic() + SOON_S
    while (names := {path.name for path in folder.iterdir()}) and time.monotonic() < end:
        time.sleep(0.02)
    return sorted(names)
