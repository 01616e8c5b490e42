"""The perceptual loss: the published encoder's layout, its features, and files that are none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from lama_edge.errors import CheckpointError
from lama_edge.models.training.losses.perceptual import (
    SegmentationFeatures,
    load_segmentation_features,
    perceptual_loss,
)

# torchvision's resnet50 without its last layer has 23,508,032. The stem of three convolutions
# takes 112,832 in place of 9,536, and as it ends in 128 channels instead of 64 the first block's
# two 1 by 1 convolutions have 64 more inputs for their 64 and 256 outputs.
PARAMETERS = 23_508_032 - 9_536 + 112_832 + 64 * (64 + 256)


class Marker:
    """Pickles as a call that leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.path,)


@pytest.fixture(scope="module")
def network() -> SegmentationFeatures:
    torch.manual_seed(3)
    return SegmentationFeatures()


def test_the_layout_is_the_published_files(network):
    names = set(network.state_dict())
    assert sum(parameter.numel() for parameter in network.parameters()) == PARAMETERS
    assert {"conv1.weight", "bn3.running_var", "layer1.0.downsample.1.bias"} < names
    assert {"layer2.3.bn3.weight", "layer3.5.conv2.weight", "layer4.2.conv3.weight"} < names
    assert not any(name.startswith(("mean", "std")) for name in names)


def test_the_last_two_stages_dilate_instead_of_shrinking(network):
    dilations = {
        name: module.dilation[0]
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3)
    }
    assert [dilations[f"layer3.{block}.conv2"] for block in (0, 1, 5)] == [1, 2, 2]
    assert [dilations[f"layer4.{block}.conv2"] for block in (0, 1, 2)] == [2, 4, 4]
    features = network(torch.rand(1, 3, 64, 48))
    assert [tuple(feature.shape) for feature in features] == [
        (1, 256, 16, 12),
        (1, 512, 8, 6),
        (1, 1024, 8, 6),
        (1, 2048, 8, 6),
    ]


def test_the_loss_sums_the_stages_and_its_gradient_reaches_the_fill():
    class TwoStages(nn.Module):
        def forward(self, x):
            return [x, 3 * x]

    image = torch.full((1, 3, 4, 4), 0.5)
    fill = torch.full((1, 3, 4, 4), 0.6, requires_grad=True)
    loss = perceptual_loss(TwoStages(), fill, image)
    assert float(loss.detach()) == pytest.approx((1 + 9) * 0.01, rel=1e-4)
    loss.backward()
    assert torch.allclose(fill.grad, torch.full_like(fill, 2 * 10 * 0.1 / 48))


def test_pictures_are_normalised_as_imagenet(network):
    grey = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1).expand(1, 3, 16, 16)
    # A picture of ImageNet's mean colour is zero for the first convolution, which has no bias.
    seen = []
    hook = network.conv1.register_forward_hook(lambda module, inputs, out: seen.append(out))
    network(grey)
    hook.remove()
    assert float(seen[0].abs().max()) < 1e-6


@pytest.mark.parametrize("new_format", [True, False])
def test_the_file_is_read_in_the_old_and_the_new_format(tmp_path, network, new_format):
    path = tmp_path / "encoder_epoch_20.pth"
    published = {n: v for n, v in network.state_dict().items() if "num_batches" not in n}
    torch.save(published, path, _use_new_zipfile_serialization=new_format)
    loaded = load_segmentation_features(path)
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    x = torch.rand(1, 3, 16, 16)
    for one, other in zip(network(x), loaded(x), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("new_format", [True, False])
def test_a_hostile_file_is_refused_and_nothing_of_it_runs(tmp_path, new_format):
    path, marker = tmp_path / "encoder_epoch_20.pth", tmp_path / "ran"
    torch.save({"a": Marker(marker)}, path, _use_new_zipfile_serialization=new_format)
    with pytest.raises(CheckpointError, match="refused") as refusal:
        load_segmentation_features(path)
    assert "\n" not in str(refusal.value)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"conv1.weight": torch.zeros(64, 3, 7, 7)}, r"\[64, 3, 7, 7\], not .*\[64, 3, 3, 3\]"),
        ({"other": torch.zeros(1)}, "has no tensor conv1.weight"),
        ({"conv1.weight": torch.full((64, 3, 3, 3), torch.nan)}, "not finite"),
        ([1, 2], "holds a list|no state_dict"),
    ],
)
@pytest.mark.parametrize("new_format", [True, False])
def test_other_networks_are_refused_in_one_line(tmp_path, content, message, new_format):
    path = tmp_path / "encoder_epoch_20.pth"
    torch.save(content, path, _use_new_zipfile_serialization=new_format)
    with pytest.raises(CheckpointError, match=message) as refusal:
        load_segmentation_features(path)
    assert "\n" not in str(refusal.value)


def test_files_that_are_none_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match="there is no file"):
        load_segmentation_features(tmp_path / "missing.pth")
    (tmp_path / "text.pth").write_text("no network")
    with pytest.raises(CheckpointError, match=r"text\.pth"):
        load_segmentation_features(tmp_path / "text.pth")
