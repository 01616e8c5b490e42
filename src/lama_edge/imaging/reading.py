"""Picture files read: upright, decoded, in modes that the model's side knows."""

from __future__ import annotations

import io
import logging
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageOps, TiffImagePlugin, UnidentifiedImageError

from lama_edge.errors import PictureError, one_line, parameter
from lama_edge.imaging import Pixels, spell_size, to_8_bits, to_rgb
from lama_edge.imaging.encoding import ENCODING, encoding_of
from lama_edge.imaging.metadata import COLOUR_CHUNKS, kept_metadata
from lama_edge.imaging.saving import ALPHA_MODES

NATIVE_MODES = ("L", "RGB", "RGBA", "I;16")
_log = logging.getLogger(__name__)
# Whatever a file is named, no other of Pillow's decoders sees it: EPS would start Ghostscript.
_READ_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM")
# Pillow refuses to convert these, or relabels Lab values as RGB.
_FOREIGN_MODES = ("LAB", "La")
# Pillow spreads grey of few bits over 0 to 255, but not the grey that shall be transparent.
_GREY_STEPS = {"1": 255, "L;2": 85, "L;4": 17}
_BITS_PER_SAMPLE = 258  # of TIFF
_PHOTOMETRIC = 262  # of TIFF; 0 is white as 0
# Without these the values mean something else.
_PIXEL_INFO = ("icc_profile", "transparency", *COLOUR_CHUNKS)
_limit_lifted = threading.Lock()


def load_picture(
    path: str | Path,
    *,
    max_pixels: int | None = None,
    metadata: bool = True,
    named: str | Path | None = None,
) -> Image.Image:
    """Read a picture, upright and fully decoded.

    Its ``info`` holds the ICC profile and, unless `metadata` is False, what `kept_metadata` keeps:
    `save_picture` writes it again.

    Args:
        path: PNG, JPEG, WebP, TIFF, BMP, GIF or PPM; of several frames the first one is read.
        max_pixels: how many pixels it may have; None is Pillow's limit for decompression bombs.
        metadata: whether to keep more than the ICC profile.
        named: what messages call the file, where `path` is a temporary one.

    Raises:
        PictureError: when the file is missing, no picture, damaged, or too large.
    """
    name = f"the picture {str(path if named is None else named)!r}"
    with _open(path, name, max_pixels) as image:
        _check_depth(image, name)
        picture, readable = _upright(image, name)
        said: dict[Any, Any] = (
            kept_metadata(image, path, name, say_damage=readable) if metadata else {}
        )
        with _decoding(name):
            said[ENCODING] = encoding_of(image, path, transposed=picture.size != image.size)
    picture.info = {key: picture.info[key] for key in _PIXEL_INFO if key in picture.info} | said
    return picture


def load_mask(
    path: str | Path, *, max_pixels: int | None = None, named: str | Path | None = None
) -> Image.Image:
    """Read a mask like a picture: `hole_of` turns it into an array.

    Raises:
        PictureError: as `load_picture`.
    """
    name = f"the mask {str(path if named is None else named)!r}"
    with _open(path, name, max_pixels) as image:
        return upright(image, name)


def load_rgb(path: str | Path) -> Pixels:
    """Read a picture's colours, uint8 [H,W,3]; alpha is left out.

    Raises:
        PictureError: as `load_picture` and `native_picture`.
    """
    pixels = np.asarray(native_picture(load_picture(path, metadata=False)))
    return to_rgb(to_8_bits(pixels))


