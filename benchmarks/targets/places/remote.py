"""Places that a shell can be reached on: what connections of any kind have in common."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import queue
import re
import shlex
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from lama_edge.benchmarks.targets.places.base import BUSY, Ended, Place
from lama_edge.benchmarks.targets.places.guardian import GUARDIAN, SESSION
from lama_edge.errors import SAYS_FLAGS, LamaEdgeError, one_line, parameter, shown
from lama_edge.process import CrashError
from lama_edge.spec import Progress, untold

_log = logging.getLogger(__name__)
# How often the guardian hears that this session lives, and after how long without it acts.
BEAT_S = 5.0
PATIENCE_S = 30
# Opening ends processes of a session that broke off, closing those of this one.
_TIDY_S = 30.0
_NO_ROOM = "No space left"
# What a text is searched for; a machine that calls itself ``a`` has nothing to hide.
_NAME = re.compile(r"[\w.:-]{2,255}")
_LONGEST_PATH, _MOST_SAID = 4096, 300
# The guardian answers word by word.
_MOST_ANSWERS = 16
# What is said where no more is known of it.
LOST = "the connection to the target was lost"


class UnreachedError(LamaEdgeError):
    """No connection to a machine; brackets in the message may name it and its user."""


class LostError(LamaEdgeError):
    """A connection that broke off; the place cannot be used any more."""


class Held(ABC):
    """A script that runs as long as its input is held open."""

    @abstractmethod
    def send(self, line: str) -> None:
        """Write a line to its input; nothing happens where it has ended."""

    @abstractmethod
    def lines(self) -> Iterator[str]:
        """Give its output line by line until it ends or the connection does; read by one thread."""

    @abstractmethod
    def close(self) -> None:
        """End its input."""


class Transport(ABC):
    """A connection to a machine; its methods are called by one thread, but for `abort`.

    Attributes:
        session: what each script of the session begins with, see `SESSION`; set by `RemotePlace`.
    """

    session: str = ""

    @abstractmethod
    def open(self) -> None:
        """Connect.

        Raises:
            MissingBackendError: when a program or package that this needs is not installed here.
            LamaEdgeError: when the machine cannot be reached; the message says what to do.
        """

    @abstractmethod
    def close(self) -> None:
        """Disconnect; calling it again does nothing."""

    @abstractmethod
    def abort(self, reason: str) -> None:
        """Let what is going on, and all that is asked later, fail with `LostError` and a reason."""

    @abstractmethod
    def execute(
        self,
        script: str,
        *,
        timeout_s: float | None = None,
        step: Progress = untold,
    ) -> Ended:
        """Run a script by ``sh -c``, after `session`, and wait for its end; its input is empty.

        Args:
            script: free of backslashes.
            timeout_s: how long it may take, in seconds; None is for ever.
            step: called with each line of its standard error as it comes.

        Raises:
            TimeoutError: when time ran out; it may run on there.
            LostError: when the connection breaks off.
        """

    @abstractmethod
    def hold(self, script: str, *words: str) -> Held:
        """Start a script, without `session`, whose input stays open.

        Args:
            script: as for `execute`.
            words: its ``$0``, ``$1`` and so on.
        """

    @abstractmethod
    def push(self, local: Path, remote: str) -> None:
        """Copy a file's content there; its folder is made where it is missing.

        Raises:
            LamaEdgeError: with the reason as the target says it.
        """

    @abstractmethod
    def pull(self, remote: str, local: Path, most_bytes: int) -> None:
        """Copy a file from there; not much more than so many bytes, whatever comes.

        Raises:
            LamaEdgeError: with the reason as the target says it, or when it is larger.
        """


class RemotePlace(Place):
    """A place at the other end of a connection."""

    def __init__(
        self, transport: Transport, *, folder: str, lock: str, names: Collection[str] = ()
    ) -> None:
        """Take a connection that is not open yet.

        Args:
            transport: the connection.
            folder: where the session's folder is made there; ``~/`` at its begin is the home.
            lock: an absolute path there, the same one for all who measure on that device.
            names: of the machine and its user, as the address has them.
        """
        self.transport = transport
        self._known_by = names
        self._parent, self._lock = folder, lock
        self._guardian: _Guardian | None = None
        self._folder = ""
        self._count = itertools.count()
        self._sent: dict[tuple[object, ...], str] = {}

    def open(self) -> None:
        """See `Place.open`."""
        try:
            self.transport.open()
            words = ("lama-edge-guardian", self._parent, self._lock, str(PATIENCE_S))
            self._guardian = _Guardian(self.transport.hold(GUARDIAN, *words), self.transport.abort)
            self._folder = self._guardian.begin()
            session = SESSION.format(folder=shlex.quote(self._folder))
            if SAYS_FLAGS in os.environ:
                session = f"export {SAYS_FLAGS}=1 && {session}"
            self.transport.session = session
            asked = self._shell("uname -n; id -un 2>/dev/null || :").splitlines()[:2]
            self.names = {name for name in (*self._known_by, *asked) if _NAME.fullmatch(name)}
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """See `Place.close`."""
        guardian, self._guardian = self._guardian, None
        self.transport.session = ""
        self._sent.clear()
        try:
            if guardian is not None:
                guardian.end()
        except (LamaEdgeError, OSError) as error:
            _log.warning("what was brought to the target may be left: %s", one_line(error))
        finally:
            self.transport.close()

    def put(self, path: Path, beside: Sequence[Path] = ()) -> str:
        """See `Place.put`."""
        files = [path, *beside]
        key = tuple((file.resolve(), *_state(file)) for file in files)
        if key not in self._sent:
            folder = self._fresh()
            try:
                for file in files:
                    self._send(file, folder)
            except LostError:
                raise
            except LamaEdgeError as error:
                self._shell(f"rm -rf {shlex.quote(folder)}")
                reason, mend = one_line(error), "look at it there"
                if _NO_ROOM in reason:
                    mend = (
                        "free some room there, or name another place with "
                        f"{parameter('remote_folder')}"
                    )
                raise LamaEdgeError(
                    f"{path.name!r} cannot be brought to the target ({reason}): {mend}"
                ) from error
            self._sent[key] = f"{folder}/{path.name}"
        return self._sent[key]

    def new_path(self, name: str) -> str:
        """See `Place.new_path`."""
        folder = self._fresh()
        self._shell(f"mkdir -p {shlex.quote(folder)}")
        return f"{folder}/{name}"

    def fetch(self, there: str, here: Path, most_bytes: int) -> None:
        """See `Place.fetch`."""
        self.transport.pull(there, here, most_bytes)

    def remove(self, there: str) -> None:
        """See `Place.remove`."""
        path = PurePosixPath(there)
        brought = PurePosixPath(self._folder, "files")
        if brought not in path.parents:
            return
        folder = brought / path.relative_to(brought).parts[0]
        self._shell(f"rm -rf {shlex.quote(str(folder))}")
        self._sent = {
            key: sent
            for key, sent in self._sent.items()
            if folder not in PurePosixPath(sent).parents
        }

    def run(
        self,
        command: Sequence[str],
        *,
        timeout_s: float | None = None,
        step: Progress = untold,
    ) -> Ended:
        """See `Place.run`."""
        program, *words = command
        home = "~/"
        name = shlex.quote(program.removeprefix(home))
        script = f"exec {home if program.startswith(home) else ''}{name} {shlex.join(words)}"
        try:
            ended = self.transport.execute(script, timeout_s=timeout_s, step=step)
        except TimeoutError as error:
            self._stop()
            raise CrashError(
                f"the process did not finish within {timeout_s:g} s and was stopped"
            ) from error
        except BaseException:
            # The reason is this one, whatever comes of stopping.
            with contextlib.suppress(LostError):
                self._stop()
            raise
        # It may have started others.
        self._stop()
        # What a shell on the way says of a process that was killed.
        return replace(ended, code=128 - ended.code) if ended.code > 128 else ended

    def machine(self) -> str:
        """See `Place.machine`."""
        return self._shell("uname -m").strip()

    def _stop(self) -> None:
        if self._guardian is not None:
            self._guardian.stop()

    def _fresh(self) -> str:
        return f"{self._folder}/files/{next(self._count)}"

    def _shell(self, script: str) -> str:
        """Return what a short script prints.

        Raises:
            LamaEdgeError: when it fails, with its last words.
        """
        try:
            ended = self.transport.execute(script, timeout_s=_TIDY_S)
        except TimeoutError as error:
            raise LostError(f"the target did not answer within {_TIDY_S:g} s") from error
        if ended.code != 0:
            raise LamaEdgeError(ended.last_words or f"exit code {ended.code}")
        return ended.output

    def _send(self, path: Path, folder: str) -> None:
        """Bring a file, or a folder with all its files."""
        files = [path]
        if path.is_dir():
            files = sorted(file for file in path.rglob("*") if file.is_file())
        names = [f"{folder}/{file.relative_to(path.parent).as_posix()}" for file in files]
        for file, name in zip(files, names, strict=True):
            self.transport.push(file, name)
        programs = [
            name for file, name in zip(files, names, strict=True) if os.access(file, os.X_OK)
        ]
        if programs:
            self._shell(f"chmod 755 {shlex.join(programs)}")


def _state(path: Path) -> tuple[int, int]:
    """Return what tells a file from the one that lay there before."""
    found = path.stat()
    return found.st_mtime_ns, found.st_size


class _Guardian:
    """The other end of `GUARDIAN`: each hears of the other that it lives."""

    def __init__(self, held: Held, lost: Callable[[str], None]) -> None:
        """Begin to listen.

        Args:
            held: the script.
            lost: called once, with the reason, when it is not heard any more.
        """
        self._held, self._lost = held, lost
        self._answers: queue.Queue[str | None] = queue.Queue()
        self._heard = time.monotonic()
        self._over = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def begin(self) -> str:
        """Return the session's folder, and tell from now on that the session lives."""
        word, _, rest = self._answer().partition(" ")
        if word != "folder":
            self._over.set()  # nothing was begun
        if word == "busy":
            raise LamaEdgeError(BUSY)
        if word == "failed":
            raise LamaEdgeError(f"the target cannot be used: {one_line(rest[:_MOST_SAID])}")
        if word != "folder" or not rest.startswith("/") or len(rest) > _LONGEST_PATH:
            raise LamaEdgeError(
                f"the target's shell said {shown(f'{word} {rest}')} at first: let it be silent "
                "where it has no terminal, and see that it runs commands"
            )
        threading.Thread(target=self._beat, daemon=True).start()
        return rest

    def stop(self) -> None:
        """End the processes of the session."""
        if not self._over.is_set():
            self._held.send("stop")
            self._answer()

    def end(self) -> None:
        """End the session."""
        if not self._over.is_set():
            self._over.set()
            self._held.send("end")
            self._answer()
        self._held.close()

    def _answer(self) -> str:
        try:
            answer = self._answers.get(timeout=_TIDY_S)
        except queue.Empty:
            answer = None
        if answer is None:
            self._give_up(LOST)
            raise LostError(LOST)
        return answer

    def _listen(self) -> None:
        for line in self._held.lines():
            self._heard = time.monotonic()
            if line != "beat":
                self._answers.put(line)
            if self._answers.qsize() > _MOST_ANSWERS:
                break
        self._answers.put(None)
        self._give_up(LOST)

    def _beat(self) -> None:
        while not self._over.wait(BEAT_S):
            if time.monotonic() - self._heard > PATIENCE_S:
                self._give_up(f"nothing was heard of the target for {PATIENCE_S} s")
            else:
                self._held.send("beat")

    def _give_up(self, reason: str) -> None:
        if not self._over.is_set():
            self._over.set()
            self._lost(reason)
