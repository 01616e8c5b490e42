"""What a training run leaves in its folder: weights, checkpoint, curve, samples and settings."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lama_edge.errors import needs_extra
from lama_edge.files import atomic_output
from lama_edge.models.training.checkpoints import save_checkpoint
from lama_edge.models.training.evaluation.comparison import fill
from lama_edge.models.training.loop import LOSSES, Values
from lama_edge.models.training.losses.metrics import hole_gradient, hole_psnr_db
from lama_edge.models.training.settings import TrainSettings
from lama_edge.models.training.state import TrainState
from lama_edge.models.training.weights import save_weights
from lama_edge.pictures.holdout import Sample

with needs_extra("train"):
    from torch import nn

CHECKPOINT = "checkpoint.safetensors"
WEIGHTS = "weights.safetensors"
CURVE = "curve.csv"
SAMPLES = "samples.png"
SETTINGS = "settings.json"
_SHEET_ROWS = 8


class Averages:
    """Means of the losses over the steps since they were last taken."""

    def __init__(self) -> None:
        self._seen: dict[str, list[float]] = {}

    def add(self, values: Values) -> None:
        """Count one step's losses."""
        for name, value in values.items():
            self._seen.setdefault(name, []).append(value)

    def take(self) -> dict[str, float]:
        """Return the means and start again."""
        means = {name: sum(values) / len(values) for name, values in self._seen.items()}
        self._seen = {}
        return means


@dataclass(frozen=True)
class CurvePoint:
    """One line of `curve.csv`; `losses` are means since the line before, unweighted."""

    step: int
    minutes: float
    rate_factor: float
    holdout_psnr_db: float
    holdout_sharpness: float
    losses: dict[str, float]

    def row(self) -> dict[str, object]:
        """Return the line's cells by column; losses that were not taken are empty."""
        return {
            "step": self.step,
            "minutes": f"{self.minutes:.2f}",
            "rate_factor": f"{self.rate_factor:.4f}",
            "holdout_psnr_db": f"{self.holdout_psnr_db:.3f}",
            "holdout_sharpness": f"{self.holdout_sharpness:.3f}",
            **{n: f"{self.losses[n]:.5g}" if n in self.losses else "" for n in LOSSES},
        }

    def line(self) -> str:
        """Spell the point for a log."""
        losses = "  ".join(f"{name} {value:.4g}" for name, value in self.losses.items())
        return (
            f"step {self.step}  {self.minutes:.1f} min  {self.holdout_psnr_db:.2f} dB  "
            f"sharpness {self.holdout_sharpness:.2f}  {losses}"
        )


def measure(
    state: TrainState,
    settings: TrainSettings,
    losses: dict[str, float],
    samples: Sequence[Sample],
) -> CurvePoint:
    """Measure the averaged generator on a small holdout."""
    fills = [fill(state.average, sample.truth, sample.mask) for sample in samples]
    pairs = list(zip(fills, samples, strict=True))
    truth = sum(hole_gradient(sample.truth, sample) for sample in samples)
    return CurvePoint(
        step=state.step,
        minutes=state.elapsed_s / 60,
        rate_factor=settings.rate_factor(state.step, state.elapsed_s),
        holdout_psnr_db=float(np.mean([hole_psnr_db(*pair) for pair in pairs])),
        holdout_sharpness=sum(hole_gradient(*pair) for pair in pairs) / max(truth, 1e-9),
        losses=losses,
    )


def save_progress(
    out: Path, state: TrainState, point: CurvePoint, samples: Sequence[Sample]
) -> None:
    """Write the checkpoint, the weights and the sample sheet, and add a line to the curve."""
    save_checkpoint(out / CHECKPOINT, state)
    save_weights(out / WEIGHTS, state.average)
    with atomic_output(out / SAMPLES) as temporary:
        sample_sheet(state.average, samples[:_SHEET_ROWS]).save(temporary)
    row = point.row()
    curve = out / CURVE
    fresh = not curve.exists()
    with curve.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(row))
        if fresh:
            writer.writeheader()
        writer.writerow(row)


def save_settings(out: Path, settings: dict[str, Any], *, resumed: bool) -> None:
    """Add what this start of the run was told to `settings.json`, a list with one entry a start."""
    path = out / SETTINGS
    starts = json.loads(path.read_text(encoding="utf-8")) if resumed and path.is_file() else []
    with atomic_output(path) as temporary:
        text = json.dumps([*starts, settings], indent=2)
        temporary.write_text(f"{text}\n", encoding="utf-8")


def sample_sheet(generator: nn.Module, samples: Sequence[Sample]) -> Image.Image:
    """Lay out input, fill and truth, one sample a row."""
    rows = []
    for sample in samples:
        holed = np.where(sample.hole[..., None], 255, sample.truth).astype(np.uint8)
        filled = fill(generator, sample.truth, sample.mask)
        rows.append(np.hstack([holed, filled, sample.truth]))
    return Image.fromarray(np.vstack(rows))
