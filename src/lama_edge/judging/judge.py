"""Parity: how far a model's results are from the reference's raw output, inside the hole.

PSNR has peak 1; the signal-to-noise ratio stands beside it, because random weights give flat
fills and PSNR flatters those.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import ModelError, NotFiniteError, ParityError
from lama_edge.forms import from_model, to_model
from lama_edge.judging.cases import ParityCase
from lama_edge.judging.metrics import Differences, differences, structural_similarity, worst
from lama_edge.judging.tolerances import Tolerance
from lama_edge.manifest import Manifest, ParityFigures
from lama_edge.spec import IoSpec

Array = NDArray[Any]
_ROUND_UP = Context(prec=2, rounding=ROUND_CEILING)


class Judged(Protocol):
    """What can be judged: an open model, see `lama_edge.runtimes.base.Runner`."""

    manifest: Manifest

    @property
    def title(self) -> str:
        """What figures name it."""

    def run(self, image: Array, mask: Array) -> Array:
        """Inpaint arrays in the model's own form."""


@dataclass(frozen=True)
class CaseOutput:
    """What a model made of a case.

    Attributes:
        levels: float32 [H,W,3], its output on the 0-to-255 scale.
        known_changed: share of the known values that it changed, 0 to 1; None for a model that
            gives the raw fill.
    """

    levels: NDArray[np.float32]
    known_changed: float | None


@dataclass(frozen=True)
class CaseFigures:
    """How far a model is from the reference on one case, inside the hole.

    Attributes:
        differences: of the hole's values.
        ssim: mean SSIM over the hole's pixels, of the composited pictures.
    """

    differences: Differences
    ssim: float


def tolerance_needed(max_abs_diff: float) -> float:
    """Return the tolerance that a largest difference would pass: it, rounded up to two digits."""
    return float(_ROUND_UP.create_decimal(repr(max_abs_diff)))


def run_case(runner: Judged, case: ParityCase) -> CaseOutput:
    """Run a model on a case.

    Raises:
        ModelError: when the model does not accept the case's size, or fails.
        NotFiniteError: when it returns NaN or infinite values.
    """
    io = runner.manifest.io
    return case_output(io, case, runner.run(*to_model(io, case.image, case.hole)))


def case_output(io: IoSpec, case: ParityCase, output: Array) -> CaseOutput:
    """Look at what a model, here or on another machine, made of a case.

    Args:
        io: the model's contract.
        case: what it was given, as `to_model` brings it to the model's own form.
        output: what it gave back.

    Raises:
        ModelError: when that is no output of the model's.
        NotFiniteError: when it holds NaN or infinite values.
    """
    wanted = io.output.shape(case.size.height, case.size.width, io.pictures)
    if output.shape != wanted or output.dtype != np.dtype(io.output.dtype):
        raise ModelError(
            f"the model returned {output.dtype} {output.shape} where its manifest says "
            f"{io.output.dtype} {wanted}"
        )
    levels = from_model(io, output)
    if not np.isfinite(levels).all():
        raise NotFiniteError(f"the model returned NaN or infinite values at {case.size}")
    if not io.composite:
        return CaseOutput(levels, None)
    image, _ = to_model(io, case.image, case.hole)
    changed = output[0] != image[0]
    if io.output.layout == "NCHW":
        changed = changed.transpose(1, 2, 0)
    known = changed[~case.hole]
    return CaseOutput(levels, float(known.mean()) if known.size else 0.0)


def raw_outputs(reference: Judged, cases: Iterable[ParityCase]) -> list[NDArray[np.float32]]:
    """Run the reference on each case.

    Args:
        reference: a runner; outside the holes its output is not looked at.
        cases: pictures of sizes it accepts.

    Returns:
        float32 [H,W,3] on the 0-to-255 scale for each case.
    """
    return [run_case(reference, case).levels for case in cases]


def case_figures(
    case: ParityCase,
    reference: NDArray[np.float32],
    output: NDArray[np.float32],
    *,
    rounded_sides: int,
) -> CaseFigures:
    """Compare two outputs inside a case's hole.

    Args:
        case: what both were given.
        reference: float32 [H,W,3] on the 0-to-255 scale.
        output: the same, of the model to judge.
        rounded_sides: how many of the two are of the uint8 form, see `differences`.
    """
    hole = case.hole
    sides = [np.rint(levels) if rounded_sides else levels for levels in (reference, output)]
    composited = [np.where(hole[:, :, None], levels, case.image) for levels in sides]
    return CaseFigures(
        differences(reference[hole], output[hole], rounded_sides=rounded_sides),
        float(structural_similarity(composited[0], composited[1])[hole].mean()),
    )


def judge(
    model: Judged,
    cases: Sequence[ParityCase],
    references: Sequence[NDArray[np.float32]],
    *,
    reference_name: str,
    tolerance: Tolerance,
) -> ParityFigures:
    """Compare a model with the reference inside the hole of each case; the worst figures count.

    A uint8 model rounds, so half a level either way is no difference: its figure is how far the
    reference would have to move for rounding to give the model's value.

    Args:
        model: the model to judge.
        cases: pictures of sizes it accepts.
        references: the reference's raw output for each case, see `raw_outputs`.
        reference_name: what the figures shall call the reference.
        tolerance: how far the model may be from the reference.

    Raises:
        ParityError: when the model returns values that are not finite, or changes known pixels
            that it should give back.
    """
    rounded_sides = int(model.manifest.io.output.dtype == "uint8")
    found = []
    for case, reference in zip(cases, references, strict=True):
        output = run_case(model, case)
        if output.known_changed:
            raise ParityError(
                f"the model changed {output.known_changed:.2%} of the known values at {case.size}"
            )
        hole = case.hole
        found.append(differences(reference[hole], output.levels[hole], rounded_sides=rounded_sides))
    figures = worst(found)
    return ParityFigures(
        reference=reference_name,
        runtime=model.title,
        sizes=tuple(str(case.size) for case in cases),
        max_abs_diff=float(f"{figures.max_abs_diff:.2e}"),
        tolerance=tolerance.max_abs_diff,
        psnr_db=figures.psnr_db,
        snr_db=figures.snr_db,
        least_psnr_db=tolerance.psnr_db,
    )


def require_parity(figures: ParityFigures, *, advice: str = "") -> None:
    """Raise a `ParityError` that says why when the figures are out of tolerance.

    Args:
        figures: from `judge`.
        advice: what could be done about it.
    """
    if not figures.passed:
        raise ParityError(
            f"the model differs from {figures.reference} inside the hole: {figures.verdict}"
            + (f"; {advice}" if advice else "")
        )
