"""How much masks hide and how wide their holes are, the way LaMa's authors compare mask kinds.

`python -m lama_edge.models.training.data.mask_statistics` prints both figures for every kind.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lama_edge.errors import UsageError, exit_code_of, needs_extra
from lama_edge.pictures.masks import (
    NARROW,
    WIDE,
    WIDE_TEST,
    Mask,
    MaskStyle,
    draw_mask,
    make_mask,
)

_STREAM = 0x6D61736B
_QUANTILES = (0.1, 0.5, 0.9)
_SMALLEST_SIDE = 16

KINDS: Mapping[str, MaskStyle | None] = {
    "wide (LaMa's training)": WIDE,
    "wide (LaMa's tests)": WIDE_TEST,
    "narrow (LaMa's tests)": NARROW,
    "lama-tiny's training": None,
}


@dataclass(frozen=True)
class Spread:
    """Mean, first decile, median and last decile."""

    mean: float
    low: float
    median: float
    high: float


@dataclass(frozen=True)
class KindStatistics:
    """Many masks of one kind.

    Attributes:
        area_share: spread of the hole's share of the picture.
        width_px: spread of the widths of those masks that leave a known pixel.
    """

    area_share: Spread
    width_px: Spread


def hole_width_px(mask: Mask) -> float | None:
    """Mean Euclidean distance of a hole's pixel to the nearest known one.

    The measure of width in Suvorov et al., WACV 2022. The picture's border counts as unknown.

    Args:
        mask: uint8 [H,W], above 0 = hole.

    Returns:
        At least 1 for a hole, 0 without one, and None when nothing is known.

    Raises:
        MissingBackendError: when OpenCV is not installed.
    """
    with needs_extra("dev"):
        import cv2

    hole = mask > 0
    if not hole.any():
        return 0.0
    if hole.all():
        return None
    distance = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return float(distance[hole].mean(dtype=np.float64))


def kind_statistics(style: MaskStyle | None, size: int, count: int) -> KindStatistics:
    """Draw `count` masks of `size` pixels a side and measure them, the same in every run.

    Args:
        style: a published style, or None for the training mixture.
        size: side in pixels.
        count: how many masks.

    Raises:
        UsageError: when there is nothing to measure.
        MissingBackendError: when OpenCV is not installed.
    """
    if size < _SMALLEST_SIDE or count < 1:
        raise UsageError(
            f"size {size} and count {count}: give at least {_SMALLEST_SIDE} pixels and 1 mask"
        )
    areas, widths = [], []
    for index in range(count):
        rng = np.random.default_rng([_STREAM, size, index])
        side = size, size
        mask = make_mask(rng, *side) if style is None else draw_mask(rng, *side, style=style)
        areas.append(float((mask > 0).mean()))
        width = hole_width_px(mask)
        widths += [] if width is None else [width]
    return KindStatistics(_spread(areas), _spread(widths))


def _spread(values: Sequence[float]) -> Spread:
    return Spread(float(np.mean(values)), *map(float, np.quantile(values, _QUANTILES)))


def statistics_table(size: int, count: int) -> str:
    """Spell the statistics of every kind as a Markdown table."""
    lines = [
        f"| {count} masks of {size} px | area, mean | 10 % / 50 % / 90 % "
        "| width, mean | 10 % / 50 % / 90 % |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, style in KINDS.items():
        found = kind_statistics(style, size, count)
        area, width = found.area_share, found.width_px
        lines.append(
            f"| {name} | {100 * area.mean:.0f} % "
            f"| {100 * area.low:.0f} / {100 * area.median:.0f} / {100 * area.high:.0f} % "
            f"| {width.mean:.1f} px | {width.low:.1f} / {width.median:.1f} / {width.high:.1f} px |"
        )
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Measure the areas and widths of random masks.")
    parser.add_argument("--size", type=int, default=256, metavar="PIXELS")
    parser.add_argument("--count", type=int, default=1000, help="masks of each kind")
    args = parser.parse_args(argv)
    return exit_code_of(lambda: print(statistics_table(args.size, args.count)))


if __name__ == "__main__":
    raise SystemExit(main())
