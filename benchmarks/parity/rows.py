"""From outputs to what a parity document says of them, and to the pictures beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.benchmarks.documents.pictures import CasePictures
from lama_edge.benchmarks.documents.verdicts import parity_verdict
from lama_edge.judging.cases import ParityCase
from lama_edge.judging.judge import case_figures, tolerance_needed
from lama_edge.judging.metrics import Differences, absolute_differences, worst
from lama_edge.judging.tolerances import Tolerance

_DECIBELS = ("psnr_db", "snr_db")
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
        The entries of a document's row that come of it: ``tolerance``, ``least_psnr_db``,
        ``tolerance_needed``, ``worst``, ``cases`` and ``passed``.
    """
    rounded_sides = reference.rounded + model.rounded
    found, rows = [], []
    for case, wanted, output, changed in zip(
        cases, reference.outputs, model.outputs, known_changed, strict=True
    ):
        figures = case_figures(case, wanted, output, rounded_sides=rounded_sides)
        found.append(figures)
        rows.append(
            {
                "name": case.name,
                "size": str(case.size),
                "hole_share": short(float(case.hole.mean())),
                "touches_border": case.touches_border,
                **spelled(figures.differences, figures.ssim),
                "known_changed": None if changed is None else short(changed),
            }
        )
    most = worst([one.differences for one in found])
    row = {
        "tolerance": tolerance.max_abs_diff,
        "least_psnr_db": tolerance.psnr_db,
        "tolerance_needed": tolerance_needed(most.max_abs_diff),
        "worst": spelled(most, min(one.ssim for one in found)),
        "cases": rows,
    }
    return {**row, "passed": parity_verdict(row).passed}


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
    rounded = reference.rounded + model.rounded
    sides = zip(cases, reference.outputs, model.outputs, strict=True)
    return [case_pictures(model_index, number, *side, rounded) for number, side in enumerate(sides)]


def case_pictures(
    model_index: int,
    number: int,
    case: ParityCase,
    wanted: NDArray[np.float32],
    output: NDArray[np.float32],
    rounded_sides: int,
) -> CasePictures:
    """Return the pictures of one case; see `pictures_of`."""
    apart = absolute_differences(wanted, output, rounded_sides=rounded_sides)
    return CasePictures(
        model=model_index,
        case=number,
        image=case.image,
        hole=case.hole,
        reference=_composited(case, wanted),
        output=_composited(case, output),
        difference=np.where(case.hole, apart.max(axis=2), 0).astype(np.float32),
    )


def _composited(case: ParityCase, levels: NDArray[np.float32]) -> NDArray[np.uint8]:
    fill = np.rint(np.clip(levels, 0, 255)).astype(np.uint8)
    return np.where(case.hole[:, :, None], fill, case.image)


def spelled(figures: Differences, ssim: float) -> dict[str, Any]:
    """Return what a document says of a picture, or of the worst of all."""
    spelled = {
        name: value if name in _DECIBELS else short(value)
        for name, value in asdict(figures).items()
    }
    return {**spelled, "ssim": round(ssim, _SSIM_DECIMALS)}


def short(value: float) -> float:
    """Return a figure with the three digits that a document has."""
    return float(f"{value:.3g}")
