"""How a picture's file is encoded, so that its result can be written the same way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image, JpegImagePlugin

# The entry of ``info`` that holds a format's name and Pillow's options to write it alike.
ENCODING = "lama_edge_encoding"
# What get_sampling gives for 4:4:4, 4:2:2 and 4:2:0, of which Pillow can write no others.
_SAMPLINGS = (0, 1, 2)
_LOSSLESS_TIFF = ("raw", "packbits", "tiff_lzw", "tiff_deflate", "tiff_adobe_deflate")
_JPEG_BLOCK = 8
# A lossy WebP does not say at which quality it was written.
_WEBP_QUALITY = 95


def encoding_of(
    opened: Image.Image, path: str | Path, *, transposed: bool
) -> tuple[str, dict[str, Any]] | None:
    """Return the format of an opened file, and the options that write a picture like it.

    A JPEG's are its own quantisation tables and chroma subsampling: pixels that did not change
    then lose next to nothing a second time. One of CMYK or unconverted RGB has tables of colours
    that the result is not stored in, so it is written as any other picture. A TIFF's is its
    compression, if that is lossless. A WebP's is whether it is lossy.

    Args:
        opened: from ``Image.open``, not a copy of it.
        path: the file's.
        transposed: whether the picture will have its rows for columns.

    Returns:
        None where the format's usual options are to be taken.
    """
    if isinstance(opened, JpegImagePlugin.JpegImageFile):
        if opened.mode not in ("L", "RGB") or _stores_rgb(opened):
            return None
        tables = {key: list(table) for key, table in opened.quantization.items()}
        if transposed:
            tables = {key: _transposed(table) for key, table in tables.items()}
        sampling = JpegImagePlugin.get_sampling(opened)
        known = sampling in _SAMPLINGS and not (transposed and sampling == 1)
        return "JPEG", {"qtables": tables, "subsampling": sampling if known else 0}
    if opened.format == "TIFF" and opened.info.get("compression") in _LOSSLESS_TIFF:
        return "TIFF", {"compression": opened.info["compression"]}
    if opened.format == "WEBP" and _is_lossy_webp(Path(path)):
        return "WEBP", {"quality": _WEBP_QUALITY, "exact": True}
    return None


def _stores_rgb(opened: JpegImagePlugin.JpegImageFile) -> bool:
    """Tell whether a JPEG of three colours has them unconverted, as libjpeg decides it."""
    if opened.mode != "RGB" or "jfif" in opened.info:
        return False
    if "adobe" in opened.info:
        return opened.info.get("adobe_transform") == 0
    return [layer[0] for layer in opened.layer] == list(b"RGB")


def _transposed(table: list[int]) -> list[int]:
    side = range(_JPEG_BLOCK)
    return [table[column * _JPEG_BLOCK + row] for row in side for column in side]


def _is_lossy_webp(path: Path) -> bool:
    """Look for the chunk of a lossy picture; ALPH and VP8X may come before it.

    See https://developers.google.com/speed/webp/docs/riff_container.
    """
    with path.open("rb") as file:
        file.seek(12)
        while len(head := file.read(8)) == 8:
            if head[:4] in (b"VP8 ", b"VP8L"):
                return head[:4] == b"VP8 "
            length = int.from_bytes(head[4:], "little")
            file.seek(length + length % 2, 1)
    return False
