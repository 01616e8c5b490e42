"""Masks: which of their pixels are hole."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lama_edge.errors import PictureError, UsageError, parameter
from lama_edge.imaging import Hole, check_unit
from lama_edge.imaging.reading import upright

_log = logging.getLogger(__name__)

MaskChannel = Literal["auto", "grey", "alpha", "red", "green", "blue"]
CHANNELS: tuple[MaskChannel, ...] = get_args(MaskChannel)
# Distances are kept in 16 bits; what people ask for are some dozens at most.
MAX_GROW = 1024
_MOSTLY_HOLE = 0.9


@dataclass(frozen=True)
class MaskRules:
    """How a mask is read.

    Attributes:
        channel: what of the mask counts: its ``grey`` value, its ``alpha``, or one colour; a mask
            of grey has every colour. ``auto`` is as `read_mask` says.
        grow: the hole grows by this many pixels of the picture: every pixel whose centre is at
            most this far from a hole pixel's becomes hole. 0 to `MAX_GROW`.
        invert: the hole is where the value is 0; before it grows.

    Raises:
        UsageError: when the channel is unknown, or `grow` is no whole number of that range.
    """

    channel: MaskChannel = "auto"
    grow: int = 0
    invert: bool = False

    def __post_init__(self) -> None:
        if self.channel not in CHANNELS:
            known = ", ".join(CHANNELS)
            raise UsageError(f"masks have no channel {self.channel!r}: choose one of {known}")
        if not isinstance(self.grow, int) or not 0 <= self.grow <= MAX_GROW:
            raise UsageError(
                f"a mask cannot grow by {self.grow!r} pixels: give a whole number from 0 to "
                f"{MAX_GROW}",
                code="grow_out_of_range",
            )


DEFAULT_RULES = MaskRules()


@dataclass(frozen=True)
class ReadMask:
    """A mask that was read: `Inpainter` takes it as it is.

    Attributes:
        hole: bool [H,W].
        channel: what of the mask counted: grey, alpha, red, green or blue.
        mostly_hole: more than 90 % was hole before it grew; the mask may be inverted.
    """

    hole: Hole
    channel: MaskChannel
    mostly_hole: bool


def hole_of(mask: Image.Image | NDArray[Any] | ReadMask, rules: MaskRules = DEFAULT_RULES) -> Hole:
    """Return the hole alone of what `read_mask` reads, or of a mask that was read already."""
    return (mask if isinstance(mask, ReadMask) else read_mask(mask, rules)).hole


def read_mask(mask: Image.Image | NDArray[Any], rules: MaskRules = DEFAULT_RULES) -> ReadMask:
    """Find a mask's hole: the pixels whose value is above 0.

    With ``auto`` that is the grey value (Rec. 601 luma), unless only alpha has a shape, as in
    strokes on a transparent layer: some of it is 0 and some not, and the colour is the same
    wherever alpha is above 0 (up to what premultiplied storage loses). Under alpha 0 editors
    write any colour, so it says nothing. The log says when alpha counted. Where colours and
    alpha have different shapes the mask is refused, since either could be meant.

    Args:
        mask: a PIL image of any mode (orientation is applied; a palette's, GIF's or colour key's
            transparency is alpha), or an array [H,W] or [H,W,1] of uint8, bool or floats from 0 to
            1, which is the channel itself.
        rules: which channel counts, and what becomes of the hole.

    Raises:
        PictureError: when it is neither, cannot be decoded, is CIELAB, has not the alpha that
            was asked for, or does not tell whether colours or alpha count.
    """
    if isinstance(mask, Image.Image):
        hole, channel = _of_picture(upright(mask, "the mask"), rules.channel)
    else:
        hole, channel = _of_array(mask), "grey"
    if rules.invert:
        hole = ~hole
    share = float(hole.mean()) if hole.size else 0.0
    if share > _MOSTLY_HOLE:
        remedy = "leave out" if rules.invert else "say"
        _log.warning(
            "the hole is %.1f%% of the mask: if it is the wrong way round, %s %s",
            100 * share,
            remedy,
            parameter("mask_rules.invert"),
        )
    return ReadMask(grown(hole, rules.grow), channel, share > _MOSTLY_HOLE)


def grown(hole: Hole, pixels: int) -> Hole:
    """Dilate a hole bool [H,W] by a disc: hole is what lies within `pixels` of it.

    A pixel dy rows and dx columns from a hole pixel is hole where dx² + dy² <= pixels²; whole
    numbers throughout.
    """
    if pixels == 0 or not hole.any():
        return hole
    # Half the width of the disc by the rows from its middle; beyond it nothing is reached.
    half = np.array([*(math.isqrt(pixels**2 - rows**2) for rows in range(pixels + 1)), -1])
    column = np.arange(hole.shape[1])
    result = np.empty_like(hole)
    for row, distance in enumerate(_rows_to_hole(hole, pixels + 1)):
        reach = half[distance]
        from_left = np.maximum.accumulate(column + reach) >= column
        from_right = np.minimum.accumulate((column - reach)[::-1])[::-1] <= column
        result[row] = from_left | from_right
    return result


def _rows_to_hole(hole: Hole, most: int) -> NDArray[np.uint16]:
    """Return how many rows the next hole pixel of each column is away, at most `most`."""
    distance = np.full(hole.shape, most, np.uint16)
    distance[hole] = 0
    height = hole.shape[0]
    for row in range(1, height):
        np.minimum(distance[row], distance[row - 1] + 1, out=distance[row])
    for row in range(height - 2, -1, -1):
        np.minimum(distance[row], distance[row + 1] + 1, out=distance[row])
    return distance


def _of_array(mask: object) -> Hole:
    if not isinstance(mask, np.ndarray):
        raise PictureError(
            f"the mask is a {type(mask).__name__}: give a path, a PIL image, an array or a torch "
            "tensor"
        )
    if mask.dtype.kind == "f":
        check_unit(mask, "the mask")
    elif mask.dtype not in (np.uint8, np.bool_):
        raise PictureError(
            f"the mask has dtype {mask.dtype}: give uint8, bool or floats from 0 to 1, above 0 is "
            "hole"
        )
    if mask.ndim == 3 and mask.shape[2] == 1:
        mask = mask[:, :, 0]
    if mask.ndim != 2:
        raise PictureError(f"the mask has shape {mask.shape}: give [H,W] or [H,W,1]")
    return np.asarray(mask > 0)


def _of_picture(mask: Image.Image, channel: MaskChannel) -> tuple[Hole, MaskChannel]:
    # The clipping in Pillow's own conversion differs between releases for these modes.
    if mask.mode[0] in "IF" and channel != "alpha":
        return np.asarray(np.asarray(mask) > 0), "grey"
    has_alpha = mask.mode in ("RGBA", "LA", "PA", "RGBa") or "transparency" in mask.info
    if channel == "alpha" and not has_alpha:
        raise PictureError(
            f"the mask has no alpha (its mode is {mask.mode}): leave out "
            f"{parameter('mask_rules.channel', 'alpha')}",
            code="mask_without_alpha",
        )
    coloured = mask.mode not in ("1", "L", "LA")
    if channel in ("red", "green", "blue") and coloured:
        return _above_0(_opaque(mask).convert("RGB").getchannel(channel[0].upper())), channel
    if has_alpha and channel in ("auto", "alpha"):
        mask = mask.convert("RGBA")
        channel = _channel(mask) if channel == "auto" else channel
        if channel == "alpha":
            return _above_0(mask.getchannel("A")), "alpha"
    return _above_0(_opaque(mask).convert("L")), "grey"


def _channel(mask: Image.Image) -> MaskChannel:
    """Return what an RGBA mask's hole is read from, grey or alpha; see `read_mask`."""
    alpha = np.asarray(mask.getchannel("A"))
    grey_hole, alpha_hole = _above_0(mask.convert("L")), alpha > 0
    if np.array_equal(grey_hole, alpha_hole) or alpha.min(initial=255) == 255:
        return "grey"
    if _has_shape(alpha_hole):
        if _one_colour(np.asarray(mask)):
            _log.warning("the mask is read from its alpha: its colour is the same everywhere")
            return "alpha"
    elif _has_shape(grey_hole):
        return "grey"
    raise PictureError(
        f"the mask's colours mark {grey_hole.mean():.1%} of it and its alpha "
        f"{alpha_hole.mean():.1%}: say which is the hole, "
        f"{parameter('mask_rules.channel', 'grey', 'alpha')}",
        code="mask_unclear",
    )


def _one_colour(rgba: NDArray[np.uint8]) -> bool:
    """Tell whether all visible pixels have the colour of the first of the most opaque ones.

    What was stored premultiplied (as a canvas does) may be off by 255 / alpha + 1.
    """
    alpha = rgba[:, :, 3].astype(np.int32)
    colour = rgba.reshape(-1, 4)[alpha.argmax()].astype(np.int32)
    most = np.where(alpha < 255, alpha + 255, 0)
    return all(
        bool((np.abs(rgba[:, :, channel] - colour[channel]) * alpha <= most).all())
        for channel in range(3)
    )


def _has_shape(hole: Hole) -> bool:
    return bool(hole.any() and not hole.all())


def _above_0(levels: Image.Image) -> Hole:
    return np.asarray(np.asarray(levels) > 0)


def _opaque(mask: Image.Image) -> Image.Image:
    mask.info.pop("transparency", None)
    return mask
