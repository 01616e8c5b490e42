"""A worker's place for one picture at a time: a child process, replaced where it dies."""

from __future__ import annotations

import os
import pickle
import platform
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace

from lama_edge import __version__
from lama_edge.errors import SAYS_FLAGS, LamaEdgeError, UsageError
from lama_edge.process import NO_CURRENT_FOLDER, CrashError, last_words
from lama_edge.runtimes.batch.rows import Row
from lama_edge.runtimes.batch.work import Setup, Task

# A picture that kills its worker may have met another's fault, such as memory that others took:
# it has a second try, and no third.
TRIES = 2


class Slot:
    """Inpaints one picture at a time in a child process, and lives on where that one dies.

    Args:
        setup: what the run is.
        name: what rows call the worker.
    """

    def __init__(self, setup: Setup, name: str) -> None:
        self.setup = setup
        self._name = name
        self._child: _Child | None = None
        self._over = False

    @property
    def process(self) -> int | None:
        """The number of the child process, for who watches it; None where there is none."""
        return None if self._child is None else self._child.number

    def perform(self, task: Task) -> Row:
        """Inpaint a picture.

        Returns:
            The row of the run's record; it says what went wrong where it was the picture's fault,
            which it is when two child processes died of it.

        Raises:
            LamaEdgeError: what the whole run cannot go on with, such as a model that cannot be
                opened, or a store that is not reached.
        """
        death = ""
        for tried in range(1, TRIES + 1):
            try:
                row = self._open().perform(task)
            except CrashError as error:
                if self._over:
                    raise
                death = str(error)
                self._let_go()
                continue
            return replace(row, worker=self._name, attempts=tried)
        message = f"it killed its worker {TRIES} times; the last time {death}"
        return replace(task.failed(message), worker=self._name, attempts=TRIES)

    def close(self) -> None:
        """End the child, in the middle of a picture too; the slot is of no use any more."""
        self._over = True
        self._let_go()

    def _open(self) -> _Child:
        child = self._child
        if child is None or child.ended:
            self._let_go()
            child = self._child = _Child(self.setup)
        if self._over:  # since the child began to start
            self._let_go()
            raise CrashError("the run is over")
        return child

    def _let_go(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.close()


class _Child:
    """The process, seen from the one that started it."""

    def __init__(self, setup: Setup) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        says = {SAYS_FLAGS: "1"} if setup.says_flags else {}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lama_edge.runtimes.batch.child"],
            env={**os.environ, **NO_CURRENT_FOLDER, **says},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            # Ctrl-C is for the run: it ends its children when it has kept its record.
            start_new_session=True,
        )
        try:
            self._ask(setup)
        except CrashError as error:
            self.close()
            raise UsageError(
                f"no worker could open the model {setup.job.model!r} on {platform.node()}: {error}"
            ) from error
        except LamaEdgeError as error:
            self.close()
            if setup.job.cluster is None:
                raise
            # Such as a file that lies on other machines.
            raise type(error)(f"on {platform.node()}: {error}") from error
        except BaseException:
            self.close()
            raise

    @property
    def ended(self) -> bool:
        """Whether it went by itself, as after a while without a picture."""
        return self._process.poll() is not None

    @property
    def number(self) -> int:
        return self._process.pid

    def perform(self, task: Task) -> Row:
        row = self._ask(task)
        assert isinstance(row, Row)
        return row

    def _ask(self, question: object) -> object:
        """Say something and wait for the answer.

        Raises:
            CrashError: when it died instead.
            LamaEdgeError: what it answered.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            pickle.dump(question, stdin)
            stdin.flush()
            answer: object = pickle.load(stdout)  # noqa: S301 - of the process that was started here
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            raise CrashError(last_words(self._process.wait(), self._log)) from error
        if isinstance(answer, LamaEdgeError):
            raise answer
        return answer

    def close(self) -> None:
        self._process.kill()
        with self._process, self._log:
            pass


_mine = threading.local()
_slots: dict[str, list[Slot]] = {}
_adding = threading.Lock()


def perform(setup: Setup, task: Task) -> Row:
    """Inpaint a picture in the calling thread's slot, made for the run's first one.

    What an engine calls, in any of its worker's threads.

    Raises:
        LamaEdgeError: as `Slot.perform`; also when another version of lama-edge asks.
    """
    if setup.version != __version__:
        raise UsageError(
            f"{platform.node()} has lama-edge {__version__}, and the run is of {setup.version}: "
            "install the same version on all workers"
        )
    slot: Slot | None = getattr(_mine, "slot", None)
    if slot is None or slot.setup.run != setup.run:
        if slot is not None:
            slot.close()
        with _adding:
            run = _slots.setdefault(setup.run, [])
            slot = Slot(setup, f"{platform.node()}:{os.getpid()}/{len(run) + 1}")
            run.append(slot)
        _mine.slot = slot
    return slot.perform(task)


def close_run(run: str) -> None:
    """End the child processes that this process has for a run."""
    for slot in _slots.pop(run, []):
        slot.close()
