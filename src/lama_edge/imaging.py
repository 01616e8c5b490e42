"""Pictures and masks as arrays: load, save, convert, pad, shrink, composite."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from lama_edge.errors import PictureError, one_line

Pixels = NDArray[np.uint8]
Hole = NDArray[np.bool_]

NATIVE_MODES = ("L", "RGB", "RGBA")

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
# Whatever a file is named, no other of Pillow's decoders sees it: EPS would start Ghostscript.
_READ_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM")
PICTURE_SUFFIXES = frozenset(_FORMATS)
# Pillow would take a TIFF's compression from the picture it was loaded from, JPEG included.
_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True, "exact": True},
    "TIFF": {"compression": "tiff_adobe_deflate"},
}
# Pillow refuses to convert these, or relabels Lab values as RGB.
_FOREIGN_MODES = ("LAB", "La")
_ALPHA_MODES = ("RGBA", "LA", "PA", "RGBa", "La")
# Pillow's fixed-point Rec. 601 luma weights (its Convert.c): 0.299, 0.587, 0.114 in 1/65536.
_LUMA = np.array([19595, 38470, 7471], dtype=np.uint32)


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


def save_picture(image: Image.Image, path: str | Path) -> None:
    """Write a picture in the format of the path's suffix, with its ICC profile.

    PNG, TIFF, BMP and WebP are written without loss, JPEG at quality 95 without chroma
    subsampling.

    Raises:
        PictureError: as `check_saveable`, or when writing fails.
    """
    file_format = check_saveable(image, path)
    options = dict(_SAVE_OPTIONS.get(file_format, {}))
    profile = image.info.get("icc_profile")
    if profile and file_format == "BMP":
        _log.warning("BMP holds no ICC profile: %s is written without it", path)
    elif profile:
        options["icc_profile"] = profile
    try:
        image.save(path, format=file_format, **options)
    except (OSError, ValueError, KeyError) as error:
        raise PictureError(
            f"the picture {str(path)!r} ({image.mode}) cannot be written: {one_line(error)}"
        ) from error


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
    has_alpha = image.mode in _ALPHA_MODES or "transparency" in image.info
    if has_alpha and file_format in ("JPEG", "BMP"):
        raise PictureError(
            f"{file_format} cannot hold the transparency of {str(path)!r}: name a .png instead"
        )
    return file_format


def native_picture(image: Image.Image) -> Image.Image:
    """Return an upright copy in mode L, RGB or RGBA; other modes become RGB and the log says so.

    16-bit grey is scaled to 8 bits. An ICC profile that does not describe RGB is dropped when
    the mode changes.

    Raises:
        PictureError: when the picture is empty, cannot be decoded, or is CIELAB.
    """
    picture = _upright(image, "the picture")
    if 0 in picture.size:
        raise PictureError(f"the picture is empty: {_spell(*picture.size)}")
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


def check_pixels(pixels: object) -> None:
    """Refuse anything but a non-empty uint8 array [H,W], [H,W,3] or [H,W,4].

    Raises:
        PictureError: naming what was seen.
    """
    if not isinstance(pixels, np.ndarray):
        raise PictureError(
            f"the picture is a {type(pixels).__name__}: give a PIL image or a uint8 array"
        )
    if pixels.dtype != np.uint8:
        raise PictureError(f"the picture has dtype {pixels.dtype}: give uint8, 0 to 255")
    fits = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))
    if not fits or 0 in pixels.shape:
        raise PictureError(f"the picture has shape {pixels.shape}: give [H,W], [H,W,3] or [H,W,4]")


def hole_of(mask: Image.Image | NDArray[Any]) -> Hole:
    """Turn a mask into its hole: bool [H,W], True where the mask's grey value is above 0.

    Args:
        mask: a PIL image of any mode (orientation is applied, alpha ignored), or a uint8 or
            bool array [H,W] or [H,W,1].

    Raises:
        PictureError: when it is neither, cannot be decoded, or is CIELAB.
    """
    if isinstance(mask, Image.Image):
        upright = _upright(mask, "the mask")
        # The clipping in Pillow's own conversion differs between releases for these modes.
        if upright.mode[0] in "IF":
            return np.asarray(np.asarray(upright) > 0)
        upright.info.pop("transparency", None)
        return np.asarray(np.asarray(upright.convert("L")) > 0)
    if not isinstance(mask, np.ndarray):
        raise PictureError(f"the mask is a {type(mask).__name__}: give a PIL image or an array")
    if mask.dtype not in (np.uint8, np.bool_):
        raise PictureError(f"the mask has dtype {mask.dtype}: give uint8 or bool, above 0 is hole")
    if mask.ndim == 3 and mask.shape[2] == 1:
        mask = mask[:, :, 0]
    if mask.ndim != 2:
        raise PictureError(f"the mask has shape {mask.shape}: give [H,W] or [H,W,1]")
    return np.asarray(mask > 0)


def check_same_size(pixels: Pixels, hole: Hole) -> None:
    """Refuse a mask of another size than the picture.

    Raises:
        PictureError: naming both sizes as width x height.
    """
    if pixels.shape[:2] != hole.shape:
        picture, mask = (_spell(*shape[1::-1]) for shape in (pixels.shape, hole.shape))
        raise PictureError(
            f"the mask is {mask} and the picture {picture}: give a mask of the picture's size"
        )


def to_rgb(pixels: Pixels) -> Pixels:
    """Return uint8 [H,W,3] of a picture [H,W], [H,W,3] or [H,W,4]; alpha is left out."""
    if pixels.ndim == 2:
        return np.stack([pixels] * 3, axis=2)
    rgb: Pixels = pixels[:, :, :3]
    return rgb


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


def _load(path: str | Path, what: str) -> Image.Image:
    name = f"the {what} {str(path)!r}"
    with _decoding(name):
        image = Image.open(path, formats=_READ_FORMATS)
    with image:
        with _decoding(name):
            animated = getattr(image, "is_animated", False) and image.format != "MPO"
        if animated:
            _log.warning("%s has several frames: the first one is used", name)
        return _upright(image, name)


def _upright(image: Image.Image, name: str) -> Image.Image:
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


def _spell(width: int, height: int) -> str:
    return f"{width}x{height} (width x height)"
