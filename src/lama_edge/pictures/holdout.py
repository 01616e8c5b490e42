"""What generators are judged on: procedural scenes whose seeds are never trained on, with holes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lama_edge.pictures.masks import WIDE_TEST, MaskStyle, draw_mask
from lama_edge.pictures.scenes import make_periodic_scene, make_scene
from lama_edge.pictures.textures import PERIODIC

# Starts every seed here, and no seed of the training, which starts with its own small number.
_HOLDOUT_STREAM = 0x686F6C64
_GENERAL_STREAM = 0x67656E65

Picture = npt.NDArray[np.uint8]
SceneMaker = Callable[[np.random.Generator, int, int], Picture]


@dataclass(frozen=True)
class Sample:
    """A picture with a hole: `truth` uint8 [H,W,3] RGB, `mask` uint8 [H,W], 255 = hole."""

    truth: Picture
    mask: Picture

    @property
    def hole(self) -> npt.NDArray[np.bool_]:
        """The hole as bool [H,W]."""
        return np.asarray(self.mask > 0)


def holdout(size: int, count: int, *, masks: MaskStyle = WIDE_TEST) -> list[Sample]:
    """Draw the fixed holdout of periodic scenes, the same in every run.

    Args:
        size: side in pixels.
        count: how many; a smaller holdout is the beginning of a larger one.
        masks: style of the holes; the scenes are the same for every style.
    """
    return _draw(_HOLDOUT_STREAM, make_periodic_scene, size, count, masks)


def periodic_surface(size: int, index: int) -> str:
    """Name the surface that a scene of the periodic holdout shows.

    A scene's first random draw picks its surface, so nothing need be painted to know it.
    """
    rng = np.random.default_rng([_HOLDOUT_STREAM, size, index])
    names = sorted(PERIODIC)
    return names[int(rng.integers(len(names)))]


def general_holdout(size: int, count: int, *, masks: MaskStyle = WIDE_TEST) -> list[Sample]:
    """Draw the fixed holdout of scenes like those of the training, the same in every run.

    Arguments as for `holdout`.
    """
    return _draw(_GENERAL_STREAM, make_scene, size, count, masks)


def _draw(stream: int, make: SceneMaker, size: int, count: int, masks: MaskStyle) -> list[Sample]:
    samples = []
    for index in range(count):
        rng = np.random.default_rng([stream, size, index])
        truth = make(rng, size, size)
        # A stream of their own: the masks stay the same when the code that draws scenes changes.
        mask_rng = np.random.default_rng([stream, size, index, 1])
        samples.append(Sample(truth, draw_mask(mask_rng, size, size, style=masks)))
    return samples
