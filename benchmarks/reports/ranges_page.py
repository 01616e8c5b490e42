"""The page of measured ranges: whether a model fits fp16, where it is tight, and how it grows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lama_edge.benchmarks.documents.store import RANGES
from lama_edge.benchmarks.reports import figures
from lama_edge.benchmarks.reports.charts.curves import (
    Curves,
    curve,
    labelled,
    marker_of,
    octaves,
    spread_places,
)
from lama_edge.benchmarks.reports.page import environment_facts, render, require
from lama_edge.judging.ranges import MARKS

Row = Mapping[str, Any]

_BRANCHES = {
    "whole": "whole maps (encoder, decoder)",
    "local": "local branch",
    "global": "global branch",
    "spectrum": "spectral transform",
}
_MATRICES = "matrices"
# The percentile that the dashed line shows, by its key in the document.
_LOW_PERCENTILE = "99.9"
_TIGHTEST_SHOWN = 12
_GROWTH_HEIGHT_PX = 220
_LABEL_RAISED_PX = -6.0
_LABEL_LOWERED_PX = 14.0


def ranges_page(document: Mapping[str, Any]) -> str:
    """Return one self-contained HTML page about a document of `lama-edge ranges`.

    Args:
        document: one that fits its schema.

    Raises:
        DocumentError: when the document does not fit its schema.
        MissingBackendError: when jinja2 is not installed.
    """
    require(document, RANGES)
    rows = document["layers"]
    sizes = document["sizes"]
    tightest = sorted(rows, key=lambda row: (not row["not_finite"], -row["largest"]))
    return render(
        "ranges.html.jinja",
        title=_title(document),
        fits=not _leaving(document),
        model=document["model"],
        pictures=document["pictures"],
        pictures_count=figures.count(len(document["pictures"]), "picture"),
        tiles=list(_tiles(document, tightest[0])),
        chart=_layers_chart(document),
        legend=_legend(rows),
        low_percentile=_LOW_PERCENTILE,
        growth=_growth_chart(document) if len(sizes) > 1 else None,
        growth_rows=list(_growth_rows(rows, sizes)),
        sizes=[figures.size(size) for size in sizes],
        percents=[f"{percent} %" for percent in rows[0]["percentiles"]],
        tightest=[_cells(row, sizes) for row in tightest[:_TIGHTEST_SHOWN]],
        layers=[_cells(row, sizes) for row in rows],
        environment=environment_facts(document),
        tool=document["tool"],
    )


def _leaving(document: Mapping[str, Any]) -> list[Row]:
    """Return the values that fp16 cannot hold."""
    return [v for v in _maps(document) if {"not finite", "over fp16"} & set(v["marks"])]


def _maps(document: Mapping[str, Any]) -> list[Row]:
    """Return the values but those of the DFT's matrices, which exports keep in fp32."""
    return [value for value in document["values"] if value["branch"] != _MATRICES]


def _title(document: Mapping[str, Any]) -> str:
    name, leaving = document["model"]["name"], len(_leaving(document))
    if not leaving:
        return f"{name} stays within fp16’s range"
    verb = "leaves" if leaving == 1 else "leave"
    return f"{figures.count(leaving, 'value')} of {name} {verb} fp16’s range"


def _tiles(document: Mapping[str, Any], tightest: Row) -> Iterator[dict[str, str]]:
    largest = float(tightest["largest"])
    limit = document["limits"]["fp16_largest"]
    yield {
        "label": "Largest magnitude",
        "figure": figures.digits(largest),
        "name": str(tightest["peak"]),
        "note": f"{tightest['branch']} branch of {tightest['layer']}"
        if tightest["branch"] != "whole"
        else f"in {tightest['layer']}",
    }
    yield _head_room(largest, limit)
    counts = [sum(mark in value["marks"] for value in _maps(document)) for mark in MARKS]
    yield {
        "label": "Values with marks",
        "figure": str(sum(any(value["marks"]) for value in _maps(document))),
        "name": f"of {len(_maps(document))} measured",
        "note": ", ".join(f"{n} {name}" for n, name in zip(counts, MARKS, strict=True) if n)
        or "none passes a limit",
    }


