"""From measured rows to the document of peers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from lama_edge.benchmarks.bench.summary import summarise, warnings_about
from lama_edge.benchmarks.documents.store import PEERS, heading
from lama_edge.benchmarks.reports import figures
from lama_edge.benchmarks.studies.peers.entries import LIMIT, OURS
from lama_edge.benchmarks.targets.tasks.environment import environment
from lama_edge.runtimes.model_files import model_size_bytes
from lama_edge.spec import Size

Document = dict[str, Any]
# How the columns of a table are spelled, by their headings; the heading of the ratio tells of what.
_CELLS: Mapping[str, Callable[[Document], str]] = {
    "Median": lambda row: figures.duration(row["median_s"] * 1e3),
    "Spread": lambda row: figures.percent(row["spread"]),
    "First run": lambda row: figures.duration(row["first_run_s"] and row["first_run_s"] * 1e3),
    "A megapixel": lambda row: figures.duration(row["s_per_megapixel"] * 1e3),
    "Peak memory": lambda row: figures.memory(row["peak_bytes"]),
    "File": lambda row: figures.file_size(row["file_bytes"]),
}
SECTIONS = ("entries", "growth", "dynamic")
_MEGAPIXEL = 1e6
_MEASURED = (
    "runtime", "median_s", "spread", "ratio", "first_run_s", "load_s", "s_per_megapixel",
    "peak_bytes", "max_abs_diff", "psnr_db", "limit",
)  # fmt: skip


@dataclass
class Row:
    """One entry while it is measured.

    Attributes:
        name: what the document calls it.
        description: what it is, in a sentence.
        size: of the picture.
        task: the function that measures it once through, see `run_isolated`.
        payload: what the task gets.
        precision: of the file.
        file: the file that is measured.
        rounds: what the task gave, round by round.
        error: why there is no result.
    """

    name: str
    description: str
    size: Size
    task: str
    payload: dict[str, Any]
    precision: str = "fp32"
    file: Path | None = None
    rounds: list[dict[str, Any]] = field(default_factory=list)
    error: str | None = None


def document(
    settings: Mapping[str, Any],
    rows: Mapping[str, Sequence[Row]],
    left_out: Sequence[Mapping[str, str]],
) -> Document:
    """Return the document of each section's rows; a section without rows is an empty list.

    An entry's `ratio` is its time over lama-edge's. In `growth` it is the time per pixel over
    that of the first size; in `dynamic` the time over that of the fixed graph of the same size.
    """
    found = {section: [_entry(row) for row in rows[section]] for section in SECTIONS}
    _add_ratios(found)
    return {
        **heading(PEERS),
        "measured_on": datetime.now(timezone.utc).date().isoformat(),
        "environment": environment(),
        "settings": dict(settings),
        "left_out": [dict(one) for one in left_out],
        **found,
    }


def cells(rows: Sequence[Document], headings: Sequence[str]) -> list[list[str]]:
    """Spell a section as a table.

    Args:
        rows: the section's.
        headings: what the names are of, and then the figures'.

    Returns:
        The cells, headings first.
    """
    columns = [_CELLS.get(heading, _ratio) for heading in headings[1:]]
    return [
        list(headings),
        *(
            [row["name"], "failed", *[figures.UNKNOWN] * (len(columns) - 1)]
            if row["error"] is not None
            else [row["name"], *(cell(row) for cell in columns)]
            for row in rows
        ),
    ]


def _ratio(row: Document) -> str:
    return figures.ratio(row["ratio"])


def _entry(row: Row) -> Document:
    entry: Document = {
        "name": row.name,
        "description": row.description,
        "precision": row.precision,
        "size": str(row.size),
        "file_bytes": None if row.file is None or row.error else model_size_bytes(row.file),
        "error": row.error,
        "warnings": [],
        "samples_s": [],
        **dict.fromkeys(_MEASURED),
    }
    if row.error is not None:
        return entry
    found = summarise(row.rounds)
    median_s = found["median_ms"] / 1e3
    entry.update(
        median_s=median_s,
        samples_s=[sample / 1e3 for one in row.rounds for sample in one["samples_ms"]],
        spread=found["spread"],
        s_per_megapixel=median_s / (row.size.height * row.size.width / _MEGAPIXEL),
    )
    if row.name == LIMIT:
        # The bound is one figure a round, the best of many runs: of the round in which the
        # fastest convolution was fastest. Advice on samples would miss it.
        limits = [one["limit"] for one in row.rounds]
        entry["limit"] = max(limits, key=lambda limit: float(limit["gflop_per_s"]))
        return entry
    peaks = [one["peak_memory_bytes"] for one in row.rounds]
    entry.update(
        runtime=row.rounds[0]["runtime"],
        first_run_s=found["cold_run_ms"] / 1e3,
        load_s=found["cold_load_ms"] / 1e3,
        peak_bytes=max((peak for peak in peaks if peak is not None), default=None),
        max_abs_diff=row.rounds[0]["max_abs_diff"],
        psnr_db=row.rounds[0]["psnr_db"],
        warnings=warnings_about(row.rounds, found),
    )
    return entry


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
