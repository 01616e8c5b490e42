"""Trains a small LaMa generator on procedural scenes with a plain reconstruction loss.

`python -m lama_edge.models.training.train --out DIR --minutes 60 --seed 1` leaves in DIR the
weights (`weights.safetensors`, averaged over the steps), a checkpoint to resume from
(`checkpoint.pt`), the curve (`curve.csv`) and the latest sample sheet (`samples.png`).
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from lama_edge.errors import LamaEdgeError, UsageError, needs_extra
from lama_edge.files import atomic_output
from lama_edge.models.generators.ffc_resnet import FfcResnetGenerator
from lama_edge.models.training.data import DataSettings
from lama_edge.models.training.evaluate import Sample, fill, holdout, hole_psnr_db
from lama_edge.models.training.loop import (
    Losses,
    TrainSettings,
    TrainState,
    learning_rate,
    load_checkpoint,
    new_state,
    progress,
    save_checkpoint,
    train,
)
from lama_edge.models.training.weights import save_weights

with needs_extra("export"):
    import torch

_REPORT_EVERY_STEPS = 500
_HOLDOUT_PIXELS = 128
_HOLDOUT_COUNT = 24
_SHEET_ROWS = 8


@dataclass(frozen=True)
class CurvePoint:
    """One line of `curve.csv`; the losses are those of the step's batch."""

    step: int
    minutes: float
    learning_rate: float
    loss: float
    hole_l1: float
    holdout_psnr_db: float


def measure(state: TrainState, result: Losses, settings: TrainSettings) -> CurvePoint:
    """Measure the averaged generator on a small holdout."""
    samples = holdout(_HOLDOUT_PIXELS, _HOLDOUT_COUNT)
    filled = [fill(state.average, sample.truth, sample.mask) for sample in samples]
    scores = [hole_psnr_db(*pair) for pair in zip(filled, samples, strict=True)]
    return CurvePoint(
        step=state.step,
        minutes=round(state.elapsed_s / 60, 3),
        learning_rate=learning_rate(state, settings),
        loss=float(result.total.detach()),
        hole_l1=float(result.hole_l1),
        holdout_psnr_db=round(float(np.mean(scores)), 3),
    )


def save_progress(out: Path, state: TrainState, point: CurvePoint) -> None:
    """Write the checkpoint, the weights and the sample sheet, and add a line to the curve."""
    save_checkpoint(out / "checkpoint.pt", state)
    save_weights(out / "weights.safetensors", state.average)
    with atomic_output(out / "samples.png") as temporary:
        sample_sheet(state.average, holdout(_HOLDOUT_PIXELS, _SHEET_ROWS)).save(temporary)
    line = asdict(point)
    curve = out / "curve.csv"
    fresh = not curve.exists()
    with curve.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(line))
        if fresh:
            writer.writeheader()
        writer.writerow(line)


def sample_sheet(generator: FfcResnetGenerator, samples: Sequence[Sample]) -> Image.Image:
    """Lay out input, fill and truth, one sample a row."""
    rows = []
    for sample in samples:
        holed = np.where(sample.mask[..., None] > 0, 255, sample.truth).astype(np.uint8)
        filled = fill(generator, sample.truth, sample.mask)
        rows.append(np.hstack([holed, filled, sample.truth]))
    return Image.fromarray(np.vstack(rows))


def run(out: Path, settings: TrainSettings, data: DataSettings, *, resume: bool) -> None:
    """Train, reporting as it goes, and leave the results in `out`.

    Raises:
        UsageError: when `out` holds a run already and `resume` is not set.
        CheckpointError: when there is nothing to resume.
    """
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / "checkpoint.pt"
    if checkpoint.exists() and not resume:
        raise UsageError(f"{str(out)!r} holds a run already: add --resume or name another folder")
    state = load_checkpoint(checkpoint, settings) if resume else new_state(settings, data.seed)
    with tqdm(total=100, unit="%", bar_format="{l_bar}{bar}| {elapsed}{postfix}") as bar:

        def report(state: TrainState, result: Losses) -> None:
            done = progress(state, settings)
            bar.update(round(100 * done, 1) - bar.n)
            if state.step % _REPORT_EVERY_STEPS == 0 or done >= 1:
                point = measure(state, result, settings)
                save_progress(out, state, point)
                bar.set_postfix(step=state.step, holdout_db=f"{point.holdout_psnr_db:.2f}")

        train(state, settings, data, report=report)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Train a small generator on the CPU.")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--minutes", type=float, default=60.0, help="wall-clock budget")
    parser.add_argument("--max-steps", type=float, default=math.inf, metavar="N")
    parser.add_argument("--seed", type=int, default=1, help="of the weights and of the data")
    parser.add_argument("--resume", action="store_true", help="go on from DIR's checkpoint")
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    parser.add_argument("--bfloat16", action="store_true", help="faster on CPUs with AMX")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    settings = TrainSettings(minutes=args.minutes, max_steps=args.max_steps, bfloat16=args.bfloat16)
    try:
        run(args.out, settings, DataSettings(seed=args.seed), resume=args.resume)
    except LamaEdgeError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
