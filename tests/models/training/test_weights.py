"""Weights files: compact, self-describing, and the same network when loaded back."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors import safe_open

from lama_edge.errors import CheckpointError
from lama_edge.models.checkpoint import load_checkpoint
from lama_edge.models.config import FfcResnetConfig, config_from_dict
from lama_edge.models.torch_modules.build import build_generator
from lama_edge.models.torch_modules.ffc_resnet import FfcResnetGenerator
from lama_edge.models.training.weights import save_weights

TINY = FfcResnetConfig(ngf=4, n_blocks=1)
# Rounding the convolutions of five random networks to float16 moved the output by 8e-6 at most.
MAX_FLOAT16_DIFFERENCE = 1e-4


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return FfcResnetGenerator(TINY).eval()


def test_saved_weights_load_back_into_the_same_network(tmp_path, generator):
    path = tmp_path / "weights.safetensors"
    save_weights(path, generator)
    loaded = build_generator(load_checkpoint(path))
    x = torch.rand(1, 4, 32, 40)
    with torch.inference_mode():
        difference = (loaded(x) - generator(x)).abs().max()
    assert loaded.config == TINY
    assert not loaded.training
    assert float(difference) < MAX_FLOAT16_DIFFERENCE


def test_convolutions_are_half_precision_and_statistics_are_not(tmp_path, generator):
    path = tmp_path / "weights.safetensors"
    # Variances beyond either end of float16's range must survive.
    generator.model[1].bn_l.running_var[:2] = torch.tensor([1e-9, 1e6])
    save_weights(path, generator)
    with safe_open(str(path), framework="pt") as file:
        metadata = file.metadata()
        assert set(file.keys()) == set(generator.state_dict())
        assert file.get_tensor("model.1.ffc.convl2l.weight").dtype == torch.float16
        assert file.get_tensor("model.1.bn_l.num_batches_tracked").dtype == torch.int64
        variance = file.get_tensor("model.1.bn_l.running_var")
    assert torch.equal(variance, generator.model[1].bn_l.running_var)
    assert metadata["format"] == "lama-edge"
    assert config_from_dict(json.loads(metadata["config"])) == TINY


def test_weights_that_float16_cannot_hold_are_refused(tmp_path, generator):
    with torch.no_grad():
        generator.model[1].ffc.convl2l.weight[0, 0, 0, 0] = 1e6
    with pytest.raises(CheckpointError, match="convl2l"):
        save_weights(tmp_path / "weights.safetensors", generator)
    assert list(tmp_path.iterdir()) == []
