"""Writes the table of devices into the documentation, from the committed results.

Run it in a clone's top folder as ``python -m lama_edge.benchmarks.studies.device_page``; with
``--check`` it writes nothing and only says whether the page is out of date.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lama_edge.benchmarks.documents.store import BENCH, load_bench
from lama_edge.benchmarks.reports import figures
from lama_edge.benchmarks.reports.page import browser_title, device_name, require
from lama_edge.benchmarks.reports.runs import Document
from lama_edge.benchmarks.studies.generated import GeneratedPage, markdown_table

# Results of other commands, which have tables of their own.
_OTHERS = (
    "peers*.json", "int8.json", "coreml.json", "cpp.json", "web.json", "workers.json",
    "large-photograph.json",
)  # fmt: skip
_COLUMNS = (
    "Device", "Model", "Precision", "Runtime, provider", "Threads", "Size", "Median", "Spread",
    "Peak memory", "PSNR",
)  # fmt: skip
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
    return markdown_table([_COLUMNS, *rows], left=_COLUMNS.index("Threads")) + "\n"


def _order(document: Document) -> tuple[str, str, str]:
    """Sort by device; the text of the document settles what is otherwise equal."""
    return _device(document), document["measured_on"], json.dumps(document, sort_keys=True)


def _device(document: Document) -> str:
    environment = document["environment"]
    name, chip, browser = device_name(environment), environment["chip"], browser_title(environment)
    more = [
        text
        for text in (chip, browser)
        if text is not None and text != "unknown" and not name.startswith(text)
    ]
    return f"{name} ({', '.join(more)})" if more else name


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
    if found is None or (run["parity"] is not None and not run["parity"]["passed"]):
        measured = ["failed", *[figures.UNKNOWN] * 2]
    else:
        measured = [
            figures.duration(found["median_ms"]) + (" (⚠)" if run["warnings"] else ""),
            figures.percent(found["spread"]),
            figures.memory(run["memory_bytes"]),
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


def load_results(folder: Path) -> list[Document]:
    """Read all documents of `lama-edge bench` in a folder.

    Raises:
        UsageError: when a file cannot be opened.
        DocumentError: when a file holds something else.
    """
    paths = sorted(folder.glob("*.json"))
    return [load_bench(path) for path in paths if not any(map(path.match, _OTHERS))]


PAGE = GeneratedPage(
    module="lama_edge.benchmarks.studies.device_page",
    description=__doc__,
    tag="devices",
    result=Path("benchmarks/results"),
    page=Path("docs/reference/devices.md"),
    text=lambda documents: f"\n{device_table(documents)}",
    load=load_results,
)


if __name__ == "__main__":
    sys.exit(PAGE.main())
