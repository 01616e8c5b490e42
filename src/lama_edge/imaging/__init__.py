"""Pictures and masks as arrays: check, convert, pad, shrink, composite."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lama_edge.errors import PictureError

Pixels = NDArray[np.uint8]
Hole = NDArray[np.bool_]
# Pillow's fixed-point Rec. 601 luma weights (its Convert.c): 0.299, 0.587, 0.114 in 1/65536.
_LUMA = np.array([19595, 38470, 7471], dtype=np.uint32)
# What puts a picture upright whose EXIF orientation swaps its sides.
_TURNS = {
    5: "turn the mask clockwise, then mirror it left to right",
    6: "turn the mask clockwise",
    7: "turn the mask counter-clockwise, then mirror it left to right",
    8: "turn the mask counter-clockwise",
}


def check_unit(levels: NDArray[Any], what: str) -> None:
    """Refuse an array of floats that are not all from 0 to 1.

    Args:
        levels: floats of any shape.
        what: such as ``the picture``.

    Raises:
        PictureError: naming what was seen.
    """
    if not np.isfinite(levels).all():
        kind = "NaN" if np.isnan(levels).any() else "infinity"
        raise PictureError(f"{what} holds {kind}: give floats from 0 to 1")
    if levels.size and not 0 <= levels.min() <= levels.max() <= 1:
        raise PictureError(
            f"{what}'s floats go from {levels.min()!s} to {levels.max()!s}: give 0 to 1, levels "
            "to 255 divided by that"
        )


def check_same_size(pixels: Pixels, hole: Hole, orientation: int = 1) -> None:
    """Refuse a mask of another size than the picture.

    Args:
        pixels: the picture, upright.
        hole: bool [H,W].
        orientation: what the picture's EXIF data said before it was put upright, 1 to 8.

    Raises:
        PictureError: naming both sizes as width x height.
    """
    if pixels.shape[:2] != hole.shape:
        picture, mask = (spell_size(*shape[1::-1]) for shape in (pixels.shape, hole.shape))
        remedy = "give a mask of the picture's size"
        if orientation in _TURNS and pixels.shape[1::-1] == hole.shape:
            remedy = (
                f"it fits the picture as stored, before its EXIF orientation {orientation} is "
                f"applied: {_TURNS[orientation]}"
            )
        raise PictureError(f"the mask is {mask} and the picture {picture}: {remedy}")


def to_8_bits(pixels: NDArray[Any]) -> Pixels:
    """Return a picture's levels as uint8: those of uint16 divided by 257, rounded."""
    if pixels.dtype == np.uint8:
        return pixels
    return np.rint(pixels / 257.0).astype(np.uint8)


def to_rgb(pixels: Pixels) -> Pixels:
    """Return uint8 [H,W,3] of a picture [H,W], [H,W,3] or [H,W,4]; alpha is left out."""
    if pixels.ndim == 2:
        return np.stack([pixels] * 3, axis=2)
    rgb: Pixels = pixels[:, :, :3]
    return rgb


def transparent(pixels: Pixels) -> Hole:
    """Return bool [H,W]: where a picture [H,W], [H,W,3] or [H,W,4] has an alpha of 0."""
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        return np.asarray(pixels[:, :, 3] == 0)
    return np.zeros(pixels.shape[:2], dtype=np.bool_)


def composite(pixels: Pixels, fill: Pixels, hole: Hole) -> Pixels:
    """Return a copy of a picture with its hole filled and every other value bit-identical.

    Args:
        pixels: uint8 [H,W], [H,W,3] or [H,W,4]; alpha stays as it is, in the hole too.
        fill: uint8 RGB [H,W,3]; for a grey picture its Rec. 601 luma, rounded as Pillow does.
        hole: bool [H,W].
    """
    result: Pixels = pixels.copy()
    if pixels.ndim == 2:
        result[hole] = (fill[hole] @ _LUMA + 0x8000) >> 16
    else:
        result[:, :, :3][hole] = fill[hole]
    return result


def padded_size(height: int, width: int, multiple: int, min_size: int) -> tuple[int, int]:
    """Return the smallest (height, width) that are multiples and at least `min_size`."""

    def padded(side: int) -> int:
        return math.ceil(max(side, min_size) / multiple) * multiple

    return padded(height), padded(width)


def pad(array: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Pad [H,W] or [H,W,C] at the bottom and right, mirrored with the border pixel repeated.

    This is the padding of the official LaMa pipeline, for image and mask alike.
    """
    growth = [(0, height - array.shape[0]), (0, width - array.shape[1])]
    return np.pad(array, growth + [(0, 0)] * (array.ndim - 2), mode="symmetric")


def fitted_size(height: int, width: int, max_height: int, max_width: int) -> tuple[int, int]:
    """Return the largest (height, width) of the same aspect ratio that fits; it never grows."""
    scale = min(1.0, max_height / height, max_width / width)
    return (
        max(1, min(max_height, round(height * scale))),
        max(1, min(max_width, round(width * scale))),
    )


def shrink(rgb: Pixels, height: int, width: int) -> Pixels:
    """Average uint8 [H,W,3] down to `height` x `width`.

    The box filter is the one whose support stays inside a target pixel: a wider one would
    bleed the hole's old content into pixels that `shrink_hole` leaves known.
    """
    return _resized(rgb, height, width, Image.Resampling.BOX)


def shrink_hole(hole: Hole, height: int, width: int) -> Hole:
    """Shrink bool [H,W] so that every pixel touched by a hole pixel is hole."""
    for axis, size in enumerate((height, width)):
        sums = np.cumsum(hole, axis=axis, dtype=np.int32)
        sums = np.insert(sums, 0, 0, axis=axis)
        edges = np.arange(size + 1, dtype=np.int64) * hole.shape[axis]
        first, stop = edges[:-1] // size, -(-edges[1:] // size)
        hole = np.asarray(sums.take(stop, axis=axis) > sums.take(first, axis=axis))
    return hole


def enlarge(rgb: Pixels, height: int, width: int) -> Pixels:
    """Interpolate uint8 [H,W,3] up to `height` x `width`, bicubic."""
    return _resized(rgb, height, width, Image.Resampling.BICUBIC)


def _resized(rgb: Pixels, height: int, width: int, resampling: Image.Resampling) -> Pixels:
    # Rows before columns, as the native wrappers do it: Pillow 13 on its own would take some shapes
    # the other way round (python-pillow/Pillow#9549), which shows, for there are 8 bits in between.
    image = Image.fromarray(rgb)
    for size in ((width, image.height), (width, height)):
        image = image.resize(size, resampling)
    return np.asarray(image)


def spell_size(width: int, height: int) -> str:
    """Return a size for messages."""
    return f"{width}x{height} (width x height)"
