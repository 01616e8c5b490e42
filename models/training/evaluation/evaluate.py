"""`make evaluate`: lama-tiny against OpenCV's classical inpainting, as the tables of its card.

`python -m lama_edge.models.training.evaluation.evaluate [CHECKPOINT] --card CARD.md` prints the
tables and writes them between the markers of the model card. The same weights give the same tables.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from lama_edge.errors import UsageError, exit_code_of, needs_extra
from lama_edge.models.checkpoint import EMBEDDED_NAME, load_checkpoint
from lama_edge.models.training.data.mask_statistics import statistics_table
from lama_edge.models.training.evaluation.comparison import (
    SampleScore,
    fill_by_every_method,
    score,
    summarise,
)
from lama_edge.models.training.evaluation.tables import (
    check_card,
    comparison_table,
    replace_figures,
    width_table,
)
from lama_edge.pictures.holdout import Sample, general_holdout, holdout
from lama_edge.pictures.masks import NARROW, WIDE_TEST
from lama_edge.pictures.photographs import photograph_samples

with needs_extra("train"):
    import torch
    from torch import nn

    from lama_edge.models.torch_modules.build import build_generator

PERIODIC = "periodic scenes"
GENERAL = "training-like scenes"
PHOTOGRAPHS = "photographs"
TRAINING_PIXELS = 128
# The paper's test of resolution: judged at 2 and 4 times the size of the training.
SIZES = (TRAINING_PIXELS, 2 * TRAINING_PIXELS, 4 * TRAINING_PIXELS)
MASK_KINDS = (("wide", WIDE_TEST), ("narrow", NARROW))
WIDTH_TABLE = (PERIODIC, "wide")
_SMALLEST_PIXELS = 32
_MULTIPLE_PIXELS = 8
_STATISTICS_PIXELS = 256
_COUNT = 100
_LARGE_ABOVE_PIXELS = 256
_LARGE_DIVISOR = 4
_SCENES_PER_PHOTOGRAPH_MASK = 25
_MASKS_PER_SCENE = 10


@dataclass(frozen=True)
class Group:
    """Samples of one row of the table: their kind in words, their holes' kind, their side."""

    pictures: str
    masks: str
    size: int
    samples: Sequence[Sample]


# A row of the table: its group, and a score for each of its samples.
Result = tuple[Group, list[SampleScore]]


def groups(count: int, sizes: Sequence[int]) -> Iterator[Group]:
    """Draw every group of the evaluation, one after the other.

    Args:
        count: scenes of each kind and size; above 256 pixels a quarter as many, at least one.
            Photographs get a mask of each kind for every 25 scenes, at least one.
        sizes: sides in pixels, the training's first; photographs are judged at the others.

    Raises:
        MissingBackendError: when scikit-image is not installed.
    """
    for pictures, make in ((PERIODIC, holdout), (GENERAL, general_holdout)):
        for kind, style in MASK_KINDS:
            for size in sizes:
                few = max(1, count // _LARGE_DIVISOR)
                number = few if size > _LARGE_ABOVE_PIXELS else count
                yield Group(pictures, kind, size, make(size, number, masks=style))
    masks_each = max(1, count // _SCENES_PER_PHOTOGRAPH_MASK)
    for kind, style in MASK_KINDS:
        for size in sizes[1:]:
            samples = photograph_samples(size, masks_each, masks=style)
            if samples:
                yield Group(PHOTOGRAPHS, kind, size, samples)


def figures(results: Sequence[Result], *, name: str, mask_count: int) -> str:
    """Spell the results as the card's tables, in Markdown.

    Args:
        results: of every group.
        name: of the generator.
        mask_count: masks of each kind that the mask statistics are taken from.
    """
    rows = [(group.pictures, group.masks, summarise(scores)) for group, scores in results]
    wide = [scores for group, scores in results if (group.pictures, group.masks) == WIDTH_TABLE]
    return "\n\n".join(
        [
            f"Each triple is Telea / Navier–Stokes / **{name}**.",
            comparison_table(rows, name=name),
            "Periodic scenes with wide masks by the width of the hole: the mean distance of its "
            "pixels to the nearest known one, in pixels of a picture of 256 a side:",
            width_table(wide, name=name),
            "The masks:",
            statistics_table(_STATISTICS_PIXELS, mask_count),
        ]
    )


def evaluate(generator: nn.Module, count: int, sizes: Sequence[int]) -> list[Result]:
    """Fill and score every sample of `groups` by every method, with a bar on a terminal.

    Raises:
        UsageError: when `count` is below 1, or a size does not suit the generator.
        MissingBackendError: when OpenCV or scikit-image is not installed.
    """
    if count < 1:
        raise UsageError(f"--count {count}: at least 1 scene of each kind is needed")
    for size in sizes:
        if size < _SMALLEST_PIXELS or size % _MULTIPLE_PIXELS:
            raise UsageError(
                f"--sizes {size}: sides are multiples of {_MULTIPLE_PIXELS}, "
                f"at least {_SMALLEST_PIXELS} pixels"
            )
    disable = not sys.stderr.isatty()
    with tqdm(groups(count, sizes), unit="group", leave=False, disable=disable) as bar:
        return [
            (one, [score(fill_by_every_method(generator, each), each) for each in one.samples])
            for one in bar
        ]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m lama_edge.models.training.evaluation.evaluate",
        description="Measure a small generator against OpenCV's Telea and Navier-Stokes.",
    )
    parser.add_argument("checkpoint", nargs="?", help="default: the embedded lama-tiny")
    parser.add_argument("--card", type=Path, metavar="CARD.md", help="write the tables into it")
    parser.add_argument("--count", type=int, default=_COUNT, help="scenes of each kind and size")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="PIXELS")
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    args = parser.parse_args(argv)
    return exit_code_of(lambda: _run(args))


def _run(args: argparse.Namespace) -> None:
    if args.threads < 1:
        raise UsageError(f"--threads {args.threads}: at least 1 is needed")
    torch.set_num_threads(args.threads)
    if args.card is not None:
        check_card(args.card)
    generator = build_generator(load_checkpoint(args.checkpoint))
    name = EMBEDDED_NAME if args.checkpoint is None else Path(args.checkpoint).stem
    text = figures(
        evaluate(generator, args.count, args.sizes),
        name=name,
        mask_count=_MASKS_PER_SCENE * args.count,
    )
    print(text)
    if args.card is not None:
        replace_figures(args.card, text)


if __name__ == "__main__":
    raise SystemExit(main())
