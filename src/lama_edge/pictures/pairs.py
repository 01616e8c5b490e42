"""Which pictures and masks of folders belong together, by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from lama_edge.errors import UsageError
from lama_edge.imaging.saving import PICTURE_SUFFIXES
from lama_edge.stores.base import Entry, Store, base_name

# LaMa's own naming, picture_mask.png, picture_mask001.png, and what else is met.
_MASK_NAMES = (
    re.compile(r"(?P<picture>.+)[_-]mask\d*", re.IGNORECASE),
    re.compile(r"mask[_-](?P<picture>.+)", re.IGNORECASE),
)
_SUFFIXES = PICTURE_SUFFIXES | {".gif", ".ppm", ".pgm", ".pbm", ".pnm"}


@dataclass(frozen=True)
class Pair:
    """A picture, a mask of it, and the result.

    Attributes:
        image: its name in the store of pictures.
        mask: its name in the store of masks; empty where that is one mask for all.
        result: the result's name in its store, without a suffix.
    """

    image: str
    mask: str
    result: str


def find_pairs(
    images: Store, masks: Store, *, recursive: bool = False, output: Store | None = None
) -> tuple[list[Pair], list[str]]:
    """Match pictures and masks by name.

    A mask of ``x.jpg`` is named ``x_mask``, ``x_mask001`` and so on, ``x-mask``, ``mask_x`` or
    ``x.jpg``, with a suffix of its own, or ``x`` where it is in another folder than ``x.jpg``.
    Results are named like the picture, or, where "mask" is in its name, like the mask, and stand
    in a folder of the same name as the picture's.

    Args:
        images: folder of pictures; in the masks' own folder, what is named like the mask of
            another file there is no picture.
        masks: folder of masks, the same one or another.
        recursive: whether folders inside are read too, the masks in those of the same names.
            Hidden ones, links to folders, `masks` and `output` are not.
        output: where results go.

    Returns:
        The pairs, and the names of pictures without a mask, both in the order of folders and,
        in each, of names.

    Raises:
        UsageError: when a folder is missing, or holds no picture.
        StoreError: when one cannot be read.
    """
    _check_folder(masks)
    folders = _pictures(images, recursive, (masks, output))
    listed = _by_folder(masks.entries(recursive=recursive))
    pairs: list[Pair] = []
    without_mask: list[str] = []
    for folder, names in folders.items():
        # A listing follows no links to folders, but one that is named as the pictures' is meant.
        beside = listed.get(folder) or _by_folder(masks.entries(folder)).get(folder, [])
        same = images.place(folder) == masks.place(folder)
        found, alone = _pairs_of(folder, names, beside, same=same)
        pairs += found
        without_mask += alone
    _check_some(images, len(pairs) + len(without_mask))
    return pairs, without_mask


def pair_with_all(
    images: Store, mask: Store, *, recursive: bool = False, output: Store | None = None
) -> list[Pair]:
    """Pair every picture of a folder with one mask.

    Args:
        images: folder of pictures; the mask, where it is among them, is none.
        mask: a file.
        recursive: as for `find_pairs`.
        output: as for `find_pairs`.

    Raises:
        UsageError: when the folder is missing, or holds no picture.
        StoreError: when it cannot be read.
    """
    own = mask.place()
    pairs = [
        Pair(_joined(folder, name), "", _joined(folder, PurePosixPath(name).stem))
        for folder, names in _pictures(images, recursive, (output,)).items()
        for name in names
        if images.place(_joined(folder, name)) != own
    ]
    _check_some(images, len(pairs))
    return pairs


class Claims:
    """The files that a run reads and has written, so that none is replaced.

    Args:
        images: the store of its pictures.
        masks: the store of its masks.
        output: the store of its results.
        pairs: of the run.
    """

    def __init__(self, images: Store, masks: Store, output: Store, pairs: Iterable[Pair]) -> None:
        self._images, self._masks_store, self._output = images, masks, output
        pairs = list(pairs)
        places = {masks.place(name) for name in {pair.mask for pair in pairs}}
        self._read = places | {images.place(name) for name in {pair.image for pair in pairs}}
        # What a mask is named is no name for a result in its folder, whatever the suffix: the
        # next run would take it for one.
        self._masks = places | {_without_suffix(place) for place in places}
        self._written: dict[str, Pair] = {}

    def add(self, target: str, pair: Pair) -> None:
        """Note that a pair's result is `target`, a name in the store of results.

        Raises:
            UsageError: when it would replace a picture or mask of this run, be taken for a mask
                by the next, or is another pair's result.
        """
        place = self._output.place(target)
        if place in self._read or {place, _without_suffix(place)} & self._masks:
            raise UsageError(
                f"its result {self._output.spell(target)!r} would replace a picture or mask: "
                "name another folder"
            )
        other = self._written.setdefault(place, pair)
        if other is not pair:
            mine, others = (base_name(self._masks_store, one.mask) for one in (pair, other))
            raise UsageError(
                f"its result {self._output.spell(target)!r} with the mask {mine!r} is that of "
                f"{self._images.spell(other.image)!r} with {others!r} too: rename one of them"
            )


def _without_suffix(place: str) -> str:
    folder, _, name = place.rpartition("/")
    return f"{folder}/{PurePosixPath(name).stem}"


def _pairs_of(
    folder: str, pictures: list[str], masks: list[str], *, same: bool
) -> tuple[list[Pair], list[str]]:
    """Match the files of one folder with those of one, which may be the same."""
    by_stem: dict[str, list[str]] = {}
    by_name: dict[str, list[str]] = {}
    for picture in pictures:
        path = PurePosixPath(picture)
        by_stem.setdefault(path.stem, []).append(picture)
        by_name.setdefault(path.stem + path.suffix.lower(), []).append(picture)
    masks_of: dict[str, list[Pair]] = {}
    no_pictures: set[str] = set()
    for mask in masks:
        for named, result in _names_meant(PurePosixPath(mask)):
            meant = by_stem.get(named, []) if result or not same else []
            meant = meant or by_name.get(named, [])
            if meant:
                no_pictures.add(mask)
                for picture in meant:
                    stem = result or PurePosixPath(picture).stem
                    names = (_joined(folder, one) for one in (picture, mask, stem))
                    masks_of.setdefault(picture, []).append(Pair(*names))
                break
    if same:
        pictures = [picture for picture in pictures if picture not in no_pictures]
    pairs = [pair for picture in pictures for pair in masks_of.get(picture, [])]
    return pairs, [_joined(folder, one) for one in pictures if one not in masks_of]


def _names_meant(mask: PurePosixPath) -> Iterator[tuple[str, str]]:
    """Yield pictures' names that a mask's may mean, with the stem of the result's.

    The stem is empty where the result is named like the picture.
    """
    for pattern in _MASK_NAMES:
        match = pattern.fullmatch(mask.stem)
        if match:
            yield match["picture"], mask.stem
    stem = PurePosixPath(mask.stem)
    yield stem.stem + stem.suffix.lower() if stem.suffix.lower() in _SUFFIXES else mask.stem, ""


def _pictures(
    images: Store, recursive: bool, left_out: tuple[Store | None, ...]
) -> dict[str, list[str]]:
    """Return the names of the pictures of each folder, and of those inside it if so asked."""
    _check_folder(images)
    others = [store for store in left_out if store is not None]
    return _by_folder(images.entries(recursive=recursive, left_out=others))


def _by_folder(entries: Iterable[Entry]) -> dict[str, list[str]]:
    """Return the names of picture files by their folder, folders and names in order."""
    found: dict[tuple[str, ...], list[str]] = {}
    for entry in entries:
        *folder, name = entry.name.split("/")
        if PurePosixPath(name).suffix.lower() in _SUFFIXES:
            found.setdefault(tuple(folder), []).append(name)
    return {"/".join(folder): sorted(names) for folder, names in sorted(found.items())}


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _check_folder(store: Store) -> None:
    if store.kind() != "folder":
        raise UsageError(
            f"{store.spell()!r} is no folder: give a folder of pictures and one of masks"
        )


def _check_some(images: Store, pictures: int) -> None:
    if not pictures:
        raise UsageError(f"the folder {images.spell()!r} holds no picture")
