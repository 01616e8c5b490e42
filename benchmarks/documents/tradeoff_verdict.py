"""From a trade-off's figures to what a user can act on: a verdict, and the pictures to look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lama_edge.benchmarks.documents.verdicts import closeness_verdict

Document = Mapping[str, Any]
Row = Mapping[str, Any]

# Files that differ by less are equally large to whoever downloads them: the closer one is chosen.
_ABOUT_EQUAL = 1.05


@dataclass(frozen=True)
class Verdict:
    """What a trade-off says, in words.

    Attributes:
        title: what to take, in a few words.
        sentences: why, and what to beware of.
        fastest: the row of the precision that is surely faster than fp32, the fastest of them;
            None where there is none or nothing was timed.
        smallest: the row of the smallest file.
        closest: the row that is closest to fp32.
    """

    title: str
    sentences: tuple[str, ...]
    fastest: Row | None
    smallest: Row | None
    closest: Row | None


def verdict_of(document: Document) -> Verdict:
    """Weigh the precisions that are within their tolerances.

    A precision counts as faster only where the whole interval of its speed lies above 1, and
    where the runtime that timed it computes in that precision.

    Args:
        document: one of the kind `documents.TRADEOFF`.
    """
    usable = [row for row in others(document) if row["closeness"]["passed"]]
    fastest = max(filter(_is_faster, usable), key=speed_of, default=None)
    least = min((row["size_bytes"] for row in usable), default=0)
    whole = _base(document)["size_bytes"]
    small = [r for r in usable if r["size_bytes"] <= _ABOUT_EQUAL * least < whole]
    smallest = max(small, key=_psnr_db, default=None)
    return Verdict(
        title=_title(document, usable, fastest, smallest),
        sentences=tuple(_sentences(document, fastest)),
        fastest=fastest,
        smallest=smallest,
        closest=max(usable, key=_psnr_db, default=None),
    )


def others(document: Document) -> list[Row]:
    """Return the rows that could be compared with fp32, without fp32's own."""
    rows = document["precisions"]
    return [r for r in rows if r["precision"] != "fp32" and r["closeness"] is not None]


def speed_of(row: Row) -> float:
    """Return how many times as fast as fp32 a precision is; 0 where that is not known."""
    found = row["latency"] and row["latency"]["speed"]
    return float(found["ratio"]) if found else 0.0


def choose_pictures(document: Document) -> dict[int, str]:
    """Choose the pictures to look at.

    In the order of the PSNR that the precision farthest from fp32 has on them: the worst, the
    median, and the worst of the photographs that is neither; without photographs, the closest.

    Returns:
        Indices into the document's ``pictures``, each with its role.
    """
    judged = others(document)
    if not judged:
        return {0: "first"}
    rows = min(judged, key=_psnr_db)["closeness"]["pictures"]
    order = sorted(range(len(rows)), key=lambda n: (_decibels(rows[n]), n))
    kinds = [picture["kind"] for picture in document["pictures"]]
    chosen = {order[0]: "worst"}
    chosen.setdefault(order[len(order) // 2], "median")
    photographs = [n for n in order if kinds[n] == "photograph" and n not in chosen]
    if photographs:
        chosen[photographs[0]] = "photograph"
    else:
        chosen.setdefault(order[-1], "closest")
    return chosen


def _base(document: Document) -> Row:
    row: Row = document["precisions"][0]
    return row


def _psnr_db(row: Row) -> float:
    return _decibels(row["closeness"])


def _decibels(figures: Mapping[str, Any]) -> float:
    found = figures["psnr_db"]
    return float("inf") if found is None else float(found)


def _is_faster(row: Row) -> bool:
    found = row["latency"]
    return bool(found and found["note"] is None and found["speed"] and found["speed"]["low"] > 1)


def _title(
    document: Document, usable: Sequence[Row], fastest: Row | None, smallest: Row | None
) -> str:
    if not others(document):
        return "There is only fp32: nothing to weigh it against"
    if not usable:
        return "Stay with fp32: nothing else is within its tolerance"
    if fastest is None and smallest is None:
        return "Stay with fp32: nothing else is smaller or faster here"
    if smallest is None:
        return f"Take {_name(fastest)}: {_times(speed_of(fastest or {}))} as fast as fp32"
    share = _percent(smallest["size_share"])
    if fastest is None:
        slow = any(row["latency"] and row["latency"]["note"] is None for row in usable)
        end = "; nothing was faster than fp32 here" if slow else ""
        return f"Take {_name(smallest)} for its size, {share} of fp32’s{end}"
    if fastest is smallest or fastest["size_bytes"] <= _ABOUT_EQUAL * smallest["size_bytes"]:
        speed = _times(speed_of(fastest))
        share = _percent(fastest["size_share"])
        return f"Take {_name(fastest)}: {speed} as fast as fp32, in {share} of its size"
    speed = _times(speed_of(fastest))
    return f"{_name(fastest)} for speed ({speed}), {_name(smallest)} for size ({share})"


def _sentences(document: Document, fastest: Row | None) -> Iterator[str]:
    for row in document["precisions"]:
        found = row["closeness"]
        if found is None:
            yield f"{_name(row)} has no figures: {row['error']}."
        elif not found["passed"]:
            yield f"{_name(row)} is out of tolerance: {closeness_verdict(found)}."
    half = next((row for row in others(document) if row["precision"] == "fp16"), None)
    if half is not None:
        timed = ", and must be timed on one" if half["latency"] else ""
        yield (
            "fp16 is judged as a device computes it that rounds every operator’s result to "
            f"fp16{timed}."
        )
    if document["calibration"] == "judged":
        yield (
            "Ranges were measured on the very pictures that are judged here: on others expect "
            "larger differences."
        )
    if document["timing"] is not None and fastest is not None:
        yield "Speed holds for this device and runtime alone."
    elif document["timing"] is None:
        yield "Nothing was timed."


def _name(row: Row | None) -> str:
    return "" if row is None else str(row["precision"])


def _times(ratio: float) -> str:
    return f"{ratio:.2g}×" if ratio < 10 else f"{ratio:.0f}×"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
