"""Photographs for evaluation alone: those that scikit-image carries in its own package.

None of them is trained on. They are in the package's files, so nothing is downloaded, and their
documentation there names where they come from.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from lama_edge.errors import PictureError, needs_extra
from lama_edge.pictures.holdout import Picture, Sample
from lama_edge.pictures.masks import WIDE_TEST, MaskStyle, draw_mask

PHOTOGRAPHS = (
    "astronaut",
    "brick",
    "camera",
    "chelsea",
    "coffee",
    "coins",
    "grass",
    "gravel",
    "moon",
    "rocket",
)
_STREAM = 0x70686F74


def photograph(name: str, size: int) -> Picture | None:
    """Load a photograph's central square, scaled down to `size` pixels a side.

    Args:
        name: one of `PHOTOGRAPHS`; a grey one gets three equal channels.
        size: side in pixels.

    Returns:
        uint8 [size,size,3] RGB, or None where the photograph is smaller: enlarged ones are
        blurred, and would flatter fills that are.

    Raises:
        PictureError: when scikit-image has no such photograph.
        MissingBackendError: when scikit-image is not installed.
    """
    with needs_extra("demo"):
        from skimage import data

    if name not in PHOTOGRAPHS:
        raise PictureError(f"there is no photograph {name!r}: use one of {', '.join(PHOTOGRAPHS)}")
    picture = Image.fromarray(getattr(data, name)()).convert("RGB")
    side = min(picture.size)
    if side < size:
        return None
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    square = picture.crop((left, top, left + side, top + side))
    if side > size:
        square = square.resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(square, dtype=np.uint8)


def photograph_samples(
    size: int,
    masks_each: int,
    *,
    masks: MaskStyle = WIDE_TEST,
    names: Sequence[str] = PHOTOGRAPHS,
) -> list[Sample]:
    """Pair every photograph that is large enough with several fixed masks.

    Args:
        size: side in pixels.
        masks_each: masks for each photograph.
        masks: style of the holes.
        names: which photographs.

    Raises:
        PictureError: when scikit-image has no such photograph.
        MissingBackendError: when scikit-image is not installed.
    """
    samples = []
    for name in names:
        truth = photograph(name, size)
        if truth is None:
            continue
        for index in range(masks_each):
            rng = np.random.default_rng([_STREAM, size, PHOTOGRAPHS.index(name), index])
            samples.append(Sample(truth, draw_mask(rng, size, size, style=masks)))
    return samples
