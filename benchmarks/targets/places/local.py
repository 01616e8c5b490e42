"""This machine as a place: files stay where they are, programs run in groups of their own."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import shutil
import signal
import subprocess
import tempfile
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import platformdirs

from lama_edge.benchmarks.targets.places.base import (
    BUSY,
    MOST_OUTPUT,
    Ended,
    Place,
    lines_of,
    too_much,
)
from lama_edge.errors import LamaEdgeError, one_line
from lama_edge.process import CrashError, WatchedFolder, temporary_room
from lama_edge.spec import Progress, untold

_log = logging.getLogger(__name__)
_CHUNK = 1 << 16


class LocalPlace(Place):
    """See `Place`. Sessions of a user exclude each other only if they measure, see `claim`."""

    name = "local"
    shares_machine = True

    def __init__(self) -> None:
        self._session: WatchedFolder | None = None
        self._lock: IO[str] | None = None

    def open(self) -> None:
        """See `Place.open`."""
        self._session = WatchedFolder()

    def claim(self) -> None:
        """See `Place.claim`: a lock of this process's, which ends with it; none on Windows."""
        self._lock = self._lock or _locked()

    def close(self) -> None:
        """See `Place.close`."""
        session, self._session = self._session, None
        lock, self._lock = self._lock, None
        if session is not None:
            session.close()
        if lock is not None:
            lock.close()

    def put(self, path: Path, beside: Sequence[Path] = ()) -> str:
        """Return the path: it is here."""
        return str(path.absolute())

    def new_path(self, name: str) -> str:
        """See `Place.new_path`."""
        return str(Path(tempfile.mkdtemp(dir=self._opened().path), name))

    def fetch(self, there: str, here: Path, most_bytes: int) -> None:
        """See `Place.fetch`."""
        try:
            if Path(there).stat().st_size > most_bytes:
                raise too_much("the output", most_bytes)
            shutil.copyfile(there, here)
        except OSError as error:
            raise LamaEdgeError(f"cannot read {there!r}: {error.strerror or error}") from error

    def remove(self, there: str) -> None:
        """See `Place.remove`."""
        if self._opened().path in Path(there).parents:
            shutil.rmtree(there, ignore_errors=True)
            with contextlib.suppress(OSError):
                Path(there).unlink()

    def run(
        self,
        command: Sequence[str],
        *,
        timeout_s: float | None = None,
        step: Progress = untold,
    ) -> Ended:
        """See `Place.run`."""
        # In a user's folder a numpy.py of theirs would take the real one's place in Python.
        session = self._opened()
        with temporary_room():
            folder = tempfile.mkdtemp(dir=session.path)
        try:
            process = subprocess.Popen(
                [*command],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            code = 127 if isinstance(error, FileNotFoundError) else 126
            return Ended(code, "", error.strerror or one_line(error))
        with session.running(-process.pid):
            ended = _followed(process, timeout_s, step)
        shutil.rmtree(folder, ignore_errors=True)
        return ended

    def machine(self) -> str:
        """See `Place.machine`."""
        return platform.machine()

    def _opened(self) -> WatchedFolder:
        if self._session is None:
            raise LamaEdgeError("the target is closed: use it in a with block")
        return self._session


def _locked() -> IO[str] | None:
    """Return the file by which one session of a user measures at a time; None where none can be.

    Raises:
        LamaEdgeError: when another process has it.
    """
    try:
        import fcntl

        with warnings.catch_warnings():
            # Where the session has no such folder it is one among the temporary ones.
            warnings.simplefilter("ignore")
            folder = platformdirs.user_runtime_path("lama-edge", False, ensure_exists=True)
        file = (folder / "measuring.lock").open("w", encoding="utf-8")
    except (ImportError, OSError) as error:
        _log.info("others are not kept from measuring meanwhile: %s", one_line(error))
        return None
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise LamaEdgeError(BUSY) from error
    return file


def _followed(process: subprocess.Popen[str], timeout_s: float | None, step: Progress) -> Ended:
    """Follow a program to its end.

    Raises:
        CrashError: when time ran out, or it printed too much.
    """
    expired, flooded = threading.Event(), threading.Event()
    output: list[str] = []

    def wait() -> None:
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            expired.set()
        # What it started holds the pipes as well, and would be waited for.
        _kill(process)

    def take(stream: IO[str]) -> None:
        room = MOST_OUTPUT
        while chunk := stream.read(_CHUNK):
            room -= len(chunk)
            if room < 0:
                flooded.set()
                _kill(process)
                return
            output.append(chunk)

    last_words = ""
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        helpers = [
            threading.Thread(target=wait, daemon=True),
            threading.Thread(target=take, args=(process.stdout,), daemon=True),
        ]
        try:
            for helper in helpers:
                helper.start()
            for line in lines_of(process.stderr):
                last_words = line.strip() or last_words
                step(line)
            for helper in helpers:
                helper.join()
        except BaseException:
            _kill(process)
            # Before the pipe is closed that one of them reads.
            for helper in helpers:
                if helper.ident is not None:
                    helper.join()
            raise
    if expired.is_set():
        raise CrashError(f"the process did not finish within {timeout_s:g} s and was stopped")
    if flooded.is_set():
        raise too_much("what was printed", MOST_OUTPUT)
    return Ended(process.returncode, "".join(output), last_words)


def _kill(process: subprocess.Popen[str]) -> None:
    """End a program and all that it started in its group."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
