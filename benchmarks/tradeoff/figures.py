"""The figures of one precision: how far from fp32 inside the holes, and how fast beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.benchmarks.bench.bootstrap import ratio_interval
from lama_edge.benchmarks.documents.pictures import ShownPicture
from lama_edge.benchmarks.documents.verdicts import closeness_verdict
from lama_edge.benchmarks.parity.rows import Side, case_pictures, short, spelled
from lama_edge.judging.cases import ParityCase
from lama_edge.judging.judge import case_figures
from lama_edge.judging.metrics import absolute_differences, differences
from lama_edge.judging.tolerances import Tolerance

Figures = dict[str, Any]

_SEED = 20231


def empty_row(precision: str) -> Figures:
    """Return the document's row of a precision of which nothing is known yet."""
    return {
        "precision": precision,
        "error": None,
        "size_bytes": None,
        "size_share": None,
        "numerics": None,
        "judged_by": None,
        "closeness": None,
        "latency": None,
    }


def closeness(
    cases: Sequence[ParityCase],
    reference: Side,
    model: Side,
    tolerance: Tolerance,
    *,
    known_changed: Sequence[float | None],
) -> Figures:
    """Compare a precision with fp32 over the holes of all cases.

    Args:
        cases: what both were given.
        reference: what fp32 made of them.
        model: what the precision made of them.
        tolerance: how far it may be from fp32.
        known_changed: for each case the share of known values that the model changed.

    Returns:
        The document's ``closeness``.
    """
    rounded = reference.rounded + model.rounded
    rows, places = [], []
    for number, case in enumerate(cases):
        wanted, output = reference.outputs[number], model.outputs[number]
        found = case_figures(case, wanted, output, rounded_sides=rounded)
        rows.append(spelled(found.differences, found.ssim))
        places.append(_largest(case, wanted, output, rounded))
    pooled = differences(
        *(_holes(cases, side.outputs) for side in (reference, model)), rounded_sides=rounded
    )
    changed = max((share or 0.0 for share in known_changed), default=0.0)
    most = max(range(len(cases)), key=lambda number: places[number][0])
    weights = [float(case.hole.sum()) for case in cases]
    figures = {
        **spelled(pooled, float(np.average([row["ssim"] for row in rows], weights=weights))),
        "tolerance": tolerance.max_abs_diff,
        "least_psnr_db": tolerance.psnr_db,
        "known_changed": short(changed),
        "worst_psnr": _worst_psnr(rows),
        "largest": {"picture": most, **places[most][1]},
        "pictures": rows,
    }
    return {**figures, "passed": closeness_verdict(figures).passed}


def _holes(
    cases: Sequence[ParityCase], outputs: Sequence[NDArray[np.float32]]
) -> NDArray[np.float32]:
    return np.concatenate([output[case.hole] for case, output in zip(cases, outputs, strict=True)])


def _largest(
    case: ParityCase,
    wanted: NDArray[np.float32],
    output: NDArray[np.float32],
    rounded_sides: int,
) -> tuple[float, dict[str, int]]:
    """Return the largest difference inside the hole, and its pixel."""
    apart = absolute_differences(wanted, output, rounded_sides=rounded_sides).max(axis=2)
    apart[~case.hole] = -1
    row, column = np.unravel_index(int(apart.argmax()), apart.shape)
    return float(apart[row, column]), {"row": int(row), "column": int(column)}


def _worst_psnr(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the picture with the lowest PSNR; where all are equal, the first with None."""
    loudest = min(
        range(len(rows)),
        key=lambda n: np.inf if rows[n]["psnr_db"] is None else rows[n]["psnr_db"],
    )
    return {"picture": loudest, "psnr_db": rows[loudest]["psnr_db"]}


def shown_picture(
    picture: int, role: str, case: ParityCase, reference: Side, sides: Mapping[str, Side]
) -> ShownPicture:
    """Take one picture out of all outputs.

    Args:
        picture: its index.
        role: why it is shown.
        case: what all were given.
        reference: fp32's outputs for all pictures.
        sides: those of each precision.
    """
    pairs = {
        name: case_pictures(
            0,
            picture,
            case,
            reference.outputs[picture],
            side.outputs[picture],
            reference.rounded + side.rounded,
        )
        for name, side in sides.items()
    }
    return ShownPicture(
        picture,
        role,
        case.image,
        case.hole,
        {name: pair.output for name, pair in pairs.items()},
        {name: pair.difference for name, pair in pairs.items()},
    )


def latency(run: Mapping[str, Any], base: Mapping[str, Any] | None, note: str | None) -> Figures:
    """Return the document's ``latency`` of one run of a bench document.

    Args:
        run: of the precision.
        base: the run of fp32; None where that failed.
        note: why its time says nothing of the precision; None where it does.

    Returns:
        Its figures, its samples by round, and ``speed``: how many times as fast as fp32 it is,
        with the 95 % interval of `ratio_interval`; None for fp32 itself.
    """
    found = run["statistics"]
    return {
        **{key: found[key] for key in ("median_ms", "p90_ms", "spread", "count")},
        "load_ms": found["cold_load_ms"],
        "peak_memory_bytes": run["memory_bytes"],
        "rounds_ms": [one["samples_ms"] for one in run["rounds"]],
        "speed": None if base is None or base is run else _speed(run, base),
        "warnings": run["warnings"],
        "note": note,
    }


def _speed(run: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, float]:
    """Return fp32's median over the precision's: above 1 the precision is faster."""
    own, theirs = (
        [np.asarray(one["samples_ms"], dtype=np.float64) for one in side["rounds"]]
        for side in (run, base)
    )
    low, high = ratio_interval(own, theirs, seed=_SEED)
    ratio = base["statistics"]["median_ms"] / run["statistics"]["median_ms"]
    return {"ratio": ratio, "low": low, "high": high}
