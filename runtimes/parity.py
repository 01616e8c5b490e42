"""Parity: how far a model's results are from the reference's raw output, inside the hole.

Judged on seeded pictures whose masks touch every border: a fault in the last padding shows only
there. PSNR has peak 1; the signal-to-noise ratio stands beside it, because random weights give
flat fills and PSNR flatters those.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import ModelError, ParityError
from lama_edge.manifest import ParityFigures
from lama_edge.runtimes.base import Runner
from lama_edge.runtimes.forms import from_model, to_model
from lama_edge.spec import Size, SizePolicy

_SEED = 20221

# Largest absolute difference of the raw output on the 0-to-1 scale, by (runtime, precision).
# Measured with the official implementation's results in tests/data/fourier: ONNX Runtime's CPU
# provider 1.5e-6 in every form; with big-lama's shape at 512 x 512 see the slow tests' figures.
TOLERANCES = {
    ("onnxruntime", "fp32"): 1e-4,
    ("torch", "fp32"): 1e-4,
}


@dataclass(frozen=True)
class ParityCase:
    """A picture and a hole to judge on.

    Attributes:
        image: uint8 [H,W,3], RGB.
        hole: bool [H,W], True inside the hole.
    """

    image: NDArray[np.uint8]
    hole: NDArray[np.bool_]

    @property
    def size(self) -> Size:
        """The picture's size."""
        return Size(*self.hole.shape)


def seeded_cases(policy: SizePolicy) -> list[ParityCase]:
    """Return the pictures that a model of this size policy is judged on.

    A fixed-size model has one; a dynamic one several, square, oblong and with odd bottlenecks.
    """
    if policy.fixed is not None:
        sizes = [policy.fixed]
    else:
        step, least = policy.multiple, policy.min_size
        sizes = [
            Size(max(least, rows * step), max(least, columns * step))
            for rows, columns in ((1, 1), (8, 12), (9, 13), (17, 11), (32, 24))
        ]
    rng = np.random.default_rng(_SEED)
    return [_seeded_case(rng, size) for size in sizes]


def _seeded_case(rng: np.random.Generator, size: Size) -> ParityCase:
    """Draw smooth colours with texture and noise, and a hole that touches all four borders."""
    rows = np.linspace(0, 1, size.height)[:, None, None]
    columns = np.linspace(0, 1, size.width)[None, :, None]
    image = np.full((size.height, size.width, 3), 0.5)
    for cycles in (1, 3, 11, 29):
        angle, phase = rng.uniform(0, 2 * np.pi, (2, 3))
        wave = cycles * (rows * np.sin(angle) + columns * np.cos(angle))
        image += 0.12 * np.sin(2 * np.pi * wave + phase)
    image += rng.normal(0, 0.03, image.shape)
    hole = np.zeros((size.height, size.width), dtype=bool)
    for edge in range(4):
        thickness = max(2, hole.shape[0] // 5)
        start = int(rng.integers(0, max(1, hole.shape[1] // 2)))
        hole[:thickness, start : start + max(2, hole.shape[1] // 3)] = True
        hole = np.rot90(hole)
        if edge == 0:
            hole[hole.shape[0] // 3 : hole.shape[0] // 2, :] |= rng.random(hole.shape[1]) < 0.5
    return ParityCase(np.clip(np.rint(image * 255), 0, 255).astype(np.uint8), hole.copy())


def raw_outputs(reference: Runner, cases: Iterable[ParityCase]) -> list[NDArray[np.float32]]:
    """Run the reference on each case.

    Args:
        reference: a runner in the float form without compositing.
        cases: pictures of sizes it accepts.

    Returns:
        float32 [H,W,3] on the 0-to-255 scale for each case.
    """
    return [_run(reference, case) for case in cases]


def judge(
    model: Runner,
    cases: Sequence[ParityCase],
    references: Sequence[NDArray[np.float32]],
    *,
    reference_name: str,
    tolerance: float,
) -> ParityFigures:
    """Compare a model with the reference inside the holes.

    A uint8 model rounds, so half a level either way is no difference: its figure is how far the
    reference would have to move for rounding to give the model's value.

    Args:
        model: the model to judge.
        cases: pictures of sizes it accepts.
        references: the reference's raw output for each case, see `raw_outputs`.
        reference_name: what the figures shall call the reference.
        tolerance: largest absolute difference allowed, on the 0-to-1 scale.

    Raises:
        ParityError: when the model returns values that are not finite.
    """
    wanted, got = [], []
    for case, reference in zip(cases, references, strict=True):
        output = _run(model, case)
        if not np.isfinite(output).all():
            raise ParityError(f"the model returned NaN or infinite values at {case.size}")
        wanted.append(reference[case.hole])
        got.append(output[case.hole])
    truth, result = np.concatenate(wanted).astype(np.float64), np.concatenate(got)
    rounds = model.manifest.io.form == "uint8"
    slack = 0.5 if rounds else 0.0
    worst = float(np.maximum(np.abs(result - truth) - slack, 0).max()) / 255
    error = float(np.mean(np.square((result - (np.rint(truth) if rounds else truth)) / 255)))
    variance = float(np.var(truth / 255))
    return ParityFigures(
        reference=reference_name,
        runtime=model.version,
        sizes=tuple(str(case.size) for case in cases),
        max_abs_diff=float(f"{worst:.2e}"),
        tolerance=tolerance,
        psnr_db=_decibels(1.0, error),
        snr_db=_decibels(variance, error),
    )


def require_parity(figures: ParityFigures) -> None:
    """Raise a `ParityError` that names the figures when they are out of tolerance."""
    if not figures.passed:
        raise ParityError(
            f"the model differs from {figures.reference} by up to {figures.max_abs_diff:.2e} "
            f"inside the hole; the tolerance is {figures.tolerance:.0e}"
        )


def _run(runner: Runner, case: ParityCase) -> NDArray[np.float32]:
    io = runner.manifest.io
    problem = runner.manifest.size.problem_with(case.size.height, case.size.width)
    if problem is not None:
        raise ModelError(f"cannot judge at {case.size}: {problem}")
    return from_model(io, runner.run(*to_model(io, case.image, case.hole)))


def _decibels(signal: float, noise: float) -> float | None:
    if noise == 0:
        return None
    return round(10 * float(np.log10(max(signal, 1e-30) / noise)), 1)
