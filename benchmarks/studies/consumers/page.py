"""Writes the matrix's tables into the documentation, from the committed result."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from lama_edge.benchmarks.studies.consumers.consumers import CONSUMERS, Consumer
from lama_edge.benchmarks.studies.consumers.run import Row, load_rows
from lama_edge.benchmarks.studies.generated import GeneratedPage, markdown_table

_UNKNOWN = "–"
_SIZES = {"fixed": "one size", "dynamic": "any size"}
_LOW = ("fp16", "w8", "int8")
_COUNTED = "lama-tiny"


class Notes:
    """The reasons below a table, numbered, each once."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def mark(self, text: str) -> str:
        """Return what stands in a cell for a reason."""
        if text not in self._texts:
            self._texts.append(text)
        return f"[{self._texts.index(text) + 1}]"

    def lines(self) -> list[str]:
        """Return the reasons as a list."""
        return [f"{number}. {text}" for number, text in enumerate(self._texts, start=1)]


def tables(rows: Sequence[Row]) -> str:
    """Return the tables of fp32 files, of lower precisions and of phones' accelerators."""
    notes = Notes()
    parts = [
        "Files in fp32: the largest difference from ONNX Runtime's own result, on the 0-to-1 scale "
        "for float files and in levels of 255 for uint8 ones; the worst of the nets. Where some or "
        "all nets fail, the bold figure is that of a wrong result that came without an error.",
        _fp32_table(rows, notes),
        "Other precisions: PSNR of the fill against torch in fp32, the worst of the nets and of "
        "both forms. Right is what exports are held to (fp16 55 dB, w8 40, int8 34), or at most "
        "3 dB less than ONNX Runtime has.",
        _low_table(rows, notes),
        "What does not work, and what it says:",
        "\n".join(notes.lines()),
        f"Nodes that phones' accelerators would take of `{_COUNTED}`, by ONNX Runtime's checker:",
        _counts_table(rows),
    ]
    return "\n" + "\n\n".join(parts) + "\n"


def _fp32_table(rows: Sequence[Row], notes: Notes) -> str:
    forms = [
        (f"{title}, {io}", {"size": size, "io": io, "purpose": "any"})
        for size, title in _SIZES.items()
        for io in ("float", "uint8")
    ]
    forms += [
        (f"`--for {purpose}`, {title}", {"size": size, "io": "float", "purpose": purpose})
        for purpose in ("cpu", "gpu")
        for size, title in _SIZES.items()
    ]
    forms = [(title, {**form, "precision": "fp32"}) for title, form in forms]
    return _table(rows, forms, notes, _difference)


def _low_table(rows: Sequence[Row], notes: Notes) -> str:
    forms = [
        (f"{precision}, {title}", {"size": size, "precision": precision, "purpose": "any"})
        for precision in _LOW
        for size, title in _SIZES.items()
    ]
    return _table(rows, forms, notes, _decibels)


def _table(
    rows: Sequence[Row],
    forms: Sequence[tuple[str, dict[str, str]]],
    notes: Notes,
    figure: Callable[[Sequence[Row]], str],
) -> str:
    lines = [["Consumer", "Version", *(title for title, _ in forms)]]
    for consumer in CONSUMERS:
        its = [row for row in rows if row["consumer"] == consumer.name]
        if not its or consumer.counts:
            continue
        version = " ".join(its[0]["versions"]).replace("@", "==").partition("==")[2]
        cells = [_cell(consumer, _of(its, form), notes, figure) for _, form in forms]
        lines.append([consumer.title, version, *cells])
    return markdown_table(lines, left=2)


def _of(rows: Sequence[Row], form: dict[str, str]) -> list[Row]:
    return [row for row in rows if all(row[name] == value for name, value in form.items())]


def _cell(
    consumer: Consumer,
    rows: Sequence[Row],
    notes: Notes,
    figure: Callable[[Sequence[Row]], str],
) -> str:
    if not rows:
        return _UNKNOWN
    failed = [row for row in rows if row["outcome"] != "right"]
    if not failed:
        return figure(rows)
    texts = dict.fromkeys(_reason(consumer, row) for row in failed)
    # Between brackets a space alone would be a link by reference.
    marks = ", ".join(notes.mark(text) for text in texts)
    share = "no" if len(failed) == len(rows) else f"{len(rows) - len(failed)} of {len(rows)}"
    wrong = [row for row in failed if row["outcome"] == "wrong"]
    worst = f": **{figure(wrong)}**" if wrong else ""
    return f"{share}{worst} {marks}"


def _reason(consumer: Consumer, row: Row) -> str:
    """Say why a cell is empty."""
    if row["outcome"] == "wrong":
        why = f": {row['note']}" if row["note"] else ""
        return f"{consumer.title}: wrong without a word{why}"
    said = row["note"].replace("`", "'")
    return f"{consumer.title}: {row['outcome']}, `{said}`"


def _difference(rows: Sequence[Row]) -> str:
    worst = max(row["max_abs_diff"] or 0.0 for row in rows)
    if rows[0]["io"] == "uint8":
        return f"{worst:.0f} level{'' if worst == 1 else 's'}"
    return f"{worst:.0e}".replace("e-0", "e-") if worst else "0"


def _decibels(rows: Sequence[Row]) -> str:
    found = [row for row in rows if row["psnr_db"] is not None]
    if not found:
        return "another shape"
    return f"{min(row['psnr_db'] for row in found):.1f} dB"


def _counts_table(rows: Sequence[Row]) -> str:
    counted = [row for row in rows if row["outcome"] == "counted" and row["model"] == _COUNTED]
    if not counted:
        return _UNKNOWN
    names = [part.rpartition(" ")[0] for part in counted[0]["note"].split(", ")]
    lines = [["File", *names]]
    for row in sorted(counted, key=lambda row: (row["purpose"], row["size"] != "fixed")):
        purpose = "" if row["purpose"] == "any" else f", `--for {row['purpose']}`"
        title = f"{row['precision']}, {_SIZES[row['size']]}, {row['io']}{purpose}"
        lines.append([title, *(part.rpartition(" ")[2].replace("/", " of ")
                               for part in row["note"].split(", "))])  # fmt: skip
    return markdown_table(lines)


PAGE = GeneratedPage(
    module="lama_edge.benchmarks.studies.consumers.page",
    description=__doc__,
    tag="consumers",
    result=Path("benchmarks/results/consumers.jsonl"),
    page=Path("docs/reference/consumers.md"),
    text=tables,
    load=load_rows,
)


if __name__ == "__main__":
    sys.exit(PAGE.main())