def native_picture(image: Image.Image) -> Image.Image:
    """Return an upright copy in mode L, RGB, RGBA or I;16.

    Grey of more than 8 bits becomes I;16; other modes become RGB, or RGBA where something may be
    transparent, and the log says so. An ICC profile that does not describe RGB is dropped when
    the mode changes.

    Raises:
        PictureError: when the picture is empty, cannot be decoded, or holds what says nothing
            of colours: CIELAB, floats, whole numbers beyond 16 bits.
    """
    picture = upright(image, "the picture")
    if 0 in picture.size:
        raise PictureError(f"the picture is empty: {spell_size(*picture.size)}")
    if picture.mode[0] in "IF":
        picture = _sixteen_bits(picture)
    keyed = "transparency" in picture.info
    if picture.mode in NATIVE_MODES and not keyed:
        return picture
    mode = "RGBA" if keyed or picture.mode in ALPHA_MODES else "RGB"
    what = f"{picture.mode} with a transparent colour" if keyed else picture.mode
    _log.warning("the picture's mode %s is converted to %s", what, mode)
    converted = _keyed_grey(picture) if picture.mode == "I;16" else picture.convert(mode)
    converted.info = {key: value for key, value in picture.info.items() if key != "transparency"}
    profile = picture.info.get("icc_profile")
    if profile and profile[16:20] != b"RGB ":  # the colour space field of an ICC header
        del converted.info["icc_profile"]
        _log.warning("its ICC profile is dropped: it does not describe RGB")
    return converted


def _sixteen_bits(picture: Image.Image) -> Image.Image:
    """Return grey of 16 bits, of whole numbers in their range."""
    levels = np.asarray(picture)
    low, high = levels.min(), levels.max()
    if picture.mode == "F" or low < 0 or high > 65535:
        kind = "float values" if picture.mode == "F" else "32-bit whole numbers"
        raise PictureError(
            f"the picture has {kind}, {low:g} to {high:g}, and nothing says which is white: "
            "save it with 8 or 16 bits a channel first"
        )
    result = Image.fromarray(levels.astype(np.uint16))
    result.info = picture.info
    return result


def _keyed_grey(picture: Image.Image) -> Image.Image:
    levels = np.asarray(picture)
    grey = Image.fromarray(to_8_bits(levels)).convert("RGBA")
    seen = levels != picture.info["transparency"]
    grey.putalpha(Image.fromarray(seen.astype(np.uint8) * np.uint8(255)))
    return grey


@contextmanager
def _open(path: str | Path, name: str, max_pixels: int | None) -> Iterator[Image.Image]:
    """Open a picture file for its first frame, where it is not too large."""
    with _decoding(name), nullcontext() if max_pixels is None else _no_limit():
        image = Image.open(path, formats=_READ_FORMATS)
        animated = getattr(image, "is_animated", False) and image.format != "MPO"
    with image:
        pixels = image.width * image.height
        if max_pixels is not None and pixels > max_pixels:
            raise PictureError(
                f"{name} is refused: it has {pixels} pixels, and {parameter('max_pixels')} is "
                f"{max_pixels}. {_too_large(pixels)}"
            )
        if animated:
            _log.warning("%s has several frames: the first one is used", name)
        step = _GREY_STEPS.get(_raw_mode(image))
        if step and isinstance(image.info.get("transparency"), int):
            image.info["transparency"] = min(255, image.info["transparency"] * step)
        yield image


@contextmanager
def _no_limit() -> Iterator[None]:
    """Lift Pillow's limit, which is one for all threads: others may meet none meanwhile."""
    with _limit_lifted:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _too_large(pixels: int | None) -> str:
    limit = parameter("max_pixels", *(() if pixels is None else (pixels,)))
    return f"Scale it down first, or give {limit} to inpaint it"


def _raw_mode(image: Image.Image) -> str:
    """Return the name of an opened file's coding of pixels."""
    return str(_coding(image)[0])


def _coding(image: Image.Image) -> tuple[Any, ...]:
    """Return how an opened file's pixels are coded, in Pillow's words."""
    tiles = getattr(image, "tile", None)
    argument = tiles[0][3] if tiles else ""
    return argument if isinstance(argument, tuple) and argument else (argument,)


def _check_depth(image: Image.Image, name: str) -> None:
    """Say that Pillow reads 8 bits of colours with 16, and refuse what it does not scale."""
    raw = _raw_mode(image)
    if raw == "I;12":
        raise PictureError(f"{name} has grey of 12 bits: save it with 8 or 16 bits a channel first")
    maximum = _coding(image)[-1]
    samples = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (8,))
    deep = ";16" in raw or max(samples, default=8) > 8
    deep |= image.format == "PPM" and isinstance(maximum, int) and maximum > 255
    if image.mode[0] in "IF" or not deep:
        return
    if "transparency" in image.info:
        raise PictureError(
            f"{name} has colours of 16 bits, one of them transparent: save it with an alpha "
            "channel, or with 8 bits a channel first"
        )
    _log.warning(
        "%s has colours of 16 bits a channel, of which the upper 8 are kept, outside the hole too",
        name,
    )


