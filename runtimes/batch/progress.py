"""How far a run is: what a person or a program is told while it goes, and at its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from lama_edge.runtimes.batch.rows import Row


class Slowest(NamedTuple):
    """The worker whose pictures take longest.

    Attributes:
        worker: its name.
        seconds: median of its last pictures.
        pictures: how many those are.
    """

    worker: str
    seconds: float
    pictures: int


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        total: how many pictures the run has.
        written: how many it wrote.
        unchanged: how many had their result from a run before.
        failed: how many have none.
        workers: how many work.
        seconds: since the run began.
        pictures_per_second: of late, unchanged ones not counted.
        seconds_left: at that speed; None where nobody knows.
        slowest: of several workers; None where nobody knows.
        waiting: what the run waits for, such as a worker; "" where it goes on.
    """

    total: int
    written: int
    unchanged: int
    failed: int
    workers: int
    seconds: float
    pictures_per_second: float
    seconds_left: float | None
    slowest: Slowest | None
    waiting: str

    @property
    def done(self) -> int:
        """How many pictures are settled, the failed ones too."""
        return self.written + self.unchanged + self.failed

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        slowest = None if self.slowest is None else self.slowest._asdict()
        return {**asdict(self), "done": self.done, "slowest": slowest}


@dataclass(frozen=True)
class Summary:
    """What became of a run.

    Attributes:
        written: how many pictures it wrote.
        unchanged: how many had their result from a run before.
        failed: the others, with what was wrong.
        seconds: that the run took.
        pictures_per_second: over all of it, unchanged ones not counted.
        workers: how many worked, at most.
        record: where the record is.
    """

    written: int
    unchanged: int
    failed: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    pictures_per_second: float = 0.0
    workers: int = 0
    record: str = ""

    @property
    def total(self) -> int:
        """How many pictures the run had."""
        return self.written + self.unchanged + len(self.failed)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return asdict(self)


class Tally:
    """Counts a run's rows, and tells how far the run is.

    Args:
        total: how many pictures the run has.
        clock: the time in seconds, as `time.monotonic` gives it.
    """

    def __init__(self, total: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.total = total
        self.workers = 0
        """How many work now; whoever knows says it here."""
        self.waiting = ""
        """See `Progress`."""
        self._clock = clock

    def add(self, row: Row) -> None:
        """Count a row that is there now."""
        raise NotImplementedError

    def progress(self) -> Progress:
        """Tell how far the run is now."""
        raise NotImplementedError

    def summary(self, record: str) -> Summary:
        """Tell what became of the run.

        Args:
            record: where the record is.
        """
        raise NotImplementedError
