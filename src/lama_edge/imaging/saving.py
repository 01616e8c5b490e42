"""Pictures written, in the format of a name's suffix."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lama_edge.errors import PictureError, UsageError, one_line, parameter
from lama_edge.imaging import to_8_bits
from lama_edge.imaging.encoding import ENCODING
from lama_edge.imaging.metadata import save_options

_log = logging.getLogger(__name__)
_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}
PICTURE_SUFFIXES = frozenset(_FORMATS)
_SUFFIX_OF = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "tiff": ".tif", "bmp": ".bmp"}
FORMAT_NAMES = tuple(_SUFFIX_OF)
# Pillow would take a TIFF's compression from the picture it was loaded from, JPEG included.
_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True, "exact": True},
    "TIFF": {"compression": "tiff_adobe_deflate"},
}
ALPHA_MODES = ("RGBA", "LA", "PA", "RGBa", "La")


def save_picture(image: Image.Image, path: str | Path, *, named: str | Path | None = None) -> None:
    """Write a picture in the format of the path's suffix, with what `load_picture` kept of it.

    PNG, TIFF, BMP and WebP are written without loss, JPEG at quality 95 without chroma
    subsampling; a picture that `load_picture` read from a file of the same format as
    `encoding_of` says. The log says what of the picture the format cannot hold.

    Args:
        image: what to write.
        path: where to.
        named: what messages call the file, where `path` is a temporary one.

    Raises:
        PictureError: as `check_saveable`, or when writing fails.
    """
    file_format = check_saveable(image, path)
    named = path if named is None else named
    options = dict(_SAVE_OPTIONS.get(file_format, {}))
    own_format, own_options = image.info.get(ENCODING) or (None, {})
    if own_format == file_format:
        options = dict(own_options)
    written = _in_depth_of(file_format, image, named)
    written.info = {key: image.info[key] for key in ("transparency",) if key in image.info}
    said, exif = save_options(image.info, file_format, named)
    try:
        written.save(path, format=file_format, **options, **said)
        if exif is not None:
            exif.add_to_tiff(Path(path))
    except (OSError, ValueError, KeyError) as error:
        raise PictureError(
            f"the picture {str(named)!r} ({image.mode}) cannot be written: {one_line(error)}"
        ) from error


def suffix_for(name: str | None, own: str) -> str:
    """Return the suffix of a result.

    Args:
        name: one of `FORMAT_NAMES`, or None for the picture's own format.
        own: the picture's suffix; it is kept where it stands for the format.

    Returns:
        The suffix, ``.png`` for formats that are read but not written.

    Raises:
        UsageError: when the name is unknown.
    """
    if name is not None and name not in _SUFFIX_OF:
        raise UsageError(f"unknown picture format {name!r}: give one of {', '.join(FORMAT_NAMES)}")
    wanted = _SUFFIX_OF["png" if name is None else name]
    own_format = _FORMATS.get(own.lower())
    keep = own_format is not None and (name is None or own_format == _FORMATS[wanted])
    return own if keep else wanted


def check_saveable(image: Image.Image, path: str | Path) -> str:
    """Return the name of the format `save_picture` would write.

    Raises:
        PictureError: when the suffix is unknown or the format cannot hold the picture's alpha.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _FORMATS:
        known = " ".join(_FORMATS)
        raise PictureError(f"no picture format for {str(path)!r}: end the name in one of {known}")
    file_format = _FORMATS[suffix]
    has_alpha = image.mode in ALPHA_MODES or "transparency" in image.info
    if has_alpha and file_format in ("JPEG", "BMP"):
        raise PictureError(
            f"{file_format} cannot hold the transparency of {str(path)!r}: name a .png instead "
            f"(for a folder: {parameter('picture_format', 'png')})"
        )
    return file_format


def _in_depth_of(file_format: str, image: Image.Image, path: str | Path) -> Image.Image:
    """Return a copy of a picture, of 8 bits where the format holds no more."""
    if not image.mode.startswith("I") or file_format in ("PNG", "TIFF"):
        return image.copy()
    _log.warning(
        "%s holds 8 bits a channel: %s is written without the lower 8 of 16", file_format, path
    )
    return Image.fromarray(to_8_bits(np.asarray(image)))