def upright(image: Image.Image, name: str) -> Image.Image:
    """Return a decoded copy with its orientation applied; `name` is what messages call it."""
    return _upright(image, name)[0]


def _upright(image: Image.Image, name: str) -> tuple[Image.Image, bool]:
    """Return it, and whether its orientation could be read."""
    with _decoding(name):
        _load(image)
    if image.mode in _FOREIGN_MODES:
        raise PictureError(f"{name} has the colour mode {image.mode}: save it as RGB first")
    if image.format == "TIFF":  # turned as it is decoded, but older Pillows say that it is not
        return _black_is_0(image), True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damage beside the orientation
            return ImageOps.exif_transpose(image), True
    except Exception as error:  # damaged EXIF data raises whatever its parser meets
        _log.warning("%s: orientation unknown, EXIF data unreadable (%s)", name, one_line(error))
        return image.copy(), False


def _load(image: Image.Image) -> None:
    """Decode an opened picture.

    Pillow maps uncompressed TIFF files that have a name into memory, and those that lie on their
    side with width and height swapped: their pixels are then another picture. Of the others it
    asks a second time whether they are too large, which was decided when they were opened.
    """
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        image.load()
        return
    limit = Image.MAX_IMAGE_PIXELS
    trusted = limit is not None and image.width * image.height > 2 * limit
    filename, image.filename = image.filename, ""
    try:
        with _no_limit() if trusted else nullcontext():
            image.load()
    finally:
        image.filename = filename


def _black_is_0(tiff: Image.Image) -> Image.Image:
    """Return a copy of a TIFF picture; of 16 bits Pillow leaves white as 0."""
    white_is_0 = getattr(tiff, "tag_v2", {}).get(_PHOTOMETRIC) == 0
    if not white_is_0 or not tiff.mode.startswith("I;16"):
        return tiff.copy()
    turned = Image.fromarray(np.uint16(65535) - np.asarray(tiff))
    turned.info = dict(tiff.info)
    return turned


def orientation_of(image: Image.Image) -> int:
    """Return the orientation in a picture's EXIF data, 1 to 8; 1, upright, where there is none."""
    with suppress(Exception):  # damaged EXIF data raises whatever its parser meets
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    return 1


def stored_orientation(path: str | Path) -> int:
    """Return the orientation in a picture file's EXIF data, as `orientation_of`."""
    with suppress(Exception), Image.open(path, formats=_READ_FORMATS) as image:
        return orientation_of(image)
    return 1


def stored_size(start: bytes) -> tuple[int, int] | None:
    """Return the height and width, in pixels, that the first bytes of a picture's file tell.

    As stored, before its orientation is applied; None where they do not tell.
    """
    with suppress(Exception), Image.open(io.BytesIO(start), formats=_READ_FORMATS) as image:
        return image.height, image.width
    return None


@contextmanager
def _decoding(name: str) -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            # Of a large photograph, at half the size that it refuses, and of the damage that
            # the error below tells of.
            warnings.simplefilter("ignore")
            yield
    except FileNotFoundError as error:
        raise PictureError(f"{name} does not exist: check the path") from error
    except Image.DecompressionBombError as error:
        pixels = re.search(r"\d+", str(error))  # the first number is the picture's
        advice = _too_large(None if pixels is None else int(pixels.group()))
        raise PictureError(f"{name} is refused: {one_line(error)} {advice}") from error
    except UnidentifiedImageError as error:
        raise PictureError(
            f"{name} is not a picture that can be read: give PNG, JPEG, WebP, TIFF or BMP"
        ) from error
    except Exception as error:  # decoders raise whatever a damaged file makes them meet
        raise PictureError(
            f"{name} cannot be read ({one_line(error)}): it may be damaged, get it again"
        ) from error