def _head_room(largest: float, limit: float) -> dict[str, str]:
    tile = {
        "label": "Head-room to fp16’s largest",
        "figure": figures.UNKNOWN,
        "name": "every value is 0",
        "note": "below 0 it overflows; larger pictures need more",
    }
    if largest:
        tile["figure"] = f"{math.log2(limit / largest):+.1f} octaves".replace("-", "−")
        small, large = sorted((limit, largest))
        times = figures.ratio(large / small)
        texts = figures.digits(limit), "the largest magnitude"
        first, second = texts if large == limit else texts[::-1]
        tile["name"] = f"{first} is {times} {second}"
    return tile


def _legend(rows: Sequence[Row]) -> list[dict[str, str]]:
    seen = {row["branch"] for row in rows}
    return [
        {"name": name, "text": text, "marker": marker_of(name)}
        for name, text in _BRANCHES.items()
        if name in seen
    ]


def _layers_chart(document: Mapping[str, Any]) -> Curves:
    rows = [row for row in document["layers"] if row["branch"] in _BRANCHES]
    layers = list(dict.fromkeys(row["layer"] for row in rows))
    place = dict(zip(layers, spread_places(len(layers)), strict=True))
    limits = document["limits"]
    lows = [row["percentiles"][_LOW_PERCENTILE] for row in rows]
    axis = octaves([*(row["largest"] for row in rows), *lows, limits["fp16_largest"] * 1.01])
    curves = []
    for name in _BRANCHES:
        own = [row for row in rows if row["branch"] == name]
        curves.append(
            curve(
                name,
                [place[row["layer"]] for row in own],
                [row["largest"] for row in own],
                [f"{row['peak']}: {figures.digits(row['largest'])}" for row in own],
                axis,
                [row["percentiles"][_LOW_PERCENTILE] for row in own],
            )
        )
    starts: dict[str, float] = {}
    for layer in layers:
        starts.setdefault(layer.partition(".")[0], place[layer])
    return Curves(
        description=f"Largest magnitude of each branch over {len(layers)} layers, on a scale of "
        "powers of two; the table below has the figures",
        curves=tuple(one for one in curves if one.points),
        rows=axis.rows,
        places=labelled(starts),
        limits=(
            (axis.position(limits["fp16_largest"]), "65 504, fp16’s largest", _LABEL_RAISED_PX),
            (
                axis.position(limits["neural_engine_largest"]),
                "32 752, Neural Engine",
                _LABEL_LOWERED_PX,
            ),
        ),
    )


def _growth(rows: Sequence[Row], sizes: Sequence[str]) -> dict[str, list[float]]:
    """Return the largest magnitude of each branch at each size."""
    return {
        name: [
            max(row["by_size"].get(size, 0.0) for row in rows if row["branch"] == name)
            for size in sizes
        ]
        for name in _BRANCHES
        if any(row["branch"] == name for row in rows)
    }


def _growth_chart(document: Mapping[str, Any]) -> Curves:
    sizes = document["sizes"]
    found = _growth(document["layers"], sizes)
    axis = octaves([value for row in found.values() for value in row], height=_GROWTH_HEIGHT_PX)
    places = spread_places(len(sizes))
    return Curves(
        description="Largest magnitude of each branch by picture size; the table below has the "
        "figures",
        curves=tuple(
            curve(
                name,
                places,
                values,
                [
                    f"{name} at {figures.size(size)}: {figures.digits(value)}"
                    for size, value in zip(sizes, values, strict=True)
                ],
                axis,
            )
            for name, values in found.items()
        ),
        rows=axis.rows,
        places=tuple(
            (place, figures.size(size), "") for place, size in zip(places, sizes, strict=True)
        ),
        height=_GROWTH_HEIGHT_PX,
    )


def _growth_rows(rows: Sequence[Row], sizes: Sequence[str]) -> Iterator[dict[str, Any]]:
    for name, values in _growth(rows, sizes).items():
        yield {
            "name": _BRANCHES[name],
            "cells": [figures.digits(value) for value in values],
            "ratio": figures.ratio(values[-1] / values[0] if values[0] else None),
        }


def _cells(row: Row, sizes: Sequence[str]) -> dict[str, Any]:
    marks = row["marks"]
    return {
        "layer": row["layer"],
        "branch": row["branch"],
        "peak": row["peak"],
        "largest": figures.digits(row["largest"]),
        "percentiles": [figures.digits(value) for value in row["percentiles"].values()],
        "sizes": [
            figures.digits(row["by_size"][size]) if size in row["by_size"] else figures.UNKNOWN
            for size in sizes
        ],
        "marks": [
            (mark, "fail" if mark in ("not finite", "over fp16") else "warn") for mark in marks
        ],
    }
