"""Random holes for training: LaMa's wide masks, thin ones, and holes that touch the border.

The wide masks follow the irregular strokes and boxes of Suvorov et al., WACV 2022
(arXiv 2109.07161), section 2.4, with lengths and widths scaled to the picture's shorter side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

_MAX_HOLE_SHARE = 0.6
_MIN_HOLE_SHARE = 0.005
_MAX_TRIES = 20


@dataclass(frozen=True)
class MaskStyle:
    """Ranges of a mask's shapes, as shares of the picture's shorter side.

    Attributes:
        max_stroke_width: of a stroke; at least a tenth of it is used.
        max_stroke_length: of one straight piece of a stroke.
        max_strokes: strokes in a mask of strokes.
        box_side: smallest and largest side of a box or an ellipse.
        max_boxes: boxes and ellipses in a mask of boxes.
    """

    max_stroke_width: float
    max_stroke_length: float
    max_strokes: int
    box_side: tuple[float, float]
    max_boxes: int


WIDE = MaskStyle(
    max_stroke_width=0.4,
    max_stroke_length=0.8,
    max_strokes=4,
    box_side=(0.12, 0.55),
    max_boxes=3,
)
NARROW = MaskStyle(
    max_stroke_width=0.08,
    max_stroke_length=0.8,
    max_strokes=6,
    box_side=(0.05, 0.2),
    max_boxes=4,
)
_NARROW_SHARE = 0.15
_STROKES_SHARE = 0.5
_BORDER_SHARE = 0.2


def make_mask(rng: np.random.Generator, height: int, width: int) -> npt.NDArray[np.uint8]:
    """Draw one training mask: mostly wide, some narrow, some on the border.

    Args:
        rng: seeded generator; the same state gives the same mask.
        height: rows.
        width: columns.

    Returns:
        uint8 [H,W], 255 = hole; never empty, never more than 60 % hole.
    """
    style = NARROW if rng.random() < _NARROW_SHARE else WIDE
    return draw_mask(rng, height, width, style=style)


def draw_mask(
    rng: np.random.Generator, height: int, width: int, *, style: MaskStyle
) -> npt.NDArray[np.uint8]:
    """Draw one mask of the given style.

    Args:
        rng: seeded generator.
        height: rows.
        width: columns.
        style: ranges of the shapes.

    Returns:
        uint8 [H,W], 255 = hole; never empty, never more than 60 % hole.
    """
    for _ in range(_MAX_TRIES):
        image = Image.new("L", (width, height), 0)
        if rng.random() < _STROKES_SHARE:
            _draw_strokes(rng, image, style)
        else:
            _draw_boxes(rng, image, style)
        if rng.random() < _BORDER_SHARE:
            _draw_border(rng, image, style)
        mask = np.array(image, dtype=np.uint8)
        if _MIN_HOLE_SHARE < float((mask > 0).mean()) < _MAX_HOLE_SHARE:
            return mask
    mask = np.zeros((height, width), dtype=np.uint8)
    mask[height // 4 : height // 2, width // 4 : width // 2] = 255
    return mask


def _draw_strokes(rng: np.random.Generator, image: Image.Image, style: MaskStyle) -> None:
    draw = ImageDraw.Draw(image)
    side = min(image.size)
    for _ in range(int(rng.integers(1, style.max_strokes + 1))):
        x, y = rng.uniform(0, image.width), rng.uniform(0, image.height)
        brush = max(2.0, rng.uniform(0.1, 1.0) * style.max_stroke_width * side)
        heading = rng.uniform(0, 2 * math.pi)
        for _ in range(int(rng.integers(1, 6))):
            # Turning by about half a turn each time keeps the stroke inside, as LaMa's does.
            heading += math.pi + rng.uniform(-2, 2)
            length = rng.uniform(0.1, 1.0) * style.max_stroke_length * side
            end_x = float(np.clip(x + length * math.cos(heading), 0, image.width))
            end_y = float(np.clip(y + length * math.sin(heading), 0, image.height))
            draw.line((x, y, end_x, end_y), fill=255, width=round(brush))
            for px, py in ((x, y), (end_x, end_y)):
                half = brush / 2
                draw.ellipse((px - half, py - half, px + half, py + half), fill=255)
            x, y = end_x, end_y


def _draw_boxes(rng: np.random.Generator, image: Image.Image, style: MaskStyle) -> None:
    draw = ImageDraw.Draw(image)
    low, high = (share * min(image.size) for share in style.box_side)
    for _ in range(int(rng.integers(1, style.max_boxes + 1))):
        box_width, box_height = rng.uniform(low, high, 2)
        left = rng.uniform(0, image.width - box_width)
        top = rng.uniform(0, image.height - box_height)
        box = (left, top, left + box_width, top + box_height)
        if rng.random() < 0.5:
            draw.ellipse(box, fill=255)
        else:
            draw.rectangle(box, fill=255)


def _draw_border(rng: np.random.Generator, image: Image.Image, style: MaskStyle) -> None:
    """Open a hole that one side of the picture cuts off."""
    reach = rng.uniform(*style.box_side) * min(image.size)
    across = rng.uniform(*style.box_side) * min(image.size)
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
