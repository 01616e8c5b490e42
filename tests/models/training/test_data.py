"""Training batches: a function of the seed, the process and the step, of the sizes asked for."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from lama_edge.errors import UsageError
from lama_edge.models.training.data.pool import BatchStream, DataSettings, Scenes

DATA = DataSettings(seed=7, crop_pixels=32, batch_size=4, pool_pictures=4)


def test_batches_depend_on_the_seed_and_the_step_alone():
    stream = iter(BatchStream(DATA, Scenes()))
    batches = [next(stream) for _ in range(6)]
    image, mask = next(iter(BatchStream(DATA, Scenes(), first_step=5)))
    assert torch.equal(image, batches[5][0])
    assert torch.equal(mask, batches[5][1])
    assert not torch.equal(batches[0][0], batches[1][0])


def test_every_process_sees_batches_of_its_own():
    first, other = (next(iter(BatchStream(DATA, Scenes(), rank=rank))) for rank in (0, 1))
    assert not torch.equal(first[0], other[0])
    assert not torch.equal(first[1], other[1])


def test_batches_are_in_range_small_at_first_and_every_fourth_is_larger():
    stream = iter(BatchStream(dataclasses.replace(DATA, small_steps=4), Scenes()))
    for step in range(8):
        image, mask = next(stream)
        side = (16 if step < 4 else 32) * (2 if step % 4 == 3 else 1)
        count = 4 * 32**2 // side**2
        assert image.shape == (count, 3, side, side)
        assert mask.shape == (count, 1, side, side)
        assert 0 <= float(image.min()) < float(image.max()) <= 1
        assert set(mask.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("field", ["seed", "batch_size", "small_steps", "pool_pictures", "workers"])
def test_values_out_of_range_are_refused(field):
    with pytest.raises(UsageError, match="is -1"):
        dataclasses.replace(DATA, **{field: -1})
