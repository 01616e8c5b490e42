"""What a picture file says beside its pixels: kept, unless it could show what was erased.

Thumbnails, previews, makers' notes, further frames (MPF), gain and depth maps (XMP, MPF, JUMBF)
and editors' records are older states of the picture, or hold some. So nothing is kept but what is
listed here: the ICC profile or what PNG has in its place, the resolution, EXIF fields by tag, and
texts that cannot be pictures.
"""

from __future__ import annotations

import logging
import mmap
import struct
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

from lama_edge.errors import one_line
from lama_edge.imaging.exif import Exif, holds_picture, read_exif

_log = logging.getLogger(__name__)
EXIF, TEXTS = "lama_edge_exif", "lama_edge_texts"  # keys in `Image.info`
MAX_TEXT = 16_384
# A text of the name is also a JPEG's or GIF's comment.
_COMMENT = "Comment"
_NOT_KEPT = {"xmp": "XMP", "XML:com.adobe.xmp": "XMP", "photoshop": "Photoshop's"}
_TIFF_NOT_KEPT = {700: "XMP", 33723: "IPTC", 34377: "Photoshop's"}
# What the values of a PNG picture mean where it has no ICC profile, as Pillow calls it in `info`.
COLOUR_CHUNKS = ("gamma", "chromaticity", "srgb")
_SCREENS_GAMMA = 0.45455  # what everything else takes for granted
# What Pillow makes texts of that are none: XMP, and ImageMagick's profiles in hexadecimal.
_NO_TEXTS = ("XML:com.adobe.xmp", "Raw profile type ")
_PNG_EXIF = "Raw profile type exif"
_HELD = {
    "JPEG": ("icc_profile", EXIF, "dpi", TEXTS),
    "PNG": ("icc_profile", EXIF, "dpi", TEXTS),
    "WEBP": ("icc_profile", EXIF),
    "TIFF": ("icc_profile", EXIF, "dpi"),
    "BMP": ("dpi",),
}
_SPELLED = {"icc_profile": "ICC profile", EXIF: "EXIF data", "dpi": "resolution", TEXTS: "texts"}
_MAX_DPI = 65535


def kept_metadata(
    image: Image.Image, path: str | Path, name: str, *, say_damage: bool = True
) -> dict[str, Any]:
    """Return what is kept of an open and decoded picture file beside its ICC profile.

    Args:
        image: as Pillow opened it.
        path: its file.
        name: what messages call it.
        say_damage: whether the log shall say that EXIF data cannot be read.

    Returns:
        ``dpi``, and under `EXIF` and `TEXTS` what `save_options` writes; nothing for what is
        not there.
    """
    found: dict[str, Any] = {}
    orientation = 1
    try:
        exif = _exif(image, path)
    except (ValueError, OSError) as error:
        if say_damage:
            _log.warning(
                "%s: its EXIF data cannot be read and is left out (%s)", name, one_line(error)
            )
    else:
        if exif is not None:
            orientation = exif.orientation
            if exif.main or exif.camera or exif.place:
                found[EXIF] = exif
    dpi = _dpi(image.info.get("dpi"))
    if dpi is not None:
        found["dpi"] = dpi[::-1] if 5 <= orientation <= 8 else dpi
    texts = _texts(image, name)
    if texts:
        found[TEXTS] = texts
    _say_not_kept(image, name)
    return found


def save_options(
    info: dict[Any, Any], file_format: str, path: str | Path
) -> tuple[dict[str, Any], Exif | None]:
    """Return Pillow's options that write what is kept, and what is to be added to a TIFF file.

    The log says what the format cannot hold.

    Args:
        info: a picture's, as `kept_metadata` made it.
        file_format: Pillow's name of the format.
        path: what messages call the file.
    """
    held = _HELD[file_format]
    options: dict[str, Any] = {
        key: info[key] for key in ("icc_profile", "dpi") if info.get(key) and key in held
    }
    lost = [_SPELLED[key] for key in _SPELLED if info.get(key) and key not in held]
    gamma = info.get("gamma", _SCREENS_GAMMA)
    if file_format != "PNG" and "srgb" not in info and abs(gamma - _SCREENS_GAMMA) > 0.01:
        lost.append("gamma")
    exif: Exif | None = info.get(EXIF)
    texts = dict(info.get(TEXTS, {}))
    if exif is not None and file_format in ("JPEG", "PNG", "WEBP"):
        options["exif"] = exif.to_bytes()
    if file_format == "PNG":
        options["pnginfo"] = _colour_chunks(info)
        for key, text in texts.items():
            options["pnginfo"].add_text(key, text)
    if file_format == "JPEG":
        options["comment"] = texts.pop(_COMMENT, "").encode("utf-8")
        lost += [_SPELLED[TEXTS]] if texts else []
    if lost:
        _log.warning("%s holds no %s: %s is written without", file_format, ", no ".join(lost), path)
    return options, exif if file_format == "TIFF" else None


def _colour_chunks(info: dict[Any, Any]) -> PngImagePlugin.PngInfo:
    """Return the chunks that `COLOUR_CHUNKS` stand for; see the PNG specification, 11.3.2."""
    chunks = PngImagePlugin.PngInfo()
    for kind, numbers, count in (
        (b"gAMA", [info["gamma"]] if "gamma" in info else [], 1),
        (b"cHRM", info.get("chromaticity", ()), 8),
    ):
        if len(numbers) == count:
            whole = (round(number * 100_000) for number in numbers)
            chunks.add(kind, struct.pack(f">{count}I", *whole))
    if "srgb" in info:
        chunks.add(b"sRGB", bytes([info["srgb"]]))
    return chunks


def _exif(image: Image.Image, path: str | Path) -> Exif | None:
    if image.format == "TIFF":
        with (
            Path(path).open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole,
        ):
            return read_exif(whole)
    data = image.info.get("exif")
    if data is None and isinstance(image.info.get(_PNG_EXIF), str):
        data = bytes.fromhex("".join(image.info[_PNG_EXIF].split("\n")[3:]))
    return read_exif(data.removeprefix(b"Exif\0\0")) if data else None


def _dpi(value: Any) -> tuple[float, float] | None:
    try:
        x, y = (float(side) for side in value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    # 1 is what Pillow says where a TIFF file says nothing.
    return (x, y) if 1 < x <= _MAX_DPI and 1 < y <= _MAX_DPI else None


def _texts(image: Image.Image, name: str) -> dict[str, str]:
    texts: dict[str, Any] = dict(getattr(image, "text", {}))
    comment = image.info.get("comment")
    if isinstance(comment, bytes):
        texts.setdefault(_COMMENT, comment.decode("utf-8", "replace").strip("\0"))
    kept = {}
    for key, text in texts.items():
        if key.startswith(_NO_TEXTS) or not isinstance(text, str) or not text:
            continue
        if len(text) > MAX_TEXT or holds_picture(text.encode("utf-8", "replace")):
            _log.warning(
                "%s: its text %r is left out: of %d characters, it could hold the old picture",
                name,
                key,
                len(text),
            )
        else:
            kept[key] = text
    return kept


def _say_not_kept(image: Image.Image, name: str) -> None:
    found = {said for key, said in _NOT_KEPT.items() if key in image.info}
    tags = getattr(image, "tag_v2", {})
    found |= {said for tag, said in _TIFF_NOT_KEPT.items() if tag in tags}
    if found:
        what = " and ".join(sorted(found))
        _log.warning("%s: its %s data is left out, which can hold the old picture", name, what)
