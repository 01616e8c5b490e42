"""The training loop: steps change what they should, and a resumed run is the same run."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from lama_edge.errors import CheckpointError
from lama_edge.models.config import FfcResnetConfig
from lama_edge.models.training.data import BatchStream, DataSettings
from lama_edge.models.training.loop import (
    TrainSettings,
    learning_rate,
    load_checkpoint,
    losses,
    new_state,
    save_checkpoint,
    train,
)

TINY = FfcResnetConfig(ngf=4, n_blocks=1)
DATA = DataSettings(seed=7, crop_pixels=32, batch_size=4, pool_scenes=4)


def settings_for(steps: int) -> TrainSettings:
    return TrainSettings(max_steps=steps, config=TINY, warmup_steps=2, loader_workers=0)


def same(first: dict, second: dict) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def test_steps_move_weights_average_and_batch_norm_statistics():
    state = new_state(settings_for(2), seed=1)
    before = {name: value.clone() for name, value in state.average.state_dict().items()}
    seen = []
    train(state, settings_for(2), DATA, report=lambda _, result: seen.append(result))
    assert state.step == len(seen) == 2
    assert all(math.isfinite(float(result.total.detach())) for result in seen)
    after = state.average.state_dict()
    assert not any(
        torch.equal(before[name], after[name]) for name in before if "running_mean" in name
    )
    assert not torch.equal(
        before["model.1.ffc.convl2l.weight"], after["model.1.ffc.convl2l.weight"]
    )
    assert int(after["model.1.bn_l.num_batches_tracked"]) == 2


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(tmp_path):
    def interrupt_after_two(state, _):
        if state.step == 2:
            save_checkpoint(tmp_path / "checkpoint.pt", state)
            raise KeyboardInterrupt

    settings = settings_for(5)
    whole = new_state(settings, seed=1)
    train(whole, settings, DATA, report=lambda *_: None)
    with pytest.raises(KeyboardInterrupt):
        train(new_state(settings, seed=1), settings, DATA, report=interrupt_after_two)
    resumed = load_checkpoint(tmp_path / "checkpoint.pt", settings)
    train(resumed, settings, DATA, report=lambda *_: None)
    assert resumed.step == whole.step == 5
    assert same(resumed.generator.state_dict(), whole.generator.state_dict())
    assert same(resumed.average.state_dict(), whole.average.state_dict())


def test_a_checkpoint_of_another_generator_is_refused(tmp_path):
    path = tmp_path / "checkpoint.pt"
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load_checkpoint(path, settings_for(2))
    save_checkpoint(path, new_state(settings_for(2), seed=1))
    other = TrainSettings(max_steps=2, config=FfcResnetConfig(ngf=8, n_blocks=1))
    with pytest.raises(CheckpointError, match="another generator"):
        load_checkpoint(path, other)


def test_batches_depend_on_the_seed_and_the_step_alone():
    stream = iter(BatchStream(DATA, 0))
    batches = [next(stream) for _ in range(6)]
    image, mask = next(iter(BatchStream(DATA, 5)))
    assert torch.equal(image, batches[5][0])
    assert torch.equal(mask, batches[5][1])
    assert not torch.equal(batches[0][0], batches[1][0])


def test_batches_are_in_range_small_at_first_and_every_fourth_is_larger():
    settings = dataclasses.replace(DATA, small_steps=4)
    stream = iter(BatchStream(settings, 0))
    for step in range(8):
        image, mask = next(stream)
        side = (16 if step < 4 else 32) * (2 if step % 4 == 3 else 1)
        count = 4 * 32**2 // side**2
        assert image.shape == (count, 3, side, side)
        assert mask.shape == (count, 1, side, side)
        assert 0 <= float(image.min()) < float(image.max()) <= 1
        assert set(mask.unique().tolist()) == {0.0, 1.0}


def test_the_loss_is_zero_for_the_truth_and_weighs_the_hole_more():
    image = torch.rand(1, 3, 16, 16)
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., :8] = 1
    settings = settings_for(1)
    assert float(losses(image, image, mask, settings).total) == 0
    in_hole = losses(image + 0.1 * mask, image, mask, settings)
    outside = losses(image + 0.1 * (1 - mask), image, mask, settings)
    assert float(in_hole.hole_l1) == pytest.approx(0.1, abs=1e-4)
    ratio = settings.hole_weight / settings.known_weight
    assert float(in_hole.total) == pytest.approx(ratio * float(outside.total), rel=1e-3)


def test_the_learning_rate_warms_up_and_ends_at_zero():
    settings = settings_for(100)
    state = new_state(settings, seed=1)
    first = learning_rate(state, settings)
    state.step = 2
    assert learning_rate(state, settings) > first
    state.step = 100
    assert learning_rate(state, settings) == 0
