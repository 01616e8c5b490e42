"""A user's own folder of photographs as training pictures and as a holdout."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from lama_edge.errors import PictureError, UsageError
from lama_edge.imaging.reading import load_rgb
from lama_edge.imaging.saving import PICTURE_SUFFIXES
from lama_edge.models.training.data.pool import Picture
from lama_edge.pictures.holdout import Sample
from lama_edge.pictures.masks import WIDE_TEST, draw_mask

MIN_PICTURES = 8
_HOLDOUT_SHARE = 0.05
_MAX_HOLDOUT = 24
_HOLDOUT_STREAM = 0x666F6C64

_log = logging.getLogger(__name__)


class PictureFolder:
    """Photographs, decoded when they are drawn; what cannot be read is reported and skipped.

    Args:
        paths: of the pictures.

    Raises:
        PictureError: when there are fewer than `MIN_PICTURES`, now or once unreadable ones are
            left out.
    """

    recolours = False

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = list(paths)
        self._unreadable: set[Path] = set()
        self._require_enough()

    def picture(self, rng: np.random.Generator, side: int) -> Picture:
        """Draw a square window of a picture, at any scale that needs no enlarging.

        Pictures smaller than `side` are enlarged as far as they must be.

        Returns:
            uint8 [side,side,3] RGB.
        """
        while True:
            path = self._paths[int(rng.integers(len(self._paths)))]
            if path in self._unreadable:
                continue
            try:
                image = _load(path)
            except PictureError as error:
                _log.warning("skipped: %s", error)
                self._unreadable.add(path)
                self._require_enough()
                continue
            shorter = min(image.size)
            low, high = np.log(min(side, shorter)), np.log(shorter)
            window = float(np.exp(rng.uniform(low, high)))
            left, top = (rng.uniform(0, max(0.0, length - window)) for length in image.size)
            return _window(image, left, top, window, side)

    def _require_enough(self) -> None:
        readable = len(self._paths) - len(self._unreadable)
        if readable < MIN_PICTURES:
            raise PictureError(
                f"{readable} pictures can be read to train on, at least {MIN_PICTURES} are "
                "needed: name a folder with more of them (thousands are better)"
            )


def split_folder(folder: Path) -> tuple[list[Path], list[Path]]:
    """List a folder's pictures, those in its folders too: (to train on, held out).

    One in twenty is held out, at least one and at most 24, spread evenly over their names.

    Raises:
        UsageError: when there is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise UsageError(f"the folder of pictures {str(folder)!r} does not exist")
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file()
    )
    if not paths:
        known = " ".join(sorted(PICTURE_SUFFIXES))
        raise UsageError(f"no picture ({known}) is in the folder {str(folder)!r}")
    count = min(_MAX_HOLDOUT, max(1, round(_HOLDOUT_SHARE * len(paths))))
    held = {paths[index * len(paths) // count] for index in range(count)}
    return [path for path in paths if path not in held], sorted(held)


def folder_holdout(paths: Sequence[Path], side: int) -> list[Sample]:
    """Take the middle of held-out pictures, with the same wide masks in every run.

    Unreadable pictures are left out.

    Raises:
        PictureError: when none can be read.
    """
    samples = []
    for index, path in enumerate(paths):
        try:
            image = _load(path)
        except PictureError as error:
            _log.warning("skipped: %s", error)
            continue
        window = min(image.size)
        left, top = ((length - window) / 2 for length in image.size)
        rng = np.random.default_rng([_HOLDOUT_STREAM, side, index])
        mask = draw_mask(rng, side, side, style=WIDE_TEST)
        samples.append(Sample(_window(image, left, top, window, side), mask))
    if not samples:
        raise PictureError(f"none of the {len(paths)} pictures to measure on can be read")
    return samples


def _load(path: Path) -> Image.Image:
    """Load a picture as RGB; transparency is left out."""
    return Image.fromarray(load_rgb(path))


def _window(image: Image.Image, left: float, top: float, window: float, side: int) -> Picture:
    box = (left, top, min(left + window, image.width), min(top + window, image.height))
    return np.asarray(image.resize((side, side), Image.Resampling.LANCZOS, box=box))
