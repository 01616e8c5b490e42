"""Parity: how far a model's results are from the reference's raw output, inside the hole.

PSNR has peak 1; the signal-to-noise ratio stands beside it, because random weights give flat
fills and PSNR flatters those.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import ModelError, NotFiniteError, ParityError
from lama_edge.manifest import ParityFigures
from lama_edge.runtimes.base import Runner
from lama_edge.runtimes.forms import from_model, to_model
from lama_edge.runtimes.metrics import Differences, differences, structural_similarity, worst
from lama_edge.runtimes.parity_cases import ParityCase


@dataclass(frozen=True)
class Tolerance:
    """How far a model may be from the reference, inside the hole.

    Attributes:
        max_abs_diff: the largest absolute difference of the raw output, on the 0-to-1 scale.
        psnr_db: the smallest PSNR; None where the difference alone is judged.
    """

    max_abs_diff: float
    psnr_db: float | None = None


TOLERANCES = {
    # Measured on the seeded cases with tests/data and lama-tiny: 1.2e-6 with matrix products,
    # 2.1e-6 with ONNX's DFT operator; against the official implementation's own results in
    # tests/data 1.2e-6 in either form.
    ("onnxruntime", "fp32"): Tolerance(1e-4),
    ("emulator", "fp32"): Tolerance(1e-4),
    # The same comparison seen from the other side, with an ONNX model as the reference.
    ("torch", "fp32"): Tolerance(1e-4),
    ("emulator", "fp16"): Tolerance(5e-2, psnr_db=55),
    # ONNX Runtime's CPU kernels compute fp16 graphs in float32 and round some of the results.
    ("onnxruntime", "fp16"): Tolerance(5e-2, psnr_db=55),
    ("onnxruntime", "w8"): Tolerance(0.2, psnr_db=40),
    ("emulator", "w8"): Tolerance(0.2, psnr_db=40),
    ("onnxruntime", "int8"): Tolerance(0.5, psnr_db=34),
    ("emulator", "int8"): Tolerance(0.5, psnr_db=34),
    # Measured on the seeded cases with tests/data and lama-tiny, the worst of them: 1.3e-6;
    # 1.8e-3 and 68.5 dB, in pictures 59.1 dB since a level more or less is 48 dB where it shows;
    # 0.018 and 50.5 dB; 0.13 and 35.1 dB; 0.28 and 26.2 dB.
    ("coreml-emulator", "fp32"): Tolerance(1e-4),
    ("coreml-emulator", "fp16"): Tolerance(5e-2, psnr_db=55),
    ("coreml-emulator", "w8"): Tolerance(0.1, psnr_db=40),
    ("coreml-emulator", "pal6"): Tolerance(0.4, psnr_db=30),
    ("coreml-emulator", "pal4"): Tolerance(0.6, psnr_db=22),
    # Not measured: no device has run a package for us. The interpreter's, until one has.
    ("coreml", "fp32"): Tolerance(1e-4),
    ("coreml", "fp16"): Tolerance(5e-2, psnr_db=55),
    ("coreml", "w8"): Tolerance(0.1, psnr_db=40),
    ("coreml", "pal6"): Tolerance(0.4, psnr_db=30),
    ("coreml", "pal4"): Tolerance(0.6, psnr_db=22),
    # Not measured: no GPU has run an engine for us. What the same graphs keep elsewhere, until
    # one has; TF32 has the mantissa of fp16.
    ("tensorrt", "fp32"): Tolerance(1e-4),
    ("tensorrt", "tf32"): Tolerance(5e-2, psnr_db=55),
    ("tensorrt", "fp16"): Tolerance(5e-2, psnr_db=55),
    ("tensorrt", "int8"): Tolerance(0.5, psnr_db=34),
    ("tensorrt_rtx", "fp32"): Tolerance(1e-4),
    ("tensorrt_rtx", "tf32"): Tolerance(5e-2, psnr_db=55),
    ("tensorrt_rtx", "fp16"): Tolerance(5e-2, psnr_db=55),
    ("tensorrt_rtx", "int8"): Tolerance(0.5, psnr_db=34),
}
_ROUND_UP = Context(prec=2, rounding=ROUND_CEILING)


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


def tolerance_of(runtime: str, precision: str) -> Tolerance:
    """Return how far a model may be from the reference.

    Args:
        runtime: the runtime's name, or its `Runner.version`, which begins with it.
        precision: the manifest's.

    Raises:
        ModelError: when the table holds no such pair.
    """
    name = runtime.split()[0]
    try:
        return TOLERANCES[name, precision]
    except KeyError:
        known = ", ".join(" ".join(pair) for pair in TOLERANCES)
        raise ModelError(
            f"there is no parity tolerance for {name} {precision}; known: {known}"
        ) from None


def tolerance_needed(max_abs_diff: float) -> float:
    """Return the tolerance that a largest difference would pass: it, rounded up to two digits."""
    return float(_ROUND_UP.create_decimal(repr(max_abs_diff)))


def run_case(runner: Runner, case: ParityCase) -> CaseOutput:
    """Run a model on a case.

    Raises:
        ModelError: when the model does not accept the case's size, or fails.
        NotFiniteError: when it returns NaN or infinite values.
    """
    io = runner.manifest.io
    image, mask = to_model(io, case.image, case.hole)
    output = runner.run(image, mask)
    levels = from_model(io, output)
    if not np.isfinite(levels).all():
        raise NotFiniteError(f"the model returned NaN or infinite values at {case.size}")
    if not io.composite:
        return CaseOutput(levels, None)
    changed = output[0] != image[0]
    if io.output.layout == "NCHW":
        changed = changed.transpose(1, 2, 0)
    known = changed[~case.hole]
    return CaseOutput(levels, float(known.mean()) if known.size else 0.0)


def raw_outputs(reference: Runner, cases: Iterable[ParityCase]) -> list[NDArray[np.float32]]:
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
    model: Runner,
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
        runtime=model.version,
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
