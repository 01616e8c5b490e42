"""From outputs to what a parity document says of them, and to the pictures beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.benchmarks.reports.pictures import CasePictures
from lama_edge.runtimes.metrics import absolute_differences
from lama_edge.runtimes.parity import Tolerance, case_figures, tolerance_needed
from lama_edge.runtimes.parity_cases import ParityCase

_MOST = ("max_abs_diff", "mean_abs_diff", "levels_differing")
_DECIBELS = ("psnr_db", "snr_db")
_LEAST = (*_DECIBELS, "ssim")
_SSIM_DECIMALS = 6


@dataclass(frozen=True)
class Side:
    """What one side of a comparison gave.

    Attributes:
        outputs: float32 [H,W,3] on the 0-to-255 scale, for each case.
        rounded: whether it gives whole levels, as models of the uint8 form do.
    """

    outputs: Sequence[NDArray[np.float32]]
    rounded: bool


def judged_row(
    cases: Sequence[ParityCase],
    reference: Side,
    model: Side,
    known_changed: Sequence[float | None],
    tolerance: Tolerance,
) -> dict[str, Any]:
    """Compare a model with the reference and judge it.

    Args:
        cases: what both were given.
        reference: what the reference made of them.
        model: what the model made of them.
        known_changed: for each case the share of known values that the model changed; None for
            a model of the raw fill, which keeps none.
        tolerance: how far the model may be from the reference.

    Returns:
        The entries of a document's row that come of it: ``passed``, ``tolerance_needed``,
        ``error``, ``worst`` and ``cases``.
    """
    rounded_sides = reference.rounded + model.rounded
    largest, rows = 0.0, []
    for case, wanted, output, changed in zip(
        cases, reference.outputs, model.outputs, known_changed, strict=True
    ):
        figures = case_figures(case, wanted, output, rounded_sides=rounded_sides)
        largest = max(largest, figures.differences.max_abs_diff)
        rows.append(
            {
                "name": case.name,
                "size": str(case.size),
                "hole_share": _short(float(case.hole.mean())),
                "touches_border": case.touches_border,
                **{
                    name: value if name in _DECIBELS else _short(value)
                    for name, value in asdict(figures.differences).items()
                },
                "ssim": round(figures.ssim, _SSIM_DECIMALS),
                "known_changed": None if changed is None else _short(changed),
            }
        )
    most_changed = max((changed or 0.0 for changed in known_changed), default=0.0)
    worst = _worst(rows)
    within = largest <= tolerance.max_abs_diff and (
        tolerance.psnr_db is None
        or worst["psnr_db"] is None
        or worst["psnr_db"] >= tolerance.psnr_db
    )
    return {
        "passed": within and most_changed == 0,
        "tolerance_needed": tolerance_needed(largest),
        "error": f"the model changed {most_changed:.2%} of the known values"
        if most_changed
        else None,
        "worst": worst,
        "cases": rows,
    }


def pictures_of(
    model_index: int, cases: Sequence[ParityCase], reference: Side, model: Side
) -> list[CasePictures]:
    """Return the pictures of every case of a model; known pixels are the input's.

    Args:
        model_index: the model's place in the document.
        cases: as for `judged_row`.
        reference: as for `judged_row`.
        model: as for `judged_row`.
    """
    pictures = []
    for number, case in enumerate(cases):
        wanted, output = reference.outputs[number], model.outputs[number]
        apart = absolute_differences(
            wanted, output, rounded_sides=reference.rounded + model.rounded
        )
        pictures.append(
            CasePictures(
                model=model_index,
                case=number,
                image=case.image,
                hole=case.hole,
                reference=_composited(case, wanted),
                output=_composited(case, output),
                difference=np.where(case.hole, apart.max(axis=2), 0).astype(np.float32),
            )
        )
    return pictures


def _composited(case: ParityCase, levels: NDArray[np.float32]) -> NDArray[np.uint8]:
    fill = np.rint(np.clip(levels, 0, 255)).astype(np.uint8)
    return np.where(case.hole[:, :, None], fill, case.image)


def _worst(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the worst of each figure; decibels that are None everywhere stay None."""
    worst: dict[str, Any] = {name: max(row[name] for row in rows) for name in _MOST}
    for name in _LEAST:
        worst[name] = min((row[name] for row in rows if row[name] is not None), default=None)
    return worst


def _short(value: float) -> float:
    return float(f"{value:.3g}")
