"""Writes the table of peers into the README, from the committed result.

Run it in a clone's top folder as ``python -m lama_edge.benchmarks.studies.peers.readme``; with
``--check`` it writes nothing and only says whether the README is out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from lama_edge.benchmarks.documents.store import PEERS, load_document
from lama_edge.benchmarks.reports import figures
from lama_edge.benchmarks.studies.generated import GeneratedPage, markdown_table
from lama_edge.benchmarks.studies.peers.document import cells

_NBSP = "\u00a0"
_OURS = "lama-edge-"
_PACKAGES = ("onnxruntime", "ai-edge-litert", "openvino", "executorch", "ncnn", "mnn", "torch")


def block(document: dict[str, Any]) -> str:
    """Return what stands between the markers: Markdown of a document of peers."""
    heads = ["", "Median", "Spread", "Over ours", "Peak memory", "File"]
    table = markdown_table(cells(document["entries"], heads))
    parts = [_setting(document), table, _fastest(document), _descriptions(document)]
    for section, text, ratio in (
        ("growth", "How lama-edge's time grows with the picture, graphs of one size each:",
         "Time per pixel"),
        ("dynamic", "The graph of any size beside the one of this size:", "Over fixed"),
    ):  # fmt: skip
        if document[section]:
            heads = ["", "Median", "First run", "A megapixel", ratio, "Peak memory"]
            parts += [text, markdown_table(cells(document[section], heads))]
    return "\n\n".join(filter(None, parts))


def _setting(document: dict[str, Any]) -> str:
    settings, environment = document["settings"], document["environment"]
    config = settings["config"]
    packages = ", ".join(
        f"{name} {environment['packages'][name]}"
        for name in _PACKAGES
        if name in environment["packages"]
    )
    sampling = settings["entries"]
    return (
        f"An `ffc_resnet` of {config['n_blocks']} blocks and ngf {config['ngf']} (big-lama has "
        f"18 and 64) with seeded weights, at {figures.size(settings['size'])}, "
        f"{figures.count(settings['threads'], 'thread')} of {environment['chip']} "
        f"({figures.count(environment['cores'], 'core')}), {packages}, "
        f"{document['measured_on']}. Warm runs, "
        f"{figures.count(sampling['rounds'], 'interleaved round')}, every entry in a process of "
        "its own in each; peak memory is that of the whole process. Each result was compared "
        "with torch's; how close int8 comes is no question for such weights, see "
        "[precision](docs/explanation/precision.md#int8)."
    )


def _fastest(document: dict[str, Any]) -> str:
    """Name the fastest of ours at each precision, whichever runtime it is in, and the others."""
    ours = [
        row for row in document["entries"] if row["name"].startswith(_OURS) and not row["error"]
    ]
    sentences = []
    for precision in dict.fromkeys(_precision(row) for row in ours):
        rows = [row for row in ours if _precision(row) == precision]
        first, *others = sorted(rows, key=lambda row: float(row["median_s"]))
        slower = [figures.ratio(row["median_s"] / first["median_s"]) for row in others]
        rest = "; the others' times are " if others else ""
        rest += ", ".join(
            f"{ratio} (`{row['name']}`)" for row, ratio in zip(others, slower, strict=True)
        )
        sentences.append(f"The fastest of ours in {precision} is `{first['name']}`{rest}.")
    return " ".join(sentences)


def _precision(row: dict[str, Any]) -> str:
    return str(row.get("precision", "fp32"))


def _descriptions(document: dict[str, Any]) -> str:
    lines = [f"- `{row['name']}`: {_description(row)}" for row in document["entries"]]
    lines += [f"- `{one['name']}`: not measured, {one['needs']} was not installed."
              for one in document["left_out"]]  # fmt: skip
    return "\n".join(lines)


def _description(row: dict[str, Any]) -> str:
    if row["error"]:
        return f"{row['description']} It failed: {row['error']}."
    if row["limit"] is None:
        return str(row["description"])
    limit = row["limit"]
    return (
        f"{row['description']} Here {figures.digits(limit['gflop'])}{_NBSP}GFLOP, and "
        f"{figures.digits(limit['gflop_per_s'])}{_NBSP}GFLOP/s in the {limit['fastest']}."
    )


PAGE = GeneratedPage(
    module="lama_edge.benchmarks.studies.peers.readme",
    description=__doc__,
    tag="peers",
    result=Path("benchmarks/results/peers.json"),
    page=Path("README.md"),
    text=block,
    load=lambda path: load_document(path, PEERS),
)


if __name__ == "__main__":
    sys.exit(PAGE.main())
