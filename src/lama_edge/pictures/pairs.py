"""Which pictures and masks of folders belong together, by their names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lama_edge.errors import UsageError
from lama_edge.imaging.saving import PICTURE_SUFFIXES

# LaMa's own naming: picture.png with picture_mask.png, picture_mask001.png, …
_MASK_NAME = re.compile(r"(?P<picture>.+)_mask\d*")


@dataclass(frozen=True)
class Pair:
    """A picture, a mask of it, and the stem of the result's name."""

    image: Path
    mask: Path
    result: str


def find_pairs(images: Path, masks: Path) -> tuple[list[Pair], list[Path]]:
    """Match pictures and masks by name.

    Args:
        images: folder of pictures; files named like LaMa's masks are no pictures.
        masks: folder of masks, the same one or another.

    Returns:
        The pairs, and the pictures without a mask, both in the order of their names.

    Raises:
        UsageError: when a folder is missing, or holds no picture.
    """
    pictures = [
        path
        for path in _picture_files(images)
        if images.resolve() != masks.resolve() or not _MASK_NAME.fullmatch(path.stem)
    ]
    if not pictures:
        raise UsageError(f"the folder {str(images)!r} holds no picture")
    named_after: dict[str, list[Path]] = {}
    for path in _picture_files(masks):
        match = _MASK_NAME.fullmatch(path.stem)
        if match:
            named_after.setdefault(match["picture"], []).append(path)
        elif images.resolve() != masks.resolve():
            named_after.setdefault(path.stem, []).append(path)
    pairs = [
        Pair(picture, mask, mask.stem)
        for picture in pictures
        for mask in named_after.get(picture.stem, [])
    ]
    return pairs, [picture for picture in pictures if picture.stem not in named_after]


def _picture_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UsageError(
            f"{str(folder)!r} is no folder: give a folder of pictures and one of masks"
        )
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".")
    )
