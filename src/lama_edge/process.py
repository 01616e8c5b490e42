"""Runs one task in a process of its own, so that a crash is a result and not the end.

The same process boundary keeps measurements apart: every run starts with fresh memory, fresh
threads and an empty cache of the runtime's own. Tasks are functions that take and return plain
data; arrays travel as files.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from lama_edge.errors import LamaEdgeError, one_line

_LAST_WORDS_CHARACTERS = 200
_PACKAGE = "lama_edge"
# `python -m` looks for modules in the current folder first, where a user's own numpy.py or a
# clone's models/ would take the place of the real one. Python 3.10 does not know the variable.
NO_CURRENT_FOLDER = {"PYTHONSAFEPATH": "1"}


# Its input ends with the process that started it, also with one that is killed; see `running`.
_WATCH = """
trap '' HUP INT TERM
read -r end
for one in "$1"/running-*; do kill -9 "${one##*/running-}"; done
rm -rf "$1" || { sleep 1; rm -rf "$1"; }
"""


class CrashError(LamaEdgeError):
    """A process that died, or ran out of time, instead of giving a result."""


@contextlib.contextmanager
def temporary_room() -> Iterator[None]:
    """Tell in one line what hinders the block from writing temporary files.

    Raises:
        LamaEdgeError: in the place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise LamaEdgeError(
            f"cannot write to this machine's temporary folder ({error.strerror or one_line(error)})"
            ": free some room there, or name another one with TMPDIR"
        ) from error


class WatchedFolder:
    """A temporary folder which goes, as do processes, also when this process is killed.

    A context manager. A shell beside this process sees to it; where there is none, as on Windows,
    it is a temporary folder as any other.

    Attributes:
        path: the folder.

    Raises:
        LamaEdgeError: when it cannot be made.
    """

    def __init__(self) -> None:
        with temporary_room():
            self.path = Path(tempfile.mkdtemp(prefix="lama-edge-"))
        self._watcher: subprocess.Popen[bytes] | None = None
        with contextlib.suppress(OSError):
            self._watcher = subprocess.Popen(
                ["/bin/sh", "-c", _WATCH, "lama-edge-watch", str(self.path)],
                cwd="/",
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # Whatever ends this process's group or terminal does not end it.
                start_new_session=True,
            )

    def __enter__(self) -> WatchedFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the folder and all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._watcher is not None:
            with self._watcher:
                pass

    @contextlib.contextmanager
    def running(self, process: int) -> Iterator[None]:
        """Let a process be killed if this one is inside the block.

        Args:
            process: its number; minus that of a group for all in it.
        """
        note = self.path / f"running-{process}"
        with contextlib.suppress(OSError):  # such as for want of room
            note.touch()
        try:
            yield
        finally:
            note.unlink(missing_ok=True)


def run_isolated(
    task: str,
    payload: Mapping[str, Any],
    *,
    environment: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
    progress: Callable[[str], None] | None = None,
    started: Callable[[subprocess.Popen[str]], None] | None = None,
) -> dict[str, Any]:
    """Call a function in a fresh Python process and wait for its result.

    The process is killed when waiting ends by an exception, such as KeyboardInterrupt, or with this
    process.

    Args:
        task: the function as ``package.module:name``; it takes `payload`, and after it a
            function to tell its steps where `progress` is given, and returns a dict.
        payload: plain data, as JSON carries it.
        environment: variables to add to this process's own.
        timeout_s: how long it may take, in seconds; None is for ever.
        progress: called with each step that the task tells.
        started: called with the process, which Ctrl-C in a terminal does not reach then: whoever
            is called can interrupt it, so that it is done once and the task can clean up.

    Returns:
        What the function returned.

    Raises:
        CrashError: when the process died (by which signal, or with which last words), returned
            nothing, or ran out of time.
        LamaEdgeError: what the function raised, of the same class where that can be imported
            here from lama-edge, or is already; else of the nearest base class that can.
    """
    with WatchedFolder() as watched:
        folder = watched.path
        request, reply, said = (folder / name for name in ("request.json", "reply.json", "log"))
        job = {"task": task, "payload": dict(payload), "tells": progress is not None}
        with temporary_room():
            request.write_text(json.dumps(job), encoding="utf-8")
            said.touch()
        command = [sys.executable, "-m", f"{_PACKAGE}.process", str(request), str(reply)]
        with said.open("r+b") as log:
            code, in_time = _wait(
                watched, command, environment or {}, log, timeout_s, progress, started
            )
            if not reply.exists():
                raise CrashError(
                    last_words(code, log)
                    if in_time
                    else f"the process did not finish within {timeout_s:g} s and was stopped"
                )
        answer = json.loads(reply.read_text(encoding="utf-8"))
    if "error" in answer:
        kind = _error_class(answer["error"])
        # Past the constructor, since that of somebody's own class may want more than a message.
        raise kind.__new__(kind, answer["message"])
    result: dict[str, Any] = answer["result"]
    return result


