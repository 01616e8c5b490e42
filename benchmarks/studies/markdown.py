"""The runs of benchmark documents as a Markdown table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from lama_edge.benchmarks.documents.store import BENCH
from lama_edge.benchmarks.reports import figures
from lama_edge.benchmarks.reports.page import require
from lama_edge.benchmarks.reports.runs import Document

_COLUMNS = (
    "Device", "Model", "Precision", "Runtime, provider", "Threads", "Size", "Median", "Spread",
    "Peak memory", "PSNR",
)  # fmt: skip
_FIGURES_FROM = _COLUMNS.index("Threads")
_NBSP = "\u00a0"
_EMPTY = "No results are committed yet."


def device_table(documents: Sequence[Document]) -> str:
    """Return a Markdown table of all runs, sorted by device and then as their documents have them.

    Args:
        documents: benchmark documents that fit their schema, in any order.

    Raises:
        DocumentError: when a document does not fit its schema.
    """
    for document in documents:
        require(document, BENCH)
    rows = [
        _row(document, run)
        for document in sorted(documents, key=_order)
        for run in document["runs"]
    ]
    if not rows:
        return _EMPTY + "\n"
    rule = ["---" if i < _FIGURES_FROM else "---:" for i in range(len(_COLUMNS))]
    lines = [" | ".join(cells) for cells in (_COLUMNS, rule, *rows)]
    return "".join(f"| {line} |\n" for line in lines)


def _order(document: Document) -> tuple[str, str, str]:
    """Sort by device; the text of the document settles what is otherwise equal."""
    return _device(document), document["measured_on"], json.dumps(document, sort_keys=True)


def _device(document: Document) -> str:
    environment = document["environment"]
    chip, device = environment["chip"], environment.get("device")
    return f"{device} ({chip})" if device and device != chip else str(chip)


def _row(document: Document, run: dict[str, Any]) -> list[str]:
    found, quality = run["statistics"], run["quality"]
    model = run["model"]
    precision = model.get("precision") or figures.UNKNOWN
    batch = "" if run["batch"] == 1 else f", batch {run['batch']}"
    setting = [
        _device(document),
        model["name"],
        precision,
        ", ".join(str(part) for part in (run.get("runtime"), run.get("provider")) if part),
        figures.UNKNOWN if run.get("threads") is None else str(run["threads"]),
        figures.size(run["size"]) + batch,
    ]
    if found is None:
        measured = ["failed", *[figures.UNKNOWN] * 2]
    else:
        measured = [
            figures.duration(found["median_ms"]) + (" (⚠)" if run["warnings"] else ""),
            figures.percent(found["spread"]),
            figures.memory(found["peak_memory_bytes"]),
        ]
    psnr = figures.UNKNOWN
    if quality is not None:
        psnr = figures.decibels(quality["psnr_db"], missing="equal")
    return [_escaped(cell) for cell in (*setting, *measured, psnr)]


def _escaped(text: str) -> str:
    """Keep what Markdown or HTML would obey from being more than text."""
    flat = "".join(sign if sign.isprintable() or sign == _NBSP else " " for sign in text)
    for sign in "\\`*_[]|":
        flat = flat.replace(sign, "\\" + sign)
    return flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
