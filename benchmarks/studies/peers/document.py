"""From measured rows to the document of peers, and of two documents one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from lama_edge.benchmarks.bench.summary import summarise, warnings_about
from lama_edge.benchmarks.documents.model_files import model_size_bytes
from lama_edge.benchmarks.documents.store import PEERS, heading
from lama_edge.benchmarks.studies.peers.entries import LIMIT, OURS
from lama_edge.benchmarks.targets.environment import environment
from lama_edge.errors import UsageError
from lama_edge.spec import Size

Document = dict[str, Any]
SECTIONS = ("entries", "growth", "dynamic")
_MEGAPIXEL = 1e6


@dataclass
class Row:
    """One entry while it is measured.

    Attributes:
        name: what the document calls it.
        description: what it is, in a sentence.
        size: of the picture.
        task: the function that measures it once through, see `run_isolated`.
        payload: what the task gets.
        file: the file that is measured.
        rounds: what the task gave, round by round.
        error: why there is no result.
    """

    name: str
    description: str
    size: Size
    task: str
    payload: dict[str, Any]
    file: Path | None = None
    rounds: list[dict[str, Any]] = field(default_factory=list)
    error: str | None = None


def document(
    settings: Mapping[str, Any],
    entries: Sequence[Row],
    growth: Sequence[Row],
    dynamic: Sequence[Row],
    left_out: Sequence[Mapping[str, str]],
) -> Document:
    """Return the document of measured rows; a section without rows is an empty list.

    An entry's `ratio` is its time over lama-edge's. In `growth` it is the time per pixel over
    that of the first size; in `dynamic` the time over that of the fixed graph of the same size.
    """
    found = {
        "entries": [_entry(row) for row in entries],
        "growth": [_entry(row) for row in growth],
        "dynamic": [_entry(row) for row in dynamic],
    }
    _add_ratios(found)
    return {
        **heading(PEERS),
        "measured_on": datetime.now(timezone.utc).date().isoformat(),
        "environment": environment(),
        "settings": dict(settings),
        "left_out": [dict(one) for one in left_out],
        **found,
    }


def merged(new: Document, old: Document) -> Document:
    """Return the new document with those sections of the old one that it did not measure.

    Raises:
        UsageError: when the two were not measured in the same environment with the same settings.
    """
    for name in ("tool", "environment"):
        if new[name] != old[name]:
            raise UsageError(
                f"the earlier result has another {name} than this run: measure all sections again"
            )
    for name in ("config", "threads"):
        if new["settings"][name] != old["settings"][name]:
            raise UsageError(
                f"the earlier result was measured with {name} {old['settings'][name]}, this one "
                f"with {new['settings'][name]}: measure all sections again"
            )
    kept = {name: old[name] for name in SECTIONS if not new[name]}
    if "entries" in kept:
        kept["left_out"] = old["left_out"]
        both = {name: old["settings"][name] for name in ("size", "entries", "limit")}
        kept["settings"] = {**new["settings"], **both}
    return {**new, **kept}


def _entry(row: Row) -> Document:
    entry: Document = {
        "name": row.name,
        "description": row.description,
        "size": str(row.size),
        "file_bytes": None if row.file is None or row.error else model_size_bytes(row.file),
        "error": row.error,
        "warnings": [],
        "limit": None,
        "ratio": None,
        **dict.fromkeys(_MEASURED),
        "samples_s": [],
    }
    if row.error is not None:
        return entry
    statistics = summarise(row.rounds)
    is_limit = row.name == LIMIT
    return {
        **entry,
        "runtime": row.rounds[0].get("runtime"),
        "median_s": statistics["median_ms"] / 1e3,
        "samples_s": [sample / 1e3 for one in row.rounds for sample in one["samples_ms"]],
        "spread": statistics["spread"],
        "first_run_s": None if is_limit else statistics["first_run_ms"] / 1e3,
        "load_s": None if is_limit else statistics["load_ms"] / 1e3,
        "s_per_megapixel": statistics["median_ms"]
        / 1e3
        / (row.size.height * row.size.width / _MEGAPIXEL),
        "peak_bytes": None if is_limit else statistics["peak_memory_bytes"],
        "max_abs_diff": row.rounds[0].get("max_abs_diff"),
        # The bound is one figure a round, the best of many runs: advice on samples misses it.
        "warnings": [] if is_limit else warnings_about(row.rounds, statistics),
        "limit": _best(row.rounds) if is_limit else None,
    }


_MEASURED = (
    "runtime",
    "median_s",
    "spread",
    "first_run_s",
    "load_s",
    "s_per_megapixel",
    "peak_bytes",
    "max_abs_diff",
)


def _best(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the limit's facts of the round in which the fastest convolution was fastest."""
    facts: dict[str, Any] = max(
        (one["limit"] for one in rounds), key=lambda limit: float(limit["gflop_per_s"])
    )
    return facts


def _add_ratios(found: Mapping[str, list[Document]]) -> None:
    ours = [row for row in found["entries"] if row["name"] == OURS]
    for row in found["entries"]:
        row["ratio"] = _over(row["median_s"], ours[0]["median_s"] if ours else None)
    for row in found["growth"]:
        row["ratio"] = _over(row["s_per_megapixel"], found["growth"][0]["s_per_megapixel"])
    fixed: dict[str, Any] = {}
    for row in found["dynamic"]:
        # The fixed graph of a size stands before the dynamic one.
        fixed.setdefault(row["size"], row["median_s"])
        row["ratio"] = _over(row["median_s"], fixed[row["size"]])


def _over(value: float | None, base: float | None) -> float | None:
    return None if value is None or base is None else value / base
