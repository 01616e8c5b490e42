"""Picture files read: upright, decoded, in modes that the model's side knows."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from lama_edge.errors import PictureError, one_line
from lama_edge.imaging import spell_size

NATIVE_MODES = ("L", "RGB", "RGBA")
_log = logging.getLogger(__name__)
# Whatever a file is named, no other of Pillow's decoders sees it: EPS would start Ghostscript.
_READ_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM")
# Pillow refuses to convert these, or relabels Lab values as RGB.
_FOREIGN_MODES = ("LAB", "La")


def load_picture(path: str | Path) -> Image.Image:
    """Read a picture, upright and fully decoded, with its ICC profile in ``.info``.

    Raises:
        PictureError: when the file is missing, no picture, damaged, or a decompression bomb.
    """
    return _load(path, "picture")


def load_mask(path: str | Path) -> Image.Image:
    """Read a mask like a picture: `hole_of` turns it into an array.

    Raises:
        PictureError: as `load_picture`.
    """
    return _load(path, "mask")


def native_picture(image: Image.Image) -> Image.Image:
    """Return an upright copy in mode L, RGB or RGBA; other modes become RGB and the log says so.

    16-bit grey is scaled to 8 bits. An ICC profile that does not describe RGB is dropped when
    the mode changes.

    Raises:
        PictureError: when the picture is empty, cannot be decoded, or is CIELAB.
    """
    picture = upright(image, "the picture")
    if 0 in picture.size:
        raise PictureError(f"the picture is empty: {spell_size(*picture.size)}")
    if picture.mode in NATIVE_MODES:
        return picture
    info = {key: value for key, value in picture.info.items() if key != "transparency"}
    _log.warning("the picture's mode %s is converted to RGB", picture.mode)
    profile = info.get("icc_profile")
    if profile and profile[16:20] != b"RGB ":  # the colour space field of an ICC header
        del info["icc_profile"]
        _log.warning("its ICC profile is dropped: it does not describe RGB")
    picture.info = {}
    if picture.mode.startswith("I"):
        levels = np.rint(np.asarray(picture).astype(np.float64) / 257).clip(0, 255)
        picture = Image.fromarray(levels.astype(np.uint8))
    converted = picture.convert("RGB")
    converted.info = info
    return converted


def _load(path: str | Path, what: str) -> Image.Image:
    name = f"the {what} {str(path)!r}"
    with _decoding(name):
        image = Image.open(path, formats=_READ_FORMATS)
    with image:
        with _decoding(name):
            animated = getattr(image, "is_animated", False) and image.format != "MPO"
        if animated:
            _log.warning("%s has several frames: the first one is used", name)
        return upright(image, name)


def upright(image: Image.Image, name: str) -> Image.Image:
    """Return a decoded copy with its orientation applied; `name` is what messages call it."""
    with _decoding(name):
        image.load()
    if image.mode in _FOREIGN_MODES:
        raise PictureError(f"{name} has the colour mode {image.mode}: save it as RGB first")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damage beside the orientation
            return ImageOps.exif_transpose(image)
    except Exception as error:  # damaged EXIF data raises whatever its parser meets
        _log.warning("%s: orientation unknown, EXIF data unreadable (%s)", name, one_line(error))
        return image.copy()


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
        raise PictureError(f"{name} is refused: {one_line(error)} Scale it down first") from error
    except UnidentifiedImageError as error:
        raise PictureError(
            f"{name} is not a picture that can be read: give PNG, JPEG, WebP, TIFF or BMP"
        ) from error
    except Exception as error:  # decoders raise whatever a damaged file makes them meet
        raise PictureError(
            f"{name} cannot be read ({one_line(error)}): it may be damaged, get it again"
        ) from error
