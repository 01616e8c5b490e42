"""The ffc_resnet generator: the published shapes, and the official implementation's results."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from lama_edge.imaging import pad, padded_size
from lama_edge.models.checkpoint import Checkpoint
from lama_edge.models.config import BIG_LAMA, MAX_BLOCKS, MAX_CHANNELS, FfcResnetConfig
from lama_edge.models.torch_modules import build_generator
from lama_edge.models.torch_modules.ffc_resnet import FfcResnetGenerator
from lama_edge.runtimes.torch.runner import TorchRunner

MAX_DIFFERENCE = 1e-4  # the project's limit for fp32


def on_meta(config):
    with torch.device("meta"):
        return FfcResnetGenerator(config)


@pytest.mark.parametrize(
    ("blocks", "tensors", "parameters"), [(18, 989, 50_975_875), (9, 521, 27_048_835)]
)
def test_published_architectures_have_their_tensors_and_parameters(blocks, tensors, parameters):
    generator = on_meta(FfcResnetConfig(n_blocks=blocks))
    assert len(generator.state_dict()) == tensors
    assert sum(p.numel() for p in generator.parameters()) == parameters


def test_tensor_names_and_shapes_are_those_of_big_lama():
    shapes = {name: tuple(tensor.shape) for name, tensor in on_meta(BIG_LAMA).state_dict().items()}
    expected = {
        "model.1.ffc.convl2l.weight": (64, 4, 7, 7),
        "model.1.bn_l.running_var": (64,),
        "model.2.ffc.convl2l.weight": (128, 64, 3, 3),
        "model.4.ffc.convl2l.weight": (128, 256, 3, 3),
        "model.4.ffc.convl2g.weight": (384, 256, 3, 3),
        "model.4.bn_g.weight": (384,),
        "model.5.conv1.ffc.convl2l.weight": (128, 128, 3, 3),
        "model.5.conv1.ffc.convg2l.weight": (128, 384, 3, 3),
        "model.5.conv1.ffc.convg2g.conv1.0.weight": (192, 384, 1, 1),
        "model.5.conv1.ffc.convg2g.conv1.1.bias": (192,),
        "model.5.conv1.ffc.convg2g.fu.conv_layer.weight": (384, 384, 1, 1),
        "model.5.conv1.ffc.convg2g.fu.bn.num_batches_tracked": (),
        "model.22.conv2.ffc.convg2g.conv2.weight": (384, 192, 1, 1),
        "model.24.weight": (512, 256, 3, 3),
        "model.25.running_mean": (256,),
        "model.30.bias": (64,),
        "model.34.weight": (3, 64, 7, 7),
        "model.34.bias": (3,),
    }
    assert {name: shapes[name] for name in expected} == expected
    assert not any(name.startswith(("model.23.", "model.35.")) for name in shapes)


@pytest.fixture(params=["folder", "file", "safetensors", "safetensors with a config.yaml"])
def golden_source(request, golden_folder, golden_checkpoint, tmp_path):
    """The golden checkpoint in every form that can be loaded."""
    if request.param == "folder":
        return golden_folder
    if request.param == "file":
        return golden_folder / "models" / "best.ckpt"
    path = tmp_path / "golden.safetensors"
    metadata = {"config": json.dumps(golden_checkpoint.config.to_dict())}
    if request.param != "safetensors":
        (tmp_path / "config.yaml").write_bytes((golden_folder / "config.yaml").read_bytes())
        metadata = {}
    save_file(dict(golden_checkpoint.tensors), path, metadata)
    return path


def run_official(source, case, *, composite):
    """Run as the official pipeline does: padded at the bottom and right, cropped again."""
    height, width = case.hole.shape
    with TorchRunner(source, composite=composite) as runner:
        limits = runner.manifest.size
        size = padded_size(height, width, limits.multiple, limits.min_size)
        image = pad(case.image.astype(np.float32) / 255, *size).transpose(2, 0, 1)[None].copy()
        output = runner.run(image, pad(case.hole.astype(np.float32), *size)[None, None])
    return output[0].transpose(1, 2, 0)[:height, :width]


def test_every_form_of_a_checkpoint_gives_the_official_results(golden_source, golden_case):
    predicted = run_official(golden_source, golden_case, composite=False)
    assert np.abs(predicted - golden_case.predicted).max() <= MAX_DIFFERENCE


def test_the_composite_is_the_official_one(golden_folder, golden_case):
    inpainted = run_official(golden_folder, golden_case, composite=True)
    assert np.abs(inpainted - golden_case.inpainted).max() <= MAX_DIFFERENCE


def test_a_generator_is_ready_for_inference(golden_checkpoint):
    generator = build_generator(golden_checkpoint)
    assert not generator.training
    assert not any(p.requires_grad for p in generator.parameters())
    assert {p.dtype for p in generator.parameters()} == {torch.float32}


def test_the_largest_config_is_compared_before_memory_is_taken(golden_checkpoint, refusal_of):
    """Its 10**10 weights take 46 GiB: allocating them would end the process."""
    config = FfcResnetConfig(
        ngf=MAX_CHANNELS, n_blocks=MAX_BLOCKS, n_downsampling=5, max_features=MAX_CHANNELS
    )
    checkpoint = Checkpoint(config, golden_checkpoint.tensors, "", golden_checkpoint.path)
    assert "lacks tensors" in refusal_of(lambda: build_generator(checkpoint))
