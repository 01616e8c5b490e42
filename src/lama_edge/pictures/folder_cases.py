"""The user's own pictures to judge on, brought to sizes that a model takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from lama_edge.errors import PictureError
from lama_edge.imaging import (
    Hole,
    Pixels,
    check_same_size,
    enlarge,
    pad,
    padded_size,
    shrink,
    shrink_hole,
)
from lama_edge.imaging.masks import hole_of
from lama_edge.imaging.reading import load_mask, load_rgb
from lama_edge.judging.cases import ParityCase, seeded_hole
from lama_edge.pictures.pairs import find_pairs
from lama_edge.spec import Size, SizePolicy
from lama_edge.stores.local import LocalStore

MAX_PICTURE_SIDE = 512
_SEED = 20221


def picture_cases(images: Path, masks: Path | None, policy: SizePolicy) -> list[ParityCase]:
    """Return a folder's pictures, brought to sizes that a model of this policy takes.

    For a fixed size they are cropped to its shape and scaled. Otherwise those larger than
    `MAX_PICTURE_SIDE`, or than the policy allows, are scaled down to it, and all are cropped to
    the multiple, or padded by mirroring up to the smallest size. Crops are centred on the hole as
    far as the picture allows.

    Args:
        images: folder of pictures.
        masks: folder of masks, matched by name as `find_pairs` does; None looks
            in `images`. A picture without one gets a seeded hole that touches all four borders.
        policy: the sizes that may be used.

    Raises:
        UsageError: when a folder is missing, or holds no picture.
        PictureError: when a picture or mask cannot be used.
    """
    masks = images if masks is None else masks
    pairs, without_mask = find_pairs(LocalStore(images), LocalStore(masks))
    rng = np.random.default_rng(_SEED)
    seen: dict[str, int] = {}
    for pair in pairs:
        seen[pair.image] = seen.get(pair.image, 0) + 1
    cases = [
        _paired_case(images / pair.image, masks / pair.mask, policy, several=seen[pair.image] > 1)
        for pair in pairs
    ]
    for name in without_mask:
        pixels = _pixels(images / name)
        fitted, _ = _fit(pixels, np.zeros(pixels.shape[:2], dtype=bool), policy)
        cases.append(ParityCase(fitted, seeded_hole(rng, Size(*fitted.shape[:2])), name))
    return sorted(cases, key=lambda case: case.name)


def check_folders(images: Path, masks: Path | None) -> None:
    """Refuse folders that `picture_cases` would, before any long work is done.

    Raises:
        UsageError: when a folder is missing, or holds no picture.
    """
    find_pairs(LocalStore(images), LocalStore(images if masks is None else masks))


def _paired_case(image: Path, mask: Path, policy: SizePolicy, *, several: bool) -> ParityCase:
    pixels, hole = _pixels(image), hole_of(load_mask(mask))
    check_same_size(pixels, hole)
    if not hole.any():
        raise PictureError(f"the mask {str(mask)!r} has no hole: nothing can be judged in it")
    name = f"{image.name} ({mask.name})" if several else image.name
    return ParityCase(*_fit(pixels, hole, policy), name)


def _pixels(path: Path) -> Pixels:
    return load_rgb(path)


def _fit(pixels: Pixels, hole: Hole, policy: SizePolicy) -> tuple[Pixels, Hole]:
    """Crop and scale a picture and its hole to a size of the policy."""
    height, width = hole.shape
    if policy.fixed is not None:
        target = policy.fixed
        scale = min(height / target.height, width / target.width)
    else:
        most = min(MAX_PICTURE_SIDE, policy.max_side or MAX_PICTURE_SIDE)
        scale = max(1.0, max(height, width) / most)
        step = policy.multiple
        rows, columns = (int(side / scale) // step * step for side in (height, width))
        target = Size(*padded_size(rows, columns, step, policy.min_size))
        height, width = max(height, target.height), max(width, target.width)
        pixels, hole = pad(pixels, height, width), pad(hole, height, width)
    rows = min(height, max(1, round(target.height * scale)))
    columns = min(width, max(1, round(target.width * scale)))
    window = _window(hole, rows, columns)
    return _scale(pixels[window], hole[window], target)


def _window(hole: Hole, height: int, width: int) -> tuple[slice, slice]:
    """Return the window around the hole's pixel that is nearest to the middle of the hole."""
    inside = np.argwhere(hole) if hole.any() else np.array([hole.shape]) // 2
    middle = (inside.min(axis=0) + inside.max(axis=0)) / 2
    centre = inside[np.square(inside - middle).sum(axis=1).argmin()]
    slices = []
    for position, side, length in zip(centre, hole.shape, (height, width), strict=True):
        start = int(np.clip(position - length // 2, 0, side - length))
        slices.append(slice(start, start + length))
    return slices[0], slices[1]


def _scale(pixels: Pixels, hole: Hole, size: Size) -> tuple[Pixels, Hole]:
    height, width = size.height, size.width
    if (height, width) == hole.shape:
        return pixels, hole
    if height <= hole.shape[0] and width <= hole.shape[1]:
        return shrink(pixels, height, width), shrink_hole(hole, height, width)
    mask = Image.fromarray(hole.astype(np.uint8)).resize((width, height), Image.Resampling.NEAREST)
    return enlarge(pixels, height, width), np.asarray(mask) > 0
