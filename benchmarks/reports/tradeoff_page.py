"""The page of a trade-off: what to take first, then the figures and pictures behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lama_edge.benchmarks.documents.pictures import ShownPicture
from lama_edge.benchmarks.documents.store import TRADEOFF
from lama_edge.benchmarks.documents.tradeoff_verdict import Verdict, others, speed_of, verdict_of
from lama_edge.benchmarks.reports import figures
from lama_edge.benchmarks.reports.charts.scatter import Scatter, Weighed, scatter
from lama_edge.benchmarks.reports.page import environment_facts, render, require
from lama_edge.benchmarks.reports.tradeoff_pictures import show_pictures

Row = Mapping[str, Any]

_ROLES = {
    "worst": "the farthest from fp32",
    "median": "the median",
    "photograph": "a photograph",
    "closest": "the closest to fp32",
    "first": "the first",
}
_LEVELS = 255
_KINDS = (("scene", "drawn scene", None), ("photograph", "photograph", None),
          ("own", "picture of your own", "pictures of your own"))  # fmt: skip


def tradeoff_page(document: Mapping[str, Any], *, pictures: Sequence[ShownPicture] = ()) -> str:
    """Return one self-contained HTML page about a document of `lama-edge tradeoff`.

    Args:
        document: one that fits its schema.
        pictures: what every precision made of any of its pictures.

    Raises:
        DocumentError: when the document does not fit its schema.
        MissingBackendError: when jinja2 is not installed.
    """
    document = require(document, TRADEOFF)
    rows = document["precisions"]
    names = [document["pictures"][shown.picture]["name"] for shown in pictures]
    pictured, legend = show_pictures(pictures, names)
    verdict = verdict_of(document)
    return render(
        "tradeoff.html.jinja",
        title=verdict.title,
        usable=verdict.closest is not None,
        sentences=verdict.sentences,
        checkpoint=document["checkpoint"],
        size=figures.size(document["size"]),
        weighed_on=_weighed_on(document["pictures"]),
        tiles=list(_tiles(document, verdict)),
        rows=[_summary(row) for row in rows],
        timed=document["timing"] is not None,
        charts=list(_charts(document)),
        pictured=[
            (name, _ROLES[shown.role], shown) for name, shown in zip(names, pictured, strict=True)
        ],
        legend=legend,
        closeness=[_closeness(row, document["pictures"]) for row in rows if row["closeness"]],
        latency=[_latency(row) for row in rows if row["latency"]],
        timing=_timing(document),
        cases=[_case(number, picture, rows) for number, picture in
               enumerate(document["pictures"])],
        compared=[row["precision"] for row in others(document)],
        making=[(row["precision"], _numerics(row)) for row in rows if row["numerics"]],
        environment=environment_facts(document),
        tool=document["tool"],
    )  # fmt: skip


def _weighed_on(pictures: Sequence[Mapping[str, Any]]) -> str:
    counts = [
        figures.count(number, noun, plural)
        for kind, noun, plural in _KINDS
        if (number := sum(picture["kind"] == kind for picture in pictures))
    ]
    return " and ".join(counts)


def _tiles(document: Mapping[str, Any], verdict: Verdict) -> Iterator[dict[str, str]]:
    smallest, fastest, closest = verdict.smallest, verdict.fastest, verdict.closest
    if smallest is not None:
        yield {
            "label": "Smallest within tolerance",
            "figure": figures.percent(smallest["size_share"]),
            "name": f"{smallest['precision']}, {figures.file_size(smallest['size_bytes'])}",
            "note": f"of fp32’s file; {_psnr(smallest['closeness'])} from fp32",
        }
    if fastest is not None:
        yield {
            "label": "Fastest within tolerance",
            "figure": figures.ratio(speed_of(fastest)),
            "name": f"{fastest['precision']}, {figures.duration(fastest['latency']['median_ms'])}",
            "note": f"as fast as fp32, {_interval(fastest['latency'])} with 95 % confidence",
        }
    elif document["timing"] is not None and others(document):
        yield {
            "label": "Fastest within tolerance",
            "figure": "fp32",
            "name": figures.duration(_median_ms(document["precisions"][0])),
            "note": "no other precision is surely faster on this device and runtime",
        }
    if closest is not None:
        found = closest["closeness"]
        yield {
            "label": "Closest within tolerance",
            "figure": _psnr(found),
            "name": f"{closest['precision']}, SNR {figures.decibels_of(found, 'snr_db')}",
            "note": f"its worst pixel differs by {_levels(found['max_abs_diff'])} of {_LEVELS}",
        }


def _median_ms(row: Row) -> float | None:
    return None if row["latency"] is None else row["latency"]["median_ms"]


def _summary(row: Row) -> dict[str, Any]:
    """Spell the figures that decide."""
    found, base = row["closeness"], row["precision"] == "fp32"
    timed = row["latency"]
    cells = []
    if found is not None:
        cells = [
            ("PSNR", "reference" if base else _psnr(found)),
            ("SNR", figures.UNKNOWN if base else figures.decibels_of(found, "snr_db")),
            (
                "Worst pixel",
                figures.UNKNOWN if base else _levels(found["max_abs_diff"]),
            ),
        ]
    return {
        "name": row["precision"],
        "note": timed["note"] if timed else None,
        "error": row["error"],
        "passed": None if found is None or base else found["passed"],
        "file": figures.file_size(row["size_bytes"]),
        "share": figures.percent(row["size_share"]),
        "median": figures.UNKNOWN if timed is None else figures.duration(timed["median_ms"]),
        "speed": "1×" if base and timed else figures.ratio(speed_of(row) or None),
        "sure": timed is not None and timed["note"] is None,
        "cells": cells,
    }


def _charts(document: Mapping[str, Any]) -> Iterator[Scatter]:
    """Draw closeness against size and, where it was measured, against latency."""
    rows = [row for row in document["precisions"] if row["closeness"] is not None]
    if len(rows) < 2:
        return
    yield scatter("File size", [_dot(row, "size") for row in rows], figures.file_unit)
    timed = [row for row in rows if row["latency"] is not None]
    if len(timed) > 1:
        yield scatter("Median latency", [_dot(r, "latency") for r in timed], figures.duration_unit)


def _dot(row: Row, cost: str) -> Weighed:
    found, base = row["closeness"], row["precision"] == "fp32"
    timed = row["latency"]
    by_size = cost == "size"
    value = row["size_bytes"] if by_size else timed["median_ms"]
    spelled = figures.file_size(value) if by_size else figures.duration(value)
    psnr = "the reference" if base else _psnr(found)
    return Weighed(
        name=row["precision"],
        cost=value,
        psnr_db=None if base else found["psnr_db"],
        tone="base" if base else "pass" if found["passed"] else "fail",
        hollow=not by_size and timed["note"] is not None,
        text=f"{row['precision']}: {spelled}, {psnr}",
    )


def _closeness(row: Row, pictures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    found, base = row["closeness"], row["precision"] == "fp32"
    worst, largest = found["worst_psnr"], found["largest"]
    place = f"{pictures[largest['picture']]['name']}, row {largest['row']}, "
    place += f"column {largest['column']}"
    where = [] if not found["max_abs_diff"] else [f"worst pixel in {place}"]
    if worst["psnr_db"] is not None:
        where.insert(0, f"worst picture {pictures[worst['picture']]['name']}")
    return {
        "name": row["precision"],
        "where": ["the reference"] if base and not where else where,
        "passed": found["passed"],
        "cells": [
            ("PSNR", _psnr(found)),
            ("SNR", figures.decibels_of(found, "snr_db")),
            ("Worst picture", figures.decibels(worst["psnr_db"], missing="equal")),
            ("Asked", figures.decibels(found["least_psnr_db"])),
            ("Worst pixel", figures.scientific(found["max_abs_diff"])),
            ("Allowed", figures.scientific(found["tolerance"])),
            ("Mean diff", figures.scientific(found["mean_abs_diff"])),
            ("Levels differing", figures.percent(found["levels_differing"])),
            ("SSIM", figures.ssim(found["ssim"])),
        ],
        "judged_by": row["judged_by"],
    }


def _latency(row: Row) -> dict[str, Any]:
    found = row["latency"]
    speed = found["speed"]
    return {
        "name": row["precision"],
        "warnings": [*filter(None, (found["note"],)), *found["warnings"]],
        "cells": [
            ("Median", figures.duration(found["median_ms"])),
            ("p90", figures.duration(found["p90_ms"])),
            ("Spread", figures.percent(found["spread"])),
            ("Speed", figures.ratio(speed["ratio"]) if speed else figures.UNKNOWN),
            ("95 % interval", _interval(found) if speed else figures.UNKNOWN),
            ("Samples", str(found["count"])),
            ("Load", figures.duration(found["load_ms"])),
            ("Peak memory", figures.memory(found["peak_memory_bytes"])),
        ],
    }


def _interval(latency: Mapping[str, Any]) -> str:
    low, high = latency["speed"]["low"], latency["speed"]["high"]
    return f"{figures.ratio(low)} to {figures.ratio(high)}"


def _timing(document: Mapping[str, Any]) -> str:
    found = document["timing"]
    if found is None:
        return ""
    purpose = f"exports --for {document['for']}, " if document.get("for") else ""
    return (
        f"{purpose}{found['runtime']}, {found['provider']} provider, "
        f"{figures.count(found['threads'], 'thread')}; "
        f"{figures.count(found['rounds'], 'round')}, interleaved, each in a fresh process"
    )


def _case(number: int, picture: Mapping[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
    found = [row["closeness"]["pictures"][number] for row in rows if row["closeness"]
             and row["precision"] != "fp32"]  # fmt: skip
    return {
        "name": picture["name"],
        "hole": figures.percent(picture["hole_share"]),
        "cells": [(_psnr(one), figures.scientific(one["max_abs_diff"])) for one in found],
    }


def _numerics(row: Row) -> list[tuple[str, str]]:
    return [(name.replace("_", " "), str(value)) for name, value in row["numerics"].items()]


def _psnr(found: Mapping[str, Any]) -> str:
    return figures.decibels(found["psnr_db"], missing="equal")


def _levels(largest: float) -> str:
    levels = largest * _LEVELS
    if 0 < levels < 1:
        return "under 1 level"
    return f"{figures.digits(levels) if levels < 10 else f'{levels:.0f}'} levels"
