"""Which pictures and masks of folders belong together, by their names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lama_edge.errors import UsageError
from lama_edge.imaging.saving import PICTURE_SUFFIXES

# LaMa's own naming, picture_mask.png, picture_mask001.png, and what else is met.
_MASK_NAMES = (
    re.compile(r"(?P<picture>.+)[_-]mask\d*", re.IGNORECASE),
    re.compile(r"mask[_-](?P<picture>.+)", re.IGNORECASE),
)
_SUFFIXES = PICTURE_SUFFIXES | {".gif", ".ppm", ".pgm", ".pbm", ".pnm"}


@dataclass(frozen=True)
class Pair:
    """A picture, a mask of it, and the stem of the result's name."""

    image: Path
    mask: Path
    result: str


def find_pairs(
    images: Path, masks: Path, *, recursive: bool = False, output: Path | None = None
) -> tuple[list[Pair], list[Path]]:
    """Match pictures and masks by name.

    A mask of ``x.jpg`` is named ``x_mask``, ``x_mask001`` and so on, ``x-mask``, ``mask_x`` or
    ``x.jpg``, with a suffix of its own, or ``x`` where it is in another folder than ``x.jpg``.
    Results are named like the picture, or, where "mask" is in its name, like the mask.

    Args:
        images: folder of pictures; in the masks' own folder, what is named like the mask of
            another file there is no picture.
        masks: folder of masks, the same one or another.
        recursive: whether folders inside are read too, the masks in those of the same names.
            Hidden ones, links to folders, `masks` and `output` are not.
        output: where results go.

    Returns:
        The pairs, and the pictures without a mask, both in the order of their names.

    Raises:
        UsageError: when a folder is missing, or holds no picture.
    """
    _check_folder(masks)
    pairs: list[Pair] = []
    without_mask: list[Path] = []
    for folder in _folders(images, recursive, (masks, output)):
        beside = masks / folder.relative_to(images)
        found, alone = _pairs_of(folder, beside)
        pairs += found
        without_mask += alone
    _check_some(images, len(pairs) + len(without_mask))
    return pairs, without_mask


def pair_with_all(
    images: Path, mask: Path, *, recursive: bool = False, output: Path | None = None
) -> list[Pair]:
    """Pair every picture of a folder with one mask.

    Args:
        images: folder of pictures; the mask, where it is among them, is none.
        mask: a file.
        recursive: as for `find_pairs`.
        output: as for `find_pairs`.

    Raises:
        UsageError: when the folder is missing, or holds no picture.
    """
    own = mask.resolve()
    pairs = [
        Pair(path, mask, path.stem)
        for folder in _folders(images, recursive, (output,))
        for path in _picture_files(folder)
        if path.resolve() != own
    ]
    _check_some(images, len(pairs))
    return pairs


def _pairs_of(images: Path, masks: Path) -> tuple[list[Pair], list[Path]]:
    """Match the files of one folder with those of one."""
    pictures = _picture_files(images)
    by_stem: dict[str, list[Path]] = {}
    by_name: dict[str, list[Path]] = {}
    for path in pictures:
        by_stem.setdefault(path.stem, []).append(path)
        by_name.setdefault(path.stem + path.suffix.lower(), []).append(path)
    same = images.resolve() == masks.resolve()
    masks_of: dict[Path, list[Pair]] = {}
    no_pictures: set[Path] = set()
    for mask in _picture_files(masks) if masks.is_dir() else []:
        for named, result in _names_meant(mask):
            meant = by_stem.get(named, []) if result or not same else []
            meant = meant or by_name.get(named, [])
            if meant:
                no_pictures.add(mask)
                for path in meant:
                    masks_of.setdefault(path, []).append(Pair(path, mask, result or path.stem))
                break
    if same:
        pictures = [path for path in pictures if path not in no_pictures]
    pairs = [pair for path in pictures for pair in masks_of.get(path, [])]
    return pairs, [path for path in pictures if path not in masks_of]


def _names_meant(mask: Path) -> Iterator[tuple[str, str]]:
    """Yield pictures' names that a mask's may mean, with the stem of the result's.

    The stem is empty where the result is named like the picture.
    """
    for pattern in _MASK_NAMES:
        match = pattern.fullmatch(mask.stem)
        if match:
            yield match["picture"], mask.stem
    stem = Path(mask.stem)
    yield stem.stem + stem.suffix.lower() if stem.suffix.lower() in _SUFFIXES else mask.stem, ""


def _folders(folder: Path, recursive: bool, left_out: tuple[Path | None, ...]) -> list[Path]:
    """Return a folder and, if so asked, those inside it, links not followed."""
    _check_folder(folder)
    if not recursive:
        return [folder]
    others = {path.resolve() for path in left_out if path is not None}
    found = []
    for name, inside, _ in os.walk(folder):
        at = Path(name)
        inside[:] = sorted(
            one for one in inside if one[0] != "." and (at / one).resolve() not in others
        )
        found.append(at)
    return found


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise UsageError(
            f"{str(folder)!r} is no folder: give a folder of pictures and one of masks"
        )


def _check_some(images: Path, pictures: int) -> None:
    if not pictures:
        raise UsageError(f"the folder {str(images)!r} holds no picture")


def _picture_files(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".") and not path.is_dir()
    )
