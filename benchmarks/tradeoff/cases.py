"""The pictures that precisions are weighed on: the user's own, or the holdout's at one size."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lama_edge.errors import MissingBackendError
from lama_edge.judging.cases import ParityCase
from lama_edge.pictures.folder_cases import picture_cases
from lama_edge.pictures.holdout import Sample, general_holdout, holdout
from lama_edge.pictures.photographs import PHOTOGRAPHS, photograph_samples
from lama_edge.spec import Size, SizePolicy

_PERIODIC, _GENERAL = 6, 3
# Scenes have no room for their patterns below this side.
_SMALLEST_DRAWN_PX = 64
# Outputs of all pictures are held at once: about 1 GB with this many pixels.
_MOST_PICTURES, _FEWEST_PICTURES = 32, 4
_MOST_PIXELS = _MOST_PICTURES * 512 * 512

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WeighedCase:
    """A picture and a hole.

    Attributes:
        case: both, and the name.
        kind: ``own``, ``scene`` or ``photograph``.
    """

    case: ParityCase
    kind: str

    def to_dict(self) -> dict[str, str | float]:
        """Return what the document says of it."""
        share = round(float(self.case.hole.mean()), 4)
        return {"name": self.case.name, "kind": self.kind, "hole_share": share}


def own_cases(images: Path, masks: Path | None, size: Size) -> list[WeighedCase]:
    """Return a folder's pictures at one size; of too many, some at equal distances.

    Args:
        images: as for `picture_cases`.
        masks: as for `picture_cases`.
        size: the size that they are cropped and scaled to.

    Raises:
        UsageError: when a folder is missing, or holds no picture.
        PictureError: when a picture or mask cannot be used.
    """
    cases = picture_cases(images, masks, SizePolicy(size, 1, 1))
    chosen = cases[:: -(-len(cases) // _most(size))]
    if len(chosen) < len(cases):
        _log.warning("weighed on %d of %d pictures, at equal distances", len(chosen), len(cases))
    return [WeighedCase(case, "own") for case in chosen]


def holdout_cases(size: Size) -> list[WeighedCase]:
    """Return the holdout's scenes, and scikit-image's photographs, with LaMa's wide holes.

    None of them is trained or calibrated on. They are drawn as squares and cropped to where most
    of the hole is. Photographs are left out where scikit-image is not installed, or where they
    would have to be enlarged.
    """
    side, most = max(size.height, size.width, _SMALLEST_DRAWN_PX), _most(size)
    drawn = [
        *_named("periodic scene", "scene", holdout(side, min(_PERIODIC, most // 2))),
        *_named("scene", "scene", general_holdout(side, min(_GENERAL, most // 4))),
        *_photographs(side),
    ]
    return [WeighedCase(_cropped(one.case, size), one.kind) for one in drawn[:most]]


def _named(name: str, kind: str, samples: Sequence[Sample]) -> list[WeighedCase]:
    return [
        WeighedCase(ParityCase(sample.truth, sample.hole, f"{name} {number}"), kind)
        for number, sample in enumerate(samples, start=1)
    ]


def _photographs(side: int) -> list[WeighedCase]:
    found = []
    try:
        for name in PHOTOGRAPHS:
            for sample in photograph_samples(side, 1, names=[name]):
                found.append(WeighedCase(ParityCase(sample.truth, sample.hole, name), "photograph"))
    except MissingBackendError as error:
        _log.info("weighed on no photographs: %s", error)
    return found


def _cropped(case: ParityCase, size: Size) -> ParityCase:
    """Crop to the window that holds most of the hole along each axis."""
    image, hole = case.image, case.hole
    for axis, length in ((0, size.height), (1, size.width)):
        counts = np.cumsum(np.concatenate([[0], hole.sum(axis=1 - axis)]))
        start = int(np.argmax(counts[length:] - counts[:-length]))
        window = (slice(None),) * axis + (slice(start, start + length),)
        image, hole = image[window], hole[window]
    return ParityCase(np.ascontiguousarray(image), np.ascontiguousarray(hole), case.name)


def _most(size: Size) -> int:
    pixels = size.height * size.width
    return min(_MOST_PICTURES, max(_FEWEST_PICTURES, _MOST_PIXELS // pixels))
