"""What every place is: a machine where files can be put and programs be started."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from lama_edge.errors import one_line
from lama_edge.process import CrashError
from lama_edge.spec import Progress, untold

# What whoever comes second is told.
BUSY = "another measurement runs on this target: wait for its end, two would disturb each other"
_MOST_SAID = 300
# What runs on a target is a stranger's: of what it prints so much is taken at most. An answer about
# 10 minutes of runs of a millisecond each has 24 MB.
MOST_OUTPUT = 32 << 20
MOST_LINE = 1 << 14


@dataclass(frozen=True)
class Ended:
    """How a program ended.

    Attributes:
        code: its exit code; negative is the signal that killed it.
        output: what it wrote to standard output.
        last_words: the last line that it wrote to standard error; empty where it wrote nothing.
    """

    code: int
    output: str
    last_words: str

    @property
    def said(self) -> str:
        """Its last words as an error spells them."""
        return repr(one_line(self.last_words)[:_MOST_SAID]) if self.last_words else "no message"


def too_much(what: str, most: int) -> CrashError:
    """Return the error for a program that gives more than anything of ours does."""
    return CrashError(f"{what} is larger than {most} bytes: the program there is not of lama-edge")


def lines_of(stream: IO[str]) -> Iterator[str]:
    """Give a stream's lines without their ends; those over `MOST_LINE` come in pieces."""
    while line := stream.readline(MOST_LINE):
        yield line.rstrip("\r\n")


class Place(ABC):
    """A machine; a context manager, open while there is work.

    What is brought there lies in a folder of this session, which goes when the place is closed, as
    do the programs that it started. One session at a time has a device.

    Attributes:
        name: what documents call it: ``local``, ``ssh`` or ``adb``, never an address.
        shares_machine: whether it is this machine.
        names: of that machine and its user, which no document may hold; once it is open.
    """

    name: str
    shares_machine: bool = False
    names: Collection[str] = ()

    def __enter__(self) -> Place:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def open(self) -> None:
        """Connect, take the device for this session, and make the session's folder.

        Raises:
            MissingBackendError: when a program or package that this needs is not installed here.
            LamaEdgeError: when the machine cannot be reached, or another session has it; nothing
                is left behind then.
        """

    def claim(self) -> None:  # noqa: B027
        """Keep others from measuring there until it is closed, where opening it did not do so.

        Raises:
            LamaEdgeError: when another session measures there.
        """

    @abstractmethod
    def close(self) -> None:
        """Stop what runs there for this session and remove what was brought.

        Calling it again does nothing. It raises nothing: what hinders it is logged.
        """

    @abstractmethod
    def put(self, path: Path, beside: Sequence[Path] = ()) -> str:
        """Bring a file or a folder there; the same one is sent once.

        Args:
            path: on this machine; permission to execute travels with it.
            beside: further files that have to lie in the same folder there.

        Returns:
            Its absolute path there, which ends in its own name.

        Raises:
            LamaEdgeError: when it cannot be sent, such as for want of room; nothing of it is left.
        """

    @abstractmethod
    def new_path(self, name: str) -> str:
        """Return an absolute path of that name in a fresh folder of the session's, for a result."""

    @abstractmethod
    def fetch(self, there: str, here: Path, most_bytes: int) -> None:
        """Copy a file from there.

        Args:
            there: its absolute path there.
            here: where it goes on this machine; its folder exists.
            most_bytes: how large it can be; not much more is written.

        Raises:
            LamaEdgeError: when it is not there, cannot be copied, or is larger.
        """

    @abstractmethod
    def remove(self, there: str) -> None:
        """Remove a file or folder of the session's, if it is there; `put` sends it anew then.

        Nothing that `put` only found there, and did not bring, is removed.
        """

    @abstractmethod
    def run(
        self,
        command: Sequence[str],
        *,
        timeout_s: float | None = None,
        step: Progress = untold,
    ) -> Ended:
        """Start a program in an empty folder and wait for its end.

        Args:
            command: the program's name or absolute path, and its arguments.
            timeout_s: how long it may take, in seconds; None is for ever.
            step: called with each line of its standard error as it is written, without its end
                and cut at `MOST_LINE`; from the thread that waits or from another one.

        Returns:
            How it ended, whatever its exit code is. Where the system has no such program, the
            code is 127 as a shell's is; 126 for one that it does not start. Neither it nor what
            it started itself runs on, also when this call ends by an exception.

        Raises:
            CrashError: when time ran out; the message says so, with the time. When it printed more
                than `MOST_OUTPUT`.
            LamaEdgeError: when the connection is lost.
        """

    @abstractmethod
    def machine(self) -> str:
        """Return the processor as ``uname -m`` calls it, such as ``x86_64`` or ``aarch64``."""

    def facts(self) -> dict[str, Any]:
        """Return those fields of the documents' `environment` that the place alone knows."""
        return {}

    def sensors(self) -> dict[str, Any]:
        """Read those sensors that the place alone knows, named as `read_sensors` names them."""
        return {}
