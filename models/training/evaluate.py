"""PSNR in the hole of a trained generator against OpenCV's classical inpainting.

`python -m lama_edge.models.training.evaluate WEIGHTS --sheet OUT.png` prints a table and writes
a contact sheet. The scenes are periodic and their seeds are never trained on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from lama_edge.errors import LamaEdgeError, needs_extra
from lama_edge.files import atomic_output
from lama_edge.models.generators.ffc_resnet import FfcResnetGenerator
from lama_edge.models.training.masks import WIDE, draw_mask
from lama_edge.models.training.scenes import make_periodic_scene
from lama_edge.models.training.weights import load_weights

with needs_extra("export"):
    import torch

_HOLDOUT_STREAM = 0x686F6C64
_RADIUS_PIXELS = 3
_SHEET_ROWS = 12
_BARELY_WRONG_MSE = 1e-10

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Sample:
    """A picture with a hole: `truth` uint8 [H,W,3] RGB, `mask` uint8 [H,W], 255 = hole."""

    truth: Picture
    mask: Picture


@dataclass(frozen=True)
class Comparison:
    """Mean PSNR in the hole, in dB, over `count` pictures of `size` pixels a side."""

    size: int
    count: int
    telea_db: float
    navier_stokes_db: float
    ours_db: float

    @property
    def margin_db(self) -> float:
        """How far ours is above the better classical method."""
        return self.ours_db - max(self.telea_db, self.navier_stokes_db)


def holdout(size: int, count: int) -> list[Sample]:
    """Draw the fixed holdout: periodic scenes with wide masks, the same in every run."""
    samples = []
    for index in range(count):
        rng = np.random.default_rng([_HOLDOUT_STREAM, size, index])
        truth = make_periodic_scene(rng, size, size)
        samples.append(Sample(truth, draw_mask(rng, size, size, style=WIDE)))
    return samples


def hole_psnr_db(result: Picture, sample: Sample) -> float:
    """PSNR with peak 1.0 over the hole's pixels, in dB; `result` is uint8 [H,W,3]."""
    hole = sample.mask > 0
    error = (result[hole].astype(np.float64) - sample.truth[hole]) / 255
    return float(-10 * np.log10(max(float(np.mean(error**2)), _BARELY_WRONG_MSE)))


def fill(generator: FfcResnetGenerator, image: Picture, mask: Picture) -> Picture:
    """Inpaint one picture whose sides suit the generator.

    Args:
        generator: in evaluation mode.
        image: uint8 [H,W,3] RGB; what it holds in the hole is ignored.
        mask: uint8 [H,W], above 0 = hole.

    Returns:
        uint8 [H,W,3]: the generator's fill in the hole, `image` elsewhere.
    """
    hole = mask > 0
    known = torch.from_numpy(np.where(hole[..., None], 0, image)).permute(2, 0, 1).float() / 255
    with torch.inference_mode():
        x = torch.cat([known, torch.from_numpy(hole)[None].float()])[None]
        predicted = generator(x)[0].permute(1, 2, 0).numpy()
    filled = np.rint(predicted * 255).clip(0, 255).astype(np.uint8)
    return np.where(hole[..., None], filled, image)


def classical(sample: Sample) -> tuple[Picture, Picture]:
    """Inpaint with OpenCV: (Telea, Navier-Stokes), each uint8 [H,W,3].

    Raises:
        MissingBackendError: when OpenCV is not installed.
    """
    with needs_extra("dev"):
        import cv2
    holed = np.where(sample.mask[..., None] > 0, 0, sample.truth).astype(np.uint8)
    telea = cv2.inpaint(holed, sample.mask, _RADIUS_PIXELS, cv2.INPAINT_TELEA)
    navier_stokes = cv2.inpaint(holed, sample.mask, _RADIUS_PIXELS, cv2.INPAINT_NS)
    return np.asarray(telea, np.uint8), np.asarray(navier_stokes, np.uint8)


def compare(generator: FfcResnetGenerator, samples: Sequence[Sample]) -> Comparison:
    """Measure the generator and both classical methods on the same pictures."""
    scores = []
    for sample in samples:
        results = (*classical(sample), fill(generator, sample.truth, sample.mask))
        scores.append([hole_psnr_db(result, sample) for result in results])
    telea, navier_stokes, ours = (float(mean) for mean in np.mean(scores, axis=0))
    return Comparison(samples[0].truth.shape[0], len(samples), telea, navier_stokes, ours)


def contact_sheet(generator: FfcResnetGenerator, samples: Sequence[Sample]) -> Image.Image:
    """Lay out input, Telea, Navier-Stokes, ours and truth, one sample a row."""
    rows = []
    for sample in samples:
        holed = np.where(sample.mask[..., None] > 0, 255, sample.truth).astype(np.uint8)
        ours = fill(generator, sample.truth, sample.mask)
        rows.append(np.hstack([holed, *classical(sample), ours, sample.truth]))
    return Image.fromarray(np.vstack(rows))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Measure a generator against OpenCV.")
    parser.add_argument("weights", type=Path, help="a .safetensors file written by the training")
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 256], metavar="PIXELS")
    parser.add_argument("--count", type=int, default=100, help="pictures of each size")
    parser.add_argument("--sheet", type=Path, metavar="OUT.png", help="write a contact sheet")
    args = parser.parse_args(argv)
    try:
        generator = load_weights(args.weights)
        print("size  pictures  Telea dB  Navier-Stokes dB  ours dB  margin dB")
        for size in args.sizes:
            c = compare(generator, holdout(size, args.count))
            print(
                f"{c.size:4}  {c.count:8}  {c.telea_db:8.2f}  {c.navier_stokes_db:16.2f}  "
                f"{c.ours_db:7.2f}  {c.margin_db:+9.2f}"
            )
        if args.sheet is not None:
            sheet = contact_sheet(generator, holdout(args.sizes[0], _SHEET_ROWS))
            with atomic_output(args.sheet) as temporary:
                sheet.save(temporary)
    except LamaEdgeError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
