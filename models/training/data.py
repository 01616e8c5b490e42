"""The stream of training batches: crops of a rolling pool of scenes, each with a mask.

Batch number k depends on the seed and on k alone, so a resumed run sees what an uninterrupted
one would have seen. Drawing a scene costs more than cropping it, hence the pool.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lama_edge.errors import needs_extra
from lama_edge.models.training.masks import make_mask
from lama_edge.models.training.scenes import make_scene

with needs_extra("export"):
    import torch
    from torch import Tensor
    from torch.utils.data import IterableDataset

_SCENE_STREAM = 1
_BATCH_STREAM = 2
# Inverting single channels makes colour vary as much as brightness; without it the fills of the
# first thousands of steps stay grey.
_INVERT_SHARE = 0.5
_SATURATE_SHARE = 0.3
_SATURATION = (1.0, 3.0)
_LARGE_EVERY_STEPS = 4
_LARGE_FACTOR = 2


@dataclass(frozen=True)
class DataSettings:
    """What a batch is made of.

    Attributes:
        seed: of the scenes, crops and masks.
        crop_pixels: side of a crop; every fourth batch holds a quarter as many crops of twice
            the side, so that the spectral layers learn more than one size.
        batch_size: crops in an ordinary batch; a multiple of 4.
        small_steps: first steps, for which crops have half the side and there are four times as
            many: colours are learned sooner from many pictures than from large ones.
        pool_scenes: scenes that a batch is drawn from.
        new_scenes_per_step: scenes that replace the oldest ones at every step.
    """

    seed: int
    crop_pixels: int = 128
    batch_size: int = 8
    small_steps: int = 1500
    pool_scenes: int = 256
    new_scenes_per_step: int = 1

    @property
    def scene_pixels(self) -> int:
        """Side of the pool's scenes, which the large crops fill."""
        return self.crop_pixels * _LARGE_FACTOR


class BatchStream(IterableDataset[tuple[Tensor, Tensor]]):
    """Batches from `first_step` on, without end.

    Yields (image, mask): float32 [N,3,H,W] RGB in [0,1] and float32 [N,1,H,W], 1 = hole.
    """

    def __init__(self, settings: DataSettings, first_step: int) -> None:
        self.settings = settings
        self.first_step = first_step

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Fill the pool as it stood at `first_step`, then roll it forward."""
        settings = self.settings
        oldest = self.first_step * settings.new_scenes_per_step
        pool = {
            index % settings.pool_scenes: _scene(settings, index)
            for index in range(oldest, oldest + settings.pool_scenes)
        }
        step = self.first_step
        while True:
            yield _batch(settings, pool, step)
            for _ in range(settings.new_scenes_per_step):
                pool[oldest % settings.pool_scenes] = _scene(
                    settings, oldest + settings.pool_scenes
                )
                oldest += 1
            step += 1


def _scene(settings: DataSettings, index: int) -> npt.NDArray[np.uint8]:
    rng = np.random.default_rng([settings.seed, _SCENE_STREAM, index])
    return make_scene(rng, settings.scene_pixels, settings.scene_pixels)


def _batch(
    settings: DataSettings, pool: dict[int, npt.NDArray[np.uint8]], step: int
) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng([settings.seed, _BATCH_STREAM, step])
    side, count = settings.crop_pixels, settings.batch_size
    if step < settings.small_steps:
        side, count = side // _LARGE_FACTOR, count * _LARGE_FACTOR**2
    if step % _LARGE_EVERY_STEPS == _LARGE_EVERY_STEPS - 1:
        side, count = side * _LARGE_FACTOR, max(1, count // _LARGE_FACTOR**2)
    crops = [_crop(rng, pool[int(rng.integers(len(pool)))], side) for _ in range(count)]
    masks = [make_mask(rng, side, side) for _ in range(count)]
    image = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).contiguous().float() / 255
    mask = (torch.from_numpy(np.stack(masks)) > 0).float()[:, None]
    return image, mask


def _crop(
    rng: np.random.Generator, scene: npt.NDArray[np.uint8], side: int
) -> npt.NDArray[np.uint8]:
    """Cut a window, flip, turn and recolour it at random: uint8 [side,side,3]."""
    top = int(rng.integers(scene.shape[0] - side + 1))
    left = int(rng.integers(scene.shape[1] - side + 1))
    window = scene[top : top + side, left : left + side, rng.permutation(3)]
    window = np.rot90(window, int(rng.integers(4)))
    if rng.random() < 0.5:
        window = window[:, ::-1]
    if rng.random() < _SATURATE_SHARE:
        window = _saturate(window, rng.uniform(*_SATURATION))
    if rng.random() < _INVERT_SHARE:
        window = np.where(rng.random(3) < 0.5, 255 - window, window)
    return np.ascontiguousarray(window)


def _saturate(window: npt.NDArray[np.uint8], factor: float) -> npt.NDArray[np.uint8]:
    """Move colours away from grey: muted scenes alone teach hardly any colour."""
    grey = window.mean(axis=2, keepdims=True, dtype=np.float32)
    vivid = grey + np.float32(factor) * (window - grey)
    return np.asarray(np.clip(np.rint(vivid), 0, 255), dtype=np.uint8)
