"""What comes back of a target, which is a stranger's: read within bounds, and without names."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Collection, Sequence
from typing import Any

from lama_edge.benchmarks.documents.store import WORKER, DocumentError, check_document
from lama_edge.errors import LamaEdgeError, one_line, printable, shown
from lama_edge.process import CrashError
from lama_edge.spec import Progress

MOST_SAID = 1000
# JSON's whole numbers that everything reads alike: as bytes 9 PB, as milliseconds 285,000 years.
_LARGEST = 1 << 53
# A target's clock may differ from ours by what the samples leave out, and by what the lines that
# tell of them need to arrive: by the larger of the two.
_CLOCK_SHARE, _CLOCK_SECONDS = 0.25, 2.0


class ClockError(LamaEdgeError):
    """A target whose clock went another way than this machine's."""


def read_answer(text: str, names: Collection[str]) -> dict[str, Any]:
    """Read what a program printed.

    Args:
        text: all of it.
        names: of the machine and its user, which no document may hold.

    Returns:
        Its document, see ``benchmarks/documents/schema/worker-1.schema.json``: texts of one line,
        short and free of control characters, but for the manifest; no name in its environment
        and notes.

    Raises:
        CrashError: when it is none.
    """
    try:
        answer = check_document(_tidied(json.loads(text)), WORKER)
    except (ValueError, RecursionError, DocumentError) as error:
        why = one_line(str(error)[:MOST_SAID])
        raise CrashError(f"the program's answer cannot be used: {why}") from error
    if answer["task"] == "machine":
        answer["result"]["environment"] = tidied(answer["result"]["environment"], names)
    if answer["model"] is not None:
        answer["model"]["notes"] = tidied(answer["model"]["notes"], names)
    return answer


def tidied(value: Any, names: Collection[str]) -> Any:
    """Return plain data that a place or program told, its texts short, plain and nameless."""
    if isinstance(value, str):
        return unnamed(_plain(value), names)
    if isinstance(value, dict):
        return {_plain(name): tidied(each, names) for name, each in value.items()}
    if isinstance(value, list):
        return [tidied(each, names) for each in value]
    return value


def unnamed(text: str, names: Collection[str]) -> str:
    """Return a text without names."""
    for name in sorted(names, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "…", text)
    return text


def _tidied(value: Any, name: str = "") -> Any:
    if isinstance(value, str):
        # A manifest is JSON in itself, of as many lines as it likes, and is read as a stranger's.
        return value if name == "manifest" else _plain(value)
    if isinstance(value, int | float) and not -_LARGEST <= value <= _LARGEST:
        raise ValueError(f"its {_plain(name) or 'value'} is {shown(value)}")
    if isinstance(value, dict):
        return {_plain(key): _tidied(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_tidied(each, name) for each in value]
    return value


def _plain(text: str) -> str:
    return printable(" ".join(text[:MOST_SAID].split()))


class Clock:
    """Holds times that a target tells to this machine's clock, from its making on.

    To be called with each step that the target tells.
    """

    def __init__(self, step: Progress) -> None:
        self._step = step
        self._begun = time.monotonic()
        self._told: dict[str, float] = {}

    def __call__(self, line: str) -> None:
        """Note when the target began its samples and when it had them."""
        if line in ("sampling", "sampled"):
            self._told[line] = time.monotonic()
        said = _plain(line)
        if said:
            self._step(said)

    def check_sampling(self, samples_ms: Sequence[float]) -> None:
        """Compare the time between both notes with that of the samples.

        Raises:
            ClockError: when the clocks do not agree.
            CrashError: when the program did not tell.
        """
        if self._told.keys() != {"sampling", "sampled"}:
            raise CrashError("the program did not tell when it sampled; is it of this release?")
        passed = self._told["sampled"] - self._told["sampling"]
        counted = sum(samples_ms) / 1e3
        if abs(passed - counted) > max(_CLOCK_SHARE * passed, _CLOCK_SECONDS):
            raise ClockError(
                f"the target's clock counted {counted:.1f} s of runs while {passed:.1f} s passed "
                "here: it was set, or the device slept; keep it awake and measure again"
            )

    def check_all(self, *times_ms: float) -> None:
        """Compare all that it counted since with the time that passed.

        Raises:
            ClockError: when it counted more.
        """
        passed, counted = time.monotonic() - self._begun, sum(times_ms) / 1e3
        if counted - passed > max(_CLOCK_SHARE * passed, _CLOCK_SECONDS):
            raise ClockError(
                f"the target's clock counted {counted:.3g} s while {passed:.1f} s passed here: it "
                "was set; measure again"
            )
