"""What every program is: it answers ``docs/reference/worker.md`` on a place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from lama_edge.benchmarks.targets.places.base import Place


class Program(ABC):
    """A program that takes a request's file and prints its answer.

    Attributes:
        name: ``python`` or ``lama-edge-worker``; documents name it so.
        sha256: the hash of the program's file; None where it is not one file.
    """

    name: ClassVar[str]
    sha256: str | None = None

    @abstractmethod
    def prepare(self, place: Place) -> None:
        """Put what it needs, and check that it starts there.

        Args:
            place: an open one; the program stays there as long as it is.

        Raises:
            MissingBackendError: when it does not run there; the message says what to type.
            LamaEdgeError: when it cannot be sent.
        """

    @abstractmethod
    def command(self) -> list[str]:
        """Return what starts it there, after `prepare`; the request's path is appended to it."""
