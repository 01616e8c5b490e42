"""This machine as a place: files stay where they are, programs run in groups of their own."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from lama_edge.benchmarks.targets.places.base import Ended, Place
from lama_edge.errors import LamaEdgeError, one_line
from lama_edge.process import CrashError


class LocalPlace(Place):
    """See `Place`. Sessions do not exclude each other here; other load is part of every round."""

    name = "local"
    shares_machine = True

    def __init__(self) -> None:
        self._folder: Path | None = None

    def open(self) -> None:
        """See `Place.open`."""
        self._folder = Path(tempfile.mkdtemp(prefix="lama-edge-"))

    def close(self) -> None:
        """See `Place.close`."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def put(self, path: Path, beside: Sequence[Path] = ()) -> str:
        """Return the path: it is here."""
        return str(path.absolute())

    def new_path(self, name: str) -> str:
        """See `Place.new_path`."""
        return str(Path(tempfile.mkdtemp(dir=self._opened()), name))

    def fetch(self, there: str, here: Path) -> None:
        """See `Place.fetch`."""
        try:
            shutil.copyfile(there, here)
        except OSError as error:
            raise LamaEdgeError(f"cannot read {there!r}: {error.strerror or error}") from error

    def remove(self, there: str) -> None:
        """See `Place.remove`."""
        if self._opened() in Path(there).parents:
            shutil.rmtree(there, ignore_errors=True)
            with contextlib.suppress(OSError):
                Path(there).unlink()

    def run(
        self,
        command: Sequence[str],
        *,
        timeout_s: float | None = None,
        step: Callable[[str], None] = lambda line: None,
    ) -> Ended:
        """See `Place.run`."""
        # In a user's folder a numpy.py of theirs would take the real one's place in Python.
        folder = tempfile.mkdtemp(dir=self._opened())
        with tempfile.TemporaryFile() as output:
            try:
                process = subprocess.Popen(
                    [*command],
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.PIPE,
                    encoding="utf-8",
                    errors="replace",
                    start_new_session=True,
                )
            except OSError as error:
                code = 127 if isinstance(error, FileNotFoundError) else 126
                return Ended(code, "", error.strerror or one_line(error))
            last_words, in_time = _followed(process, timeout_s, step)
            if not in_time:
                raise CrashError(
                    f"the process did not finish within {timeout_s:g} s and was stopped"
                )
            output.seek(0)
            text = output.read().decode(errors="replace")
        shutil.rmtree(folder, ignore_errors=True)
        return Ended(process.returncode, text, last_words)

    def machine(self) -> str:
        """See `Place.machine`."""
        return platform.machine()

    def _opened(self) -> Path:
        if self._folder is None:
            raise LamaEdgeError("the target is closed: use it in a with block")
        return self._folder


def _followed(
    process: subprocess.Popen[str], timeout_s: float | None, step: Callable[[str], None]
) -> tuple[str, bool]:
    """Follow a program to its end; returns its last words, and whether it ended by itself."""
    expired = threading.Event()

    def wait() -> None:
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            expired.set()
        # What it started holds the pipe as well, and would be waited for.
        _kill(process)

    waiter = threading.Thread(target=wait, daemon=True)
    last_words = ""
    with process:
        try:
            waiter.start()
            for line in process.stderr or ():
                last_words = line.strip() or last_words
                step(line.rstrip("\r\n"))
            waiter.join()
        except BaseException:
            _kill(process)
            raise
    return last_words, not expired.is_set()


def _kill(process: subprocess.Popen[str]) -> None:
    """End a program and all that it started in its group."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
