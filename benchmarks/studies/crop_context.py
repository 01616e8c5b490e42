"""How much context round a hole is worth its cost: the table of docs/how-to/inpainting.md.

`python -m lama_edge.benchmarks.studies.crop_context MODEL` fills holes of several extents in scenes
of 768 x 768 pixels that lama-tiny never saw and in scikit-image's photographs, each from crops with
margins from an eighth of the hole's extent up to the whole picture, and prints the PSNR inside
the hole for each as Markdown.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from lama_edge.imaging import Hole, Pixels
from lama_edge.judging.metrics import psnr_db
from lama_edge.pictures.holdout import general_holdout, holdout
from lama_edge.pictures.photographs import PHOTOGRAPHS, photograph
from lama_edge.runtimes.base import Runner, open_runner
from lama_edge.runtimes.inpainting.inpainter import fill_window
from lama_edge.windows.boxes import Box

EXTENTS_PX = (16, 32, 64, 128, 256)
MARGINS_PX = (8, 16, 32, 48, 64, 96, 128, 192, 256)
_SCENE_PX = 768
_PHOTOGRAPH_PX = 512
_HOLES_PER_PHOTOGRAPH = 2
_LARGEST_SHARE = 0.55
_STREAM = 0x63726F70
# Of a fill that is exact, so that means stay finite.
_EXACT_DB = 78.0


@dataclass(frozen=True)
class Study:
    """The outcome for holes of one extent.

    Attributes:
        whole_db: PSNR inside the hole with the whole picture as context, the mean of all.
        gain_db: of each margin in pixels, the mean difference of the same holes' PSNR to that.
    """

    whole_db: float
    gain_db: dict[int, float]


def study(runner: Runner, extent: int, scenes: int) -> Study:
    """Fill holes of one extent with every margin that leaves the picture larger than the crop."""
    whole: list[float] = []
    gains: dict[int, list[float]] = {margin: [] for margin in MARGINS_PX}
    for truth, hole, box in tqdm(list(_cases(extent, scenes)), leave=False, desc=str(extent)):
        psnr = _psnr_db(runner, truth, hole, Box(0, 0, *hole.shape))
        whole.append(psnr)
        for margin in MARGINS_PX:
            window = box.with_margins(margin, margin, Box(0, 0, *hole.shape))
            gains[margin].append(_psnr_db(runner, truth, hole, window) - psnr)
    means = {margin: float(np.mean(values)) for margin, values in gains.items()}
    return Study(float(np.mean(whole)), means)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="a dynamic model, such as lama-tiny's export")
    parser.add_argument("--scenes", type=int, default=12, help="scenes of each of the two kinds")
    parser.add_argument("--extents", type=int, nargs="+", default=EXTENTS_PX, help="in pixels")
    options = parser.parse_args(arguments)
    print("| hole | whole picture |", " | ".join(f"{margin} px" for margin in MARGINS_PX), "|")
    print("| --: " * (2 + len(MARGINS_PX)) + "|")
    with open_runner(options.model) as runner:
        for extent in options.extents:
            row = study(runner, extent, options.scenes)
            gains = " | ".join(f"{gain:+.2f}" for gain in row.gain_db.values())
            print(f"| {extent} px | {row.whole_db:.2f} dB | {gains} |", flush=True)
    return 0


def _cases(extent: int, scenes: int) -> Iterator[tuple[Pixels, Hole, Box]]:
    truths = [
        sample.truth for draw in (holdout, general_holdout) for sample in draw(_SCENE_PX, scenes)
    ]
    for name in PHOTOGRAPHS:
        picture = photograph(name, _PHOTOGRAPH_PX)
        truths += [] if picture is None else [picture] * _HOLES_PER_PHOTOGRAPH
    for index, truth in enumerate(truths):
        height, width = truth.shape[:2]
        if extent > _LARGEST_SHARE * height:
            continue
        rng = np.random.default_rng([_STREAM, extent, index])
        sides = [extent, max(1, round(extent * rng.uniform(0.4, 1)))]
        rows, columns = rng.permutation(sides)
        top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
        box = Box(int(top), int(left), int(top + rows), int(left + columns))
        y, x = np.mgrid[: box.height, : box.width]
        hole = np.zeros((height, width), np.bool_)
        ellipse = ((y + 0.5) / box.height * 2 - 1) ** 2 + ((x + 0.5) / box.width * 2 - 1) ** 2 <= 1
        hole[box.slices] = ellipse if rng.random() < 0.5 else True
        yield truth, hole, box


def _psnr_db(runner: Runner, truth: Pixels, hole: Hole, window: Box) -> float:
    inside = hole[window.slices]
    fill = fill_window(runner, truth[window.slices], inside)
    return min(_EXACT_DB, psnr_db(truth[window.slices][inside], fill[inside]))


if __name__ == "__main__":
    sys.exit(main())
