"""Random holes: LaMa's published wide and narrow masks, and the mixture that training draws from.

The published masks are those of Suvorov et al., WACV 2022 (arXiv 2109.07161): chains of thick
segments, or boxes. Their parameters are the ones that the authors' configuration files give for
pictures of 256 pixels a side, and scale with the picture's shorter side here:

- `WIDE`: `configs/training/data/abl-04-256-mh-dist.yaml`, what LaMa trains on;
- `WIDE_TEST`: `configs/data_gen/random_thick_256.yaml`, what the paper calls wide in its tables;
- `NARROW`: `configs/data_gen/random_thin_256.yaml`, what the paper calls narrow.

What this project adds for training (ellipses, holes that the picture's border cuts off, a limit
on the hole's share) is in `make_mask` alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

Mask = npt.NDArray[np.uint8]

_REFERENCE_PX = 256
# Added to every length and width that the authors' generator draws, at 256 pixels.
_SHORTEST_PX = 10
_THINNEST_PX = 5
_MAX_SEGMENTS = 5

_NARROW_SHARE = 0.15
_ELLIPSES_SHARE = 0.2
_BORDER_SHARE = 0.2
_BORDER_REACH = (0.12, 0.55)
_MIN_TRAINING_SHARE = 0.005
_MAX_TRAINING_SHARE = 0.6
_MAX_TRIES = 50


@dataclass(frozen=True)
class MaskStyle:
    """What a published mask is made of; pixels are those of a picture of 256 a side.

    Attributes:
        strokes: fewest and most chains of 1 to 5 segments.
        max_angle: a segment's angle to the vertical is a whole number of radians below this
            one; every other chain is mirrored.
        max_length_px: range of a segment's length, above 10.
        max_width_px: range of a segment's width, above 5.
        boxes_share: masks that are made of boxes in the place of strokes.
        boxes: fewest and most boxes.
        box_side_px: smallest and largest side of a box.
        margin_px: between a box and the picture's border.
        max_hole_share: a mask that hides more is drawn again.
    """

    strokes: tuple[int, int]
    max_angle: int
    max_length_px: float
    max_width_px: float
    boxes_share: float = 0.0
    boxes: tuple[int, int] = (1, 1)
    box_side_px: tuple[float, float] = (30, 150)
    margin_px: float = 10
    max_hole_share: float = 1.0


WIDE = MaskStyle(
    strokes=(1, 5),
    max_angle=4,
    max_length_px=200,
    max_width_px=100,
    boxes_share=0.5,
    boxes=(1, 4),
)
WIDE_TEST = MaskStyle(
    strokes=(1, 5),
    max_angle=4,
    max_length_px=200,
    max_width_px=100,
    boxes_share=0.3 / 1.3,
    boxes=(1, 3),
    max_hole_share=0.5,
)
NARROW = MaskStyle(
    strokes=(4, 50), max_angle=4, max_length_px=40, max_width_px=10, max_hole_share=0.5
)


def make_mask(rng: np.random.Generator, height: int, width: int) -> Mask:
    """Draw one training mask: mostly wide, some narrow, some of ellipses, some on the border.

    Args:
        rng: seeded generator; the same state gives the same mask.
        height: rows.
        width: columns.

    Returns:
        uint8 [H,W], 255 = hole; never empty, at most 60 % hole.
    """
    for _ in range(_MAX_TRIES):
        image = Image.new("L", (width, height), 0)
        kind = rng.random()
        if kind < _NARROW_SHARE:
            _draw_published(rng, image, NARROW)
        elif kind < _NARROW_SHARE + _ELLIPSES_SHARE:
            _draw_boxes(rng, image, WIDE, ellipses=True)
        else:
            _draw_published(rng, image, WIDE)
        if rng.random() < _BORDER_SHARE:
            _draw_on_border(rng, image)
        mask = np.array(image, dtype=np.uint8)
        if _MIN_TRAINING_SHARE < float((mask > 0).mean()) <= _MAX_TRAINING_SHARE:
            return mask
    return _central_square(height, width)


def draw_mask(rng: np.random.Generator, height: int, width: int, *, style: MaskStyle) -> Mask:
    """Draw one published mask.

    Args:
        rng: seeded generator.
        height: rows.
        width: columns.
        style: `WIDE`, `WIDE_TEST`, `NARROW`, or another.

    Returns:
        uint8 [H,W], 255 = hole; never empty, at most the style's `max_hole_share` hole. With
        `WIDE`, which has no limit, it may rarely hide everything.
    """
    for _ in range(_MAX_TRIES):
        image = Image.new("L", (width, height), 0)
        _draw_published(rng, image, style)
        mask = np.array(image, dtype=np.uint8)
        if 0 < float((mask > 0).mean()) <= style.max_hole_share:
            return mask
    return _central_square(height, width)


def _central_square(height: int, width: int) -> Mask:
    """What is left when chance keeps drawing unusable masks, as on pictures of a few pixels."""
    mask = np.zeros((height, width), dtype=np.uint8)
    mask[height // 4 : max(1, height // 2), width // 4 : max(1, width // 2)] = 255
    return mask


def _draw_published(rng: np.random.Generator, image: Image.Image, style: MaskStyle) -> None:
    if rng.random() < style.boxes_share:
        _draw_boxes(rng, image, style, ellipses=False)
    else:
        _draw_strokes(rng, image, style)


def _draw_strokes(rng: np.random.Generator, image: Image.Image, style: MaskStyle) -> None:
    """Draw chains of segments whose headings, lengths and widths are independent."""
    draw = ImageDraw.Draw(image)
    scale = min(image.size) / _REFERENCE_PX
    few, many = style.strokes
    for stroke in range(int(rng.integers(few, many + 1))):
        mirrored = -1 if stroke % 2 == 0 else 1
        x, y = rng.uniform(0, image.width), rng.uniform(0, image.height)
        for _ in range(int(rng.integers(1, _MAX_SEGMENTS + 1))):
            angle = mirrored * float(rng.integers(style.max_angle))
            length = scale * (_SHORTEST_PX + rng.uniform(0, style.max_length_px))
            brush = max(1.0, scale * (_THINNEST_PX + rng.uniform(0, style.max_width_px)))
            end_x = float(np.clip(x + length * math.sin(angle), 0, image.width))
            end_y = float(np.clip(y + length * math.cos(angle), 0, image.height))
            _draw_segment(draw, (x, y), (end_x, end_y), brush)
            x, y = end_x, end_y


def _draw_segment(
    draw: ImageDraw.ImageDraw,
    start: tuple[float, float],
    end: tuple[float, float],
    brush: float,
) -> None:
    """Draw a line with round ends, so that segments of a chain join."""
    draw.line((*start, *end), fill=255, width=max(1, round(brush)))
    half = brush / 2
    for x, y in (start, end):
        draw.ellipse((x - half, y - half, x + half, y + half), fill=255)


def _draw_boxes(
    rng: np.random.Generator, image: Image.Image, style: MaskStyle, *, ellipses: bool
) -> None:
    draw = ImageDraw.Draw(image)
    scale = min(image.size) / _REFERENCE_PX
    low, high = (scale * side for side in style.box_side_px)
    margin = scale * style.margin_px
    few, many = style.boxes
    for _ in range(int(rng.integers(few, many + 1))):
        box_width, box_height = rng.uniform(low, high, 2)
        left = rng.uniform(margin, image.width - margin - box_width)
        top = rng.uniform(margin, image.height - margin - box_height)
        box = (left, top, left + box_width - 1, top + box_height - 1)
        if ellipses:
            draw.ellipse(_ordered(box), fill=255)
        else:
            draw.rectangle(_ordered(box), fill=255)


def _ordered(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """Keep a box of less than a pixel drawable."""
    left, top, right, bottom = box
    return left, top, max(left, right), max(top, bottom)


def _draw_on_border(rng: np.random.Generator, image: Image.Image) -> None:
    """Open a hole that one side of the picture cuts off."""
    reach, across = rng.uniform(*_BORDER_REACH, 2) * min(image.size)
    side = int(rng.integers(4))
    if side < 2:
        left = rng.uniform(0, image.width - across)
        top = -1.0 if side == 0 else image.height - reach
        box = (left, top, left + across, top + reach)
    else:
        top = rng.uniform(0, image.height - across)
        left = -1.0 if side == 2 else image.width - reach
        box = (left, top, left + reach, top + across)
    ImageDraw.Draw(image).rectangle(box, fill=255)
