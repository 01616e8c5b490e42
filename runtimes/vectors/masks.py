"""Shared vectors of masks: which channel counts, what is refused, and how holes grow."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

from lama_edge.errors import LamaEdgeError
from lama_edge.imaging import Pixels
from lama_edge.imaging.masks import CHANNELS as MASK_CHANNELS
from lama_edge.imaging.masks import MAX_GROW, MaskRules, grown, read_mask
from lama_edge.runtimes.base import Array
from lama_edge.runtimes.vectors.format import Case, Topic, mask_case, put, refusal
from lama_edge.runtimes.vectors.model import (
    CHANNELS,
    Rectangle,
    hole_from,
    noise,
    some_rectangles,
)

_SIZE = (11, 14)
_BOX: tuple[Rectangle, ...] = ((2, 3, 7, 9),)
_OTHER: tuple[Rectangle, ...] = ((4, 5, 11, 14),)
_BLACK, _WHITE, _VIOLET = (0, 0, 0), (255, 255, 255), (120, 60, 200)
# Green levels and alphas: at most 255 / alpha + 1 from that of the most opaque pixel, and just
# beyond. The last three are near enough to the first of the most opaque ones alone.
_NEARLY = (
    ((100, 255), (102, 254)),
    ((100, 255), (102, 128)),
    ((100, 255), (255, 1)),
    ((11, 200), (9, 200), (13, 200)),
)
_NOT_NEARLY = (((100, 255), (101, 255)), ((100, 255), (103, 254)), ((100, 255), (103, 128)))
_GROWN = (0, 1, 2, 3, 5, 8, 13, 40, MAX_GROW)


def mask_vectors() -> Topic:
    """Return masks with the holes that `read_mask` finds, holes that grow, rules it refuses."""
    data = bytearray()
    groups = {
        "masks": [mask_read(data, mask, rules) for mask, rules in _masks()],
        "grown": list(_grown(data)),
        "rules": list(_refused_rules()),
    }
    return Topic("masks", groups, bytes(data))


def _masks() -> Iterator[tuple[Array, MaskRules]]:
    auto = MaskRules()
    for channels in CHANNELS.values():
        levels = noise(9, *_SIZE, channels) >> 6  # dark: some grey values round to 0
        levels[..., 3:] *= 85 if channels == 4 else 1
        for channel in MASK_CHANNELS:
            yield levels, MaskRules(channel)
    for alpha in (255, 7, 0):
        yield _layer(noise(9, *_SIZE, 3) >> 6, np.full(_SIZE, alpha)), auto
        for colour in (_BLACK, _WHITE):
            yield _layer(_plain(colour), np.full(_SIZE, alpha)), auto
    box, other = hole_from(_BOX, *_SIZE), hole_from(_OTHER, *_SIZE)
    for colour in (_BLACK, _WHITE, _VIOLET, (1, 0, 0)):
        yield _layer(_plain(colour), box * 255), auto
        for under in (_plain(_BLACK), _plain(_WHITE), noise(8, *_SIZE, 3)):
            yield _layer(np.where(box[:, :, np.newaxis], _plain(colour), under), box * 255), auto
    yield _layer(_plain(_VIOLET), (noise(7, *_SIZE, 1) >> 4) * box), auto
    yield _layer(np.where(other[:, :, np.newaxis], _plain(_WHITE), 0), box * 255), auto
    for pixels in (*_NEARLY, *_NOT_NEARLY):
        mask = np.full((2, 4, 4), (77, 77, 77, 0))
        for place, (level, alpha) in enumerate(pixels):
            mask[1, place] = (90, level, 90, alpha)
        yield mask.astype(np.uint8), auto
    for known in (9, 10):
        levels = np.full((10, 10), 255, np.uint8)
        levels.flat[:known] = 0
        yield levels, MaskRules(grow=2)
        yield 255 - levels, MaskRules(invert=True)
    for grow in (0, 1, 4):
        yield _layer(_plain(_BLACK), box * 255), MaskRules(grow=grow, invert=True)
        yield _layer(_plain(_BLACK), box * 255), MaskRules("alpha", grow)
        yield _layer(_plain(_BLACK), box * 255), MaskRules("grey", grow)


def _plain(colour: tuple[int, int, int]) -> Pixels:
    return np.full((*_SIZE, 3), colour, np.uint8)


def _layer(colours: Array, alpha: Array) -> Pixels:
    return np.dstack([colours, alpha]).astype(np.uint8)


def mask_read(data: bytearray, mask: Array, rules: MaskRules) -> Case:
    """Return the case of a mask that is read; its levels and its hole are appended to the data."""
    channels = 1 if mask.ndim == 2 else mask.shape[2]
    case: Case = {
        "mask": put(data, mask),
        "format": next(name for name, count in CHANNELS.items() if count == channels),
        "channel": rules.channel,
        "grow": rules.grow,
        "invert": rules.invert,
    }
    try:
        read = read_mask(Image.fromarray(mask), rules)
    except LamaEdgeError as error:
        return {**case, **refusal(error)}
    used = {"used": read.channel, "mostly_hole": read.mostly_hole}
    return {**case, **used, "result": put(data, read.hole)}


def _grown(data: bytearray) -> Iterator[Case]:
    rng = np.random.default_rng(5)
    for size in ((37, 53), (1, 40), (40, 1), (70, 9)):
        for pixels in _GROWN:
            holes = some_rectangles(rng, *size, most=3)
            result = put(data, grown(hole_from(holes, *size), pixels))
            yield {"mask": mask_case(*size, holes), "grow": pixels, "result": result}
    nothing = put(data, grown(hole_from([], 3, 4), 2))
    yield {"mask": mask_case(3, 4, []), "grow": 2, "result": nothing}


def _refused_rules() -> Iterator[Case]:
    for pixels in (-1, MAX_GROW + 1):
        try:
            MaskRules(grow=pixels)
        except LamaEdgeError as error:
            yield {"grow": pixels, **refusal(error)}
