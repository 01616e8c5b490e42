"""How far a run is: what a person or a program is told while it goes, and at its end."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, NamedTuple

from lama_edge.runtimes.batch.rows import Row

# How far back the speed looks: as long, or as many pictures, whichever is more.
WINDOW_S = 60.0
WINDOW_PICTURES = 20
# A worker that took fewer is not judged, nor one that was not heard of for so many pictures' time.
JUDGED_PICTURES = 3
GONE_AFTER = 5


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
        failed: the others, with what was wrong; a picture's second mask is named too.
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

    Attributes:
        total: may change, as more is known.
        workers: how many work now; whoever knows says it here.
        waiting: see `Progress`; whoever knows says it here.
    """

    def __init__(self, total: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.total = total
        self.workers = 0
        self.waiting = ""
        self._clock = clock
        self._began = clock()
        self._written = 0
        self._unchanged = 0
        self._failed: dict[str, str] = {}
        self._worked = 0
        self._most_workers = 0
        # Since when what is in the window was worked on, and when each was there.
        self._since: float | None = None
        self._window: deque[float] = deque()
        self._of_worker: dict[str, _OfWorker] = {}

    def add(self, row: Row) -> None:
        """Count a row that is there now."""
        if row.status == "unchanged":
            self._unchanged += 1
            return
        if row.status == "written":
            self._written += 1
        else:
            more = f" with {row.mask}" if row.picture in self._failed else ""
            self._failed[row.picture + more] = row.error
        if row.attempts == 0:  # nobody worked on it: it has no mask, say
            return
        now = self._clock()
        self._worked += 1
        if self._since is None:
            self._since = max(self._began, now - row.seconds)
        self._window.append(now)
        worker = self._of_worker.setdefault(row.worker, _OfWorker())
        worker.seconds.append(row.seconds)
        worker.heard = now

    def progress(self) -> Progress:
        """Tell how far the run is now."""
        now = self._clock()
        self._most_workers = max(self._most_workers, self.workers)
        left = max(0, self.total - self._written - self._unchanged - len(self._failed))
        rate = self._rate(now)
        return Progress(
            total=self.total,
            written=self._written,
            unchanged=self._unchanged,
            failed=len(self._failed),
            workers=self.workers,
            seconds=now - self._began,
            pictures_per_second=rate,
            seconds_left=0.0 if left == 0 else left / rate if rate and not self.waiting else None,
            slowest=self._slowest(now),
            waiting=self.waiting,
        )

    def summary(self, record: str) -> Summary:
        """Tell what became of the run.

        Args:
            record: where the record is.
        """
        seconds = self._clock() - self._began
        return Summary(
            written=self._written,
            unchanged=self._unchanged,
            failed=dict(self._failed),
            seconds=seconds,
            pictures_per_second=self._worked / seconds if seconds else 0.0,
            workers=max(self._most_workers, self.workers),
            record=record,
        )

    def _rate(self, now: float) -> float:
        """Return the pictures a second of the last minute, or of the last few if that is longer."""
        while len(self._window) > WINDOW_PICTURES and self._window[0] < now - WINDOW_S:
            self._since = self._window.popleft()
        if self._since is None or now <= self._since:
            return 0.0
        return len(self._window) / (now - self._since)

    def _slowest(self, now: float) -> Slowest | None:
        known = [
            Slowest(name, median(one.seconds), len(one.seconds))
            for name, one in self._of_worker.items()
            if len(one.seconds) >= JUDGED_PICTURES
            and now - one.heard <= max(WINDOW_S, GONE_AFTER * median(one.seconds))
        ]
        return max(known, key=lambda one: one.seconds) if len(known) > 1 else None


@dataclass
class _OfWorker:
    """The seconds of a worker's last pictures, and when it was heard of."""

    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW_PICTURES))
    heard: float = 0.0
