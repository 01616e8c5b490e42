"""The stream of training batches: crops of a rolling pool of pictures, each with a mask.

Batch number k depends on the seed, the process and k alone, so a resumed run sees what an
uninterrupted one would have seen. Drawing or decoding a picture costs more than cropping it,
hence the pool.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from lama_edge.errors import UsageError, needs_extra
from lama_edge.pictures.masks import make_mask
from lama_edge.pictures.scenes import make_scene

with needs_extra("train"):
    import torch
    from torch import Tensor
    from torch.utils.data import IterableDataset

_PICTURE_STREAM = 1
_BATCH_STREAM = 2
# Inverting single channels makes colour vary as much as brightness; without it the fills of the
# first thousands of steps stay grey.
_INVERT_SHARE = 0.5
_SATURATE_SHARE = 0.3
_SATURATION = (1.0, 3.0)
_LARGE_EVERY_STEPS = 4
_LARGE_FACTOR = 2

Picture = npt.NDArray[np.uint8]


class PictureSource(Protocol):
    """Where training pictures come from."""

    recolours: bool
    """Whether a picture stays plausible turned and in other colours."""

    def picture(self, rng: np.random.Generator, side: int) -> Picture:
        """Draw uint8 [side,side,3] RGB; the same state of `rng` gives the same picture."""


class Scenes:
    """Procedural scenes."""

    recolours = True

    def picture(self, rng: np.random.Generator, side: int) -> Picture:
        """See `PictureSource.picture`."""
        return make_scene(rng, side, side)


@dataclass(frozen=True)
class DataSettings:
    """What a batch is made of.

    Attributes:
        seed: of the pictures, crops and masks.
        crop_pixels: side of a crop; every fourth batch holds a quarter as many crops of twice
            the side, so that the spectral layers learn more than one size.
        batch_size: crops in an ordinary batch of one process.
        small_steps: first steps, for which crops have half the side and there are four times as
            many: colours are learned sooner from many pictures than from large ones.
        pool_pictures: pictures that a batch is drawn from; every step replaces the oldest one.
        workers: processes that prepare batches; 0 prepares them in the training process.

    Raises:
        UsageError: when a value is out of range.
    """

    seed: int
    crop_pixels: int = 128
    batch_size: int = 8
    small_steps: int = 1500
    pool_pictures: int = 256
    workers: int = 0

    def __post_init__(self) -> None:
        for name, value, low in (
            ("seed", self.seed, 0),
            ("batch", self.batch_size, 1),
            ("small-steps", self.small_steps, 0),
            ("pool", self.pool_pictures, 1),
            ("workers", self.workers, 0),
        ):
            if value < low:
                raise UsageError(f"--{name} is {value}: give {low} or more")

    @property
    def picture_pixels(self) -> int:
        """Side of the pool's pictures, which the large crops fill."""
        return self.crop_pixels * _LARGE_FACTOR

    @property
    def crop_sides(self) -> tuple[int, ...]:
        """Sides of all the crops that a run sees."""
        small = (self.crop_pixels // _LARGE_FACTOR,) if self.small_steps else ()
        return (*small, self.crop_pixels, self.picture_pixels)


class BatchStream(IterableDataset[tuple[Tensor, Tensor]]):
    """Batches from `first_step` on, without end.

    Yields (image, mask): float32 [N,3,H,W] RGB in [0,1] and float32 [N,1,H,W], 1 = hole.

    Args:
        settings: what the batches are made of.
        source: of the pictures.
        first_step: steps done.
        rank: of the training process; each sees batches of its own.
    """

    def __init__(
        self,
        settings: DataSettings,
        source: PictureSource,
        *,
        first_step: int = 0,
        rank: int = 0,
    ) -> None:
        self.settings = settings
        self.first_step = first_step
        self.rank = rank
        self.source = source

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Fill the pool as it stood at `first_step`, then roll it forward."""
        first, size = self.first_step, self.settings.pool_pictures
        pool = {index % size: self._picture(index) for index in range(first, first + size)}
        for step in itertools.count(first):
            yield self._batch(pool, step)
            pool[step % size] = self._picture(step + size)

    def _rng(self, stream: int, index: int) -> np.random.Generator:
        return np.random.default_rng([self.settings.seed, self.rank, stream, index])

    def _picture(self, index: int) -> Picture:
        return self.source.picture(self._rng(_PICTURE_STREAM, index), self.settings.picture_pixels)

    def _batch(self, pool: dict[int, Picture], step: int) -> tuple[Tensor, Tensor]:
        settings, rng = self.settings, self._rng(_BATCH_STREAM, step)
        side, count = settings.crop_pixels, settings.batch_size
        if step < settings.small_steps:
            side, count = side // _LARGE_FACTOR, count * _LARGE_FACTOR**2
        if step % _LARGE_EVERY_STEPS == _LARGE_EVERY_STEPS - 1:
            side, count = side * _LARGE_FACTOR, max(1, count // _LARGE_FACTOR**2)
        recolour = self.source.recolours
        crops = [
            _crop(rng, pool[int(rng.integers(len(pool)))], side, recolour=recolour)
            for _ in range(count)
        ]
        masks = [make_mask(rng, side, side) for _ in range(count)]
        image = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).contiguous().float() / 255
        mask = (torch.from_numpy(np.stack(masks)) > 0).float()[:, None]
        return image, mask


def _crop(rng: np.random.Generator, picture: Picture, side: int, *, recolour: bool) -> Picture:
    """Cut a window and flip it at random; turn and recolour it too where that is plausible."""
    top = int(rng.integers(picture.shape[0] - side + 1))
    left = int(rng.integers(picture.shape[1] - side + 1))
    window = picture[top : top + side, left : left + side]
    if rng.random() < 0.5:
        window = window[:, ::-1]
    return np.ascontiguousarray(_recoloured(rng, window) if recolour else window)


def _recoloured(rng: np.random.Generator, window: Picture) -> Picture:
    window = np.rot90(window[..., rng.permutation(3)], int(rng.integers(4)))
    if rng.random() < _SATURATE_SHARE:
        window = _saturate(window, rng.uniform(*_SATURATION))
    if rng.random() < _INVERT_SHARE:
        window = np.where(rng.random(3) < 0.5, 255 - window, window)
    return window


def _saturate(window: Picture, factor: float) -> Picture:
    """Move colours away from grey: muted scenes alone teach hardly any colour."""
    grey = window.mean(axis=2, keepdims=True, dtype=np.float32)
    vivid = grey + np.float32(factor) * (window - grey)
    return np.asarray(np.clip(np.rint(vivid), 0, 255), dtype=np.uint8)
