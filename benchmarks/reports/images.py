"""Pictures for reports: tinted, coloured, reduced and encoded into the page itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lama_edge.benchmarks.reports import figures

# All pictures of one page together; a page should stay below 2 MB.
BUDGET_BYTES = 1_600_000
_SIDES = (640, 512, 384, 288, 208, 144, 96, 64)
# Up to this side a picture is kept lossless: it is small, and its pixels are looked at singly.
_LOSSLESS_SIDE = 160
_JPEG_QUALITY = 88
_TINT = np.array([236, 64, 122])
_TINT_SHARE = 0.55

# From no difference to the top of the scale; lightness grows evenly, so that it reads in grey.
RAMP = ("#10123a", "#2f3f94", "#2f86b0", "#6ac6a0", "#f6f2b4")
# From the tolerance to the largest difference, on a logarithmic scale.
OVER_RAMP = ("#ffb9a3", "#f4405f", "#7c0a3c")
_OUTSIDE, _WITHIN, _OVER, _COLOURS = 0, 1, 192, 256

Encoder = Callable[[int], str]


@dataclass(frozen=True)
class Shown:
    """A picture as the page shows it.

    Attributes:
        uri: the encoded picture as a ``data:`` URI.
        alt: what is seen, in words.
        caption: what stands below it.
        width: width of the original, in pixels.
        height: height of the original, in pixels.
    """

    uri: str
    alt: str
    caption: str
    width: int
    height: int


@dataclass(frozen=True)
class Amplified:
    """How differences are drawn.

    Attributes:
        top: the difference with the lightest colour.
        largest: the largest of all.
        remark: what else is to be said of the scale.
    """

    top: float
    largest: float
    remark: str = ""

    @property
    def factor(self) -> str:
        """By how much differences are amplified, spelled out."""
        return f"×{figures.two_digits(1 / self.top)}"

    @property
    def ends(self) -> tuple[str, ...]:
        """The top, and the largest difference where it is above that, spelled out."""
        values = (self.top, self.largest) if self.largest > self.top else (self.top,)
        return tuple(map(figures.scientific, values))


def encode_all(encoders: Sequence[Encoder]) -> list[str]:
    """Encode the pictures of a page at the largest side with which all fit `BUDGET_BYTES` of text.

    The smallest side is used even if they are more.

    Args:
        encoders: each takes the longest side allowed, in pixels, and returns a ``data:`` URI.
    """
    uris: list[str] = []
    for side in _SIDES:
        uris = [encode(side) for encode in encoders]
        if sum(map(len, uris)) <= BUDGET_BYTES:
            break
    return uris


def photo(image: NDArray[np.uint8]) -> Encoder:
    """Return an encoder for a picture, uint8 [H,W,3]; JPEG unless it is small."""

    def encode(side: int) -> str:
        picture = Image.fromarray(np.ascontiguousarray(image))
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        if max(picture.size) <= _LOSSLESS_SIDE:
            return _png(picture)
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
        return _uri("jpeg", buffer)

    return encode


def tinted(image: NDArray[np.uint8], hole: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the picture with its hole covered by a translucent colour; uint8 [H,W,3]."""
    covered = image * (1 - _TINT_SHARE) + _TINT * _TINT_SHARE
    result: NDArray[np.uint8] = np.where(hole[..., None], covered, image).round().astype(np.uint8)
    return result


def mask(hole: NDArray[np.bool_]) -> Encoder:
    """Return an encoder for a mask, bool [H,W]; the hole is white."""

    def encode(side: int) -> str:
        reduced = _reduce_max(hole.astype(np.uint8), side)
        return _png(Image.fromarray(reduced * np.uint8(255)).convert("1"))

    return encode


def difference(values: NDArray[np.float32], hole: NDArray[np.bool_], scale: Amplified) -> Encoder:
    """Return an encoder for amplified differences.

    Reducing keeps the largest value of each block: an average would hide a single bad pixel.

    Args:
        values: float32 [H,W], on the 0-to-1 scale.
        hole: bool [H,W]; what lies outside becomes transparent.
        scale: its top gets the lightest colour, and its largest difference the darkest colour
            of `OVER_RAMP`, which begins where the other ramp ends.
    """
    levels = np.nan_to_num(np.abs(values.astype(np.float64)), nan=1.0, posinf=1.0) / scale.top
    indices = _WITHIN + np.rint(np.clip(levels, 0, 1) * (_OVER - 1 - _WITHIN))
    span = np.log(max(scale.largest / scale.top, 1 + 1e-6))
    beyond = np.clip(np.log(np.maximum(levels, 1)) / span, 0, 1)
    indices = np.where(levels > 1, _OVER + np.rint(beyond * (_COLOURS - 1 - _OVER)), indices)
    indices[~hole] = _OUTSIDE

    def encode(side: int) -> str:
        picture = Image.fromarray(_reduce_max(indices.astype(np.uint8), side))
        picture.putpalette(_palette())
        buffer = io.BytesIO()
        picture.save(buffer, "PNG", optimize=True, transparency=_OUTSIDE)
        return _uri("png", buffer)

    return encode


def _palette() -> list[int]:
    """Return the colours of a difference: one for outside, then the two ramps."""
    ramps = [_ramp(RAMP, _OVER - _WITHIN), _ramp(OVER_RAMP, _COLOURS - _OVER)]
    table = np.concatenate([np.zeros((_WITHIN, 3)), *ramps])
    return [int(value) for value in np.rint(table).ravel()]


def _ramp(colours: Sequence[str], count: int) -> NDArray[np.float64]:
    stops = np.array([_rgb(colour) for colour in colours], dtype=float)
    places = np.linspace(0, len(colours) - 1, count)
    channels = [np.interp(places, np.arange(len(colours)), channel) for channel in stops.T]
    return np.stack(channels, axis=1)


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _reduce_max(values: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Reduce to at most `side` pixels by whole blocks, each by its largest value."""
    block = -(-max(values.shape) // side)
    if block == 1:
        return values
    height, width = values.shape
    padded = np.pad(values, ((0, -height % block), (0, -width % block)))
    shape = padded.shape[0] // block, block, padded.shape[1] // block, block
    reduced: NDArray[np.uint8] = np.amax(padded.reshape(shape), axis=(1, 3))
    return reduced


def _png(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return _uri("png", buffer)


def _uri(kind: str, buffer: io.BytesIO) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