def _wait(
    watched: WatchedFolder,
    command: Sequence[str],
    environment: Mapping[str, str],
    log: IO[bytes],
    timeout_s: float | None,
    progress: Callable[[str], None] | None,
    started: Callable[[subprocess.Popen[str]], None] | None,
) -> tuple[int, bool]:
    """Return the process's exit code, and whether it ended by itself."""
    expired = threading.Event()
    with subprocess.Popen(
        command,
        env={**os.environ, **NO_CURRENT_FOLDER, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        encoding="utf-8",
        errors="replace",
        start_new_session=started is not None,
    ) as process:

        def stop() -> None:
            expired.set()
            process.kill()

        timer = None if timeout_s is None else threading.Timer(timeout_s, stop)
        try:
            with watched.running(process.pid):
                if started is not None:
                    started(process)
                if timer is not None:
                    timer.start()
                for line in process.stdout or ():
                    if progress is not None:
                        progress(line.rstrip("\n"))
                process.wait()
        except BaseException:
            process.kill()
            raise
        finally:
            if timer is not None:
                timer.cancel()
    return process.returncode, not expired.is_set()


def killed_by(number: int) -> str:
    """Say that a process was killed by a signal, and what that may mean."""
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    hint = ": the system may have run out of memory" if name == "SIGKILL" else ""
    return f"the process was killed by {name}{hint}"


def last_words(code: int, log: IO[bytes]) -> str:
    """Say how a process ended by itself: by which signal, or with which line of its stderr."""
    if code < 0:
        return killed_by(-code)
    log.seek(0)
    lines = log.read().decode(errors="replace").strip().splitlines() or ["no message"]
    return f"the process ended with code {code}: " + one_line(lines[-1][:_LAST_WORDS_CHARACTERS])


def _error_class(lineage: Sequence[Sequence[str]]) -> type[LamaEdgeError]:
    """Return the first class of a lineage, of (module, qualified name), that is known here."""
    for module, name in lineage:
        if module not in sys.modules and module.partition(".")[0] != _PACKAGE:
            continue
        try:
            found: Any = importlib.import_module(module)
            for part in name.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError, LamaEdgeError):
            continue
        if isinstance(found, type) and issubclass(found, LamaEdgeError):
            return found
    return LamaEdgeError


def own_output() -> int:
    """Return a descriptor of this process's output that is for its answers alone.

    What a task or a library prints goes to stderr, whichever way it reaches the descriptor.
    """
    kept = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return kept


def _serve(request: Path, reply: Path) -> None:
    """Call the task that `request` names and write what came of it to `reply`."""
    steps = os.fdopen(own_output(), "w", encoding="utf-8", buffering=1)
    job = json.loads(request.read_text(encoding="utf-8"))
    module, _, function = job["task"].partition(":")
    told = [lambda step: print(one_line(step), file=steps)] if job["tells"] else []
    try:
        task = getattr(importlib.import_module(module), function)
        answer = {"result": task(job["payload"], *told)}
    except LamaEdgeError as error:
        lineage = [
            (kind.__module__, kind.__qualname__)
            for kind in type(error).__mro__
            if issubclass(kind, LamaEdgeError)
        ]
        answer = {"error": lineage, "message": str(error)}
    unfinished = reply.with_suffix(".part")
    unfinished.write_text(json.dumps(answer), encoding="utf-8")
    unfinished.replace(reply)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), Path(sys.argv[2]))
