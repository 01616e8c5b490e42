"""The pictures that models are judged on: seeded ones, and the user's own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lama_edge.errors import ModelError, PictureError
from lama_edge.imaging import (
    Hole,
    Pixels,
    check_same_size,
    enlarge,
    hole_of,
    load_mask,
    load_picture,
    native_picture,
    pad,
    padded_size,
    shrink,
    shrink_hole,
    to_rgb,
)
from lama_edge.runtimes.inpaint_folder import Pair, find_pairs
from lama_edge.spec import Size, SizePolicy

MAX_PICTURE_SIDE = 512
_SEED = 20221


@dataclass(frozen=True)
class ParityCase:
    """A picture and a hole to judge on.

    Attributes:
        image: uint8 [H,W,3], RGB.
        hole: bool [H,W], True inside the hole.
        name: what reports call it.
    """

    image: NDArray[np.uint8]
    hole: NDArray[np.bool_]
    name: str = ""

    @property
    def size(self) -> Size:
        """The picture's size."""
        return Size(*self.hole.shape)

    @property
    def touches_border(self) -> bool:
        """Whether the hole reaches any border, where a fault in a padding shows."""
        hole = self.hole
        return bool(hole[0].any() or hole[-1].any() or hole[:, 0].any() or hole[:, -1].any())


def seeded_cases(policy: SizePolicy) -> list[ParityCase]:
    """Return the pictures that a model of this size policy is judged on.

    A fixed-size model has one; a dynamic one several, square, oblong and with odd bottlenecks, as
    far as its smallest and largest side allow.
    Every hole touches all four borders.
    """
    if policy.fixed is not None:
        sizes = [policy.fixed]
    else:
        step = policy.multiple
        sizes = [
            Size(policy.side_for(rows * step), policy.side_for(columns * step))
            for rows, columns in ((1, 1), (8, 12), (9, 13), (17, 11), (32, 24))
        ]
    rng = np.random.default_rng(_SEED)
    return [_seeded_case(rng, size) for size in sizes]


def shared_policy(one: SizePolicy, other: SizePolicy) -> SizePolicy:
    """Return the sizes that two models both take.

    Raises:
        ModelError: when there is none.
    """
    fixed = one.fixed or other.fixed
    if fixed is not None:
        for policy in (one, other):
            problem = policy.problem_with(fixed.height, fixed.width)
            if problem is not None:
                raise ModelError(
                    f"the model and the reference have no size in common: at {fixed}, {problem}"
                )
    multiple = math.lcm(one.multiple, other.multiple)
    least = -(-max(one.min_size, other.min_size) // multiple) * multiple
    most = min((p.max_side for p in (one, other) if p.max_side is not None), default=None)
    if most is not None:
        most = most // multiple * multiple
        if fixed is None and most < least:
            raise ModelError(
                f"the model and the reference have no size in common: the one begins at {least} a "
                f"side and the other ends at {most}"
            )
    return SizePolicy(fixed, multiple, least, most)


def picture_cases(images: Path, masks: Path | None, policy: SizePolicy) -> list[ParityCase]:
    """Return a folder's pictures, brought to sizes that a model of this policy takes.

    For a fixed size they are cropped to its shape and scaled. Otherwise those larger than
    `MAX_PICTURE_SIDE`, or than the policy allows, are scaled down to it, and all are cropped to
    the multiple, or padded by mirroring up to the smallest size. Crops are centred on the hole as
    far as the picture allows.

    Args:
        images: folder of pictures.
        masks: folder of masks, matched by name as `inpaint_folder.find_pairs` does; None looks
            in `images`. A picture without one gets a seeded hole that touches all four borders.
        policy: the sizes that may be used.

    Raises:
        UsageError: when a folder is missing, or holds no picture.
        PictureError: when a picture or mask cannot be used.
    """
    pairs, without_mask = find_pairs(images, images if masks is None else masks)
    rng = np.random.default_rng(_SEED)
    seen: dict[Path, int] = {}
    for pair in pairs:
        seen[pair.image] = seen.get(pair.image, 0) + 1
    cases = [_paired_case(pair, policy, several=seen[pair.image] > 1) for pair in pairs]
    for path in without_mask:
        pixels = _pixels(path)
        fitted, _ = _fit(pixels, np.zeros(pixels.shape[:2], dtype=bool), policy)
        cases.append(ParityCase(fitted, _seeded_hole(rng, Size(*fitted.shape[:2])), path.name))
    return sorted(cases, key=lambda case: case.name)


def _paired_case(pair: Pair, policy: SizePolicy, *, several: bool) -> ParityCase:
    pixels, hole = _pixels(pair.image), hole_of(load_mask(pair.mask))
    check_same_size(pixels, hole)
    if not hole.any():
        raise PictureError(f"the mask {str(pair.mask)!r} has no hole: nothing can be judged in it")
    name = f"{pair.image.name} ({pair.mask.name})" if several else pair.image.name
    return ParityCase(*_fit(pixels, hole, policy), name)


def _pixels(path: Path) -> Pixels:
    return to_rgb(np.asarray(native_picture(load_picture(path))))


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


def _seeded_case(rng: np.random.Generator, size: Size) -> ParityCase:
    """Draw smooth colours with texture and noise, and a hole that touches all four borders."""
    rows = np.linspace(0, 1, size.height)[:, None, None]
    columns = np.linspace(0, 1, size.width)[None, :, None]
    image = np.full((size.height, size.width, 3), 0.5)
    for cycles in (1, 3, 11, 29):
        angle, phase = rng.uniform(0, 2 * np.pi, (2, 3))
        wave = cycles * (rows * np.sin(angle) + columns * np.cos(angle))
        image += 0.12 * np.sin(2 * np.pi * wave + phase)
    image += rng.normal(0, 0.03, image.shape)
    pixels = np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)
    return ParityCase(pixels, _seeded_hole(rng, size), f"seeded {size}")


def _seeded_hole(rng: np.random.Generator, size: Size) -> NDArray[np.bool_]:
    """Draw a block on each border, and a band of noise that crosses the picture."""
    hole = np.zeros((size.height, size.width), dtype=bool)
    for edge in range(4):
        thickness = max(2, hole.shape[0] // 5)
        start = int(rng.integers(0, max(1, hole.shape[1] // 2)))
        hole[:thickness, start : start + max(2, hole.shape[1] // 3)] = True
        hole = np.rot90(hole)
        if edge == 0:
            hole[hole.shape[0] // 3 : hole.shape[0] // 2, :] |= rng.random(hole.shape[1]) < 0.5
    return np.array(hole)
