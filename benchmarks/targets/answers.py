"""What comes back of a target, which is a stranger's: read within bounds, and without names."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Collection, Sequence
from typing import Any

from lama_edge.benchmarks.documents.store import WORKER, DocumentError, check_document
from lama_edge.benchmarks.targets.base import Description
from lama_edge.benchmarks.targets.tasks.stopwatch import Policy
from lama_edge.errors import LamaEdgeError, one_line, printable, shown
from lama_edge.manifest import Manifest
from lama_edge.process import CrashError
from lama_edge.runtimes.registry import title_of
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
        return checked_answer(json.loads(text), names)
    except (ValueError, RecursionError) as error:
        raise _unusable(error) from error


def checked_answer(value: object, names: Collection[str]) -> dict[str, Any]:
    """Return a program's document, out of JSON, as `read_answer` does."""
    try:
        answer = check_document(_tidied(value), WORKER)
    except (ValueError, RecursionError, DocumentError) as error:
        raise _unusable(error) from error
    if answer["task"] == "machine":
        answer["result"]["environment"] = tidied(answer["result"]["environment"], names)
    if answer["model"] is not None:
        answer["model"]["notes"] = tidied(answer["model"]["notes"], names)
    return answer


def _unusable(error: Exception) -> CrashError:
    return CrashError(f"the program's answer cannot be used: {one_line(str(error)[:MOST_SAID])}")


def description(answer: dict[str, Any], *, by: str = "") -> Description:
    """Return what a program says of a model that it opened.

    Args:
        answer: to the task ``describe``, from `read_answer`.
        by: what stands behind the runtime's version.

    Raises:
        ModelError: when its manifest cannot be read.
    """
    model, result = answer["model"], answer["result"]
    runtime, version, provider = model["runtime"], model["version"] + by, model["provider"]
    return Description(
        Manifest.from_json(model["manifest"]),
        runtime,
        version,
        provider,
        title_of(runtime, version, provider),
        parts=tuple(model["parts"]),
        load_ms=result["load_ms"],
        placement=result["placement"],
        notes=tuple(model["notes"]),
    )


def check_same_model(told: Manifest, ours: Manifest | None) -> None:
    """Make sure that a program speaks of the file that it was brought.

    Raises:
        CrashError: when its manifest is another than the file's.
    """
    if told != ours:
        # Pictures are made, and references chosen, by what it says.
        raise CrashError("the program described another model than the one that was brought")


def checked_round(answer: dict[str, Any], policy: Policy, clock: Clock) -> dict[str, Any]:
    """Return the round of an answer to the task ``measure``.

    Raises:
        CrashError: when it is no such round.
        ClockError: when its times cannot be.
    """
    found: dict[str, Any] = answer["result"]["round"]
    samples, warmup = found["samples_ms"], found["warmup_ms"]
    if len(samples) < policy.min_runs or found["first_run_ms"] != warmup[0]:
        raise CrashError("the program did not do the runs that it was asked for")
    clock.check_sampling(samples)
    clock.check_all(found["load_ms"], *warmup, *samples)
    return found


def checked_sustained(answer: dict[str, Any], clock: Clock) -> dict[str, Any]:
    """Return what `Target.sustain` does of an answer to the task ``sustain``.

    Raises:
        CrashError: when runs and their times are not of one number, or run back.
        ClockError: when its times cannot be.
    """
    found: dict[str, Any] = answer["result"]["sustained"]
    at_s, samples = found["at_s"], found["samples_ms"]
    if len(at_s) != len(samples) or at_s != sorted(at_s):
        raise CrashError("the program did not tell when each of its runs began")
    clock.check_sampling(samples)
    clock.check_all(1e3 * max(at_s[-1], *(look["at_s"] for look in found["watched"])))
    return found


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
