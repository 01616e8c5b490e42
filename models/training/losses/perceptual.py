"""LaMa's high-receptive-field perceptual loss: features of a dilated segmentation network.

The network is the ResNet-50 encoder that Zhou et al., "Semantic Understanding of Scenes through
the ADE20K Dataset", IJCV 2019 (arXiv 1608.05442), trained for segmentation: three convolutions in
its stem, and dilation in place of the last two strides (Yu et al., "Dilated Residual Networks",
CVPR 2017). Its weights (`encoder_epoch_20.pth` of ade20k-resnet50dilated-ppm_deepsup) are not
part of this project; users bring the file.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

from lama_edge.errors import CheckpointError, needs_extra, reason, shown
from lama_edge.models.torch_file import TorchFile

with needs_extra("train"):
    import torch
    from torch import Tensor, nn
    from torch.nn.functional import mse_loss, relu

_EXPANSION = 4
_STEM_WIDTHS = (64, 64, 128)
_STAGES = ((3, 64), (4, 128), (6, 256), (3, 512))
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)
# Older releases can be made to run code by a file in the format from before torch 1.6, even when
# they are told to load weights only (CVE-2025-32434).
_SAFE_TORCH = (2, 6)


class Bottleneck(nn.Module):
    """The residual block of He et al., CVPR 2016, with its stride or dilation in the middle."""

    def __init__(self, inputs: int, width: int, *, stride: int, dilation: int) -> None:
        super().__init__()
        outputs = width * _EXPANSION
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(
            width, width, 3, stride, padding=dilation, dilation=dilation, bias=False
        )
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Sequential | None = None
        if inputs != outputs or stride != 1:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map [N,C,H,W] to [N,4·width,H/stride,W/stride]."""
        out = relu(self.bn1(self.conv1(x)))
        out = relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return relu(out + (x if self.downsample is None else self.downsample(x)))


class SegmentationFeatures(nn.Module):
    """The encoder, frozen and in evaluation mode; the modules' names are the published file's.

    Input: float32 [N,3,H,W] RGB in [0,1]. Output: the four stages' feature maps, of 256, 512,
    1024 and 2048 channels, the first at a quarter and the others at an eighth of the size.
    """

    def __init__(self) -> None:
        super().__init__()
        widths = (3, *_STEM_WIDTHS)
        for index, (inputs, outputs) in enumerate(zip(widths, _STEM_WIDTHS, strict=False), 1):
            stride = 2 if index == 1 else 1
            conv = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
            self.add_module(f"conv{index}", conv)
            self.add_module(f"bn{index}", nn.BatchNorm2d(outputs))
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        inputs = _STEM_WIDTHS[-1]
        for index, (blocks, width) in enumerate(_STAGES, 1):
            self.add_module(f"layer{index}", _stage(index, inputs, blocks, width))
            inputs = width * _EXPANSION
        for name, values in (("mean", _MEAN), ("std", _STD)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Compute the feature maps; see the class."""
        x = (x - self.get_buffer("mean")) / self.get_buffer("std")
        for index in range(1, len(_STEM_WIDTHS) + 1):
            conv, norm = self.get_submodule(f"conv{index}"), self.get_submodule(f"bn{index}")
            x = relu(norm(conv(x)))
        x = self.maxpool(x)
        features: list[Tensor] = []
        for index in range(1, len(_STAGES) + 1):
            x = self.get_submodule(f"layer{index}")(x)
            features.append(x)
        return features


def perceptual_loss(network: SegmentationFeatures, fill: Tensor, image: Tensor) -> Tensor:
    """Sum over the stages of the mean squared difference between features.

    Args:
        network: of the features.
        fill: float32 [N,3,H,W] in [0,1], the raw fill.
        image: float32 [N,3,H,W] in [0,1], the truth.
    """
    with torch.no_grad():
        wanted = network(image)
    pairs = zip(network(fill), wanted, strict=True)
    return torch.stack([mse_loss(one.float(), other.float()) for one, other in pairs]).sum()


def load_segmentation_features(path: Path) -> SegmentationFeatures:
    """Load the published encoder without running any code from its file.

    Args:
        path: `encoder_epoch_20.pth` as published (the format from before torch 1.6), or saved
            again by a newer torch.

    Raises:
        CheckpointError: when the file cannot be read, or holds another network.
    """
    network = SegmentationFeatures()
    expected = network.state_dict()
    found = _read(path)
    for name, value in expected.items():
        if name.endswith("num_batches_tracked"):
            continue
        if name not in found:
            raise CheckpointError(
                f"{str(path)!r} has no tensor {name}: give the ADE20K resnet50dilated encoder, "
                "encoder_epoch_20.pth"
            )
        tensor = found[name]
        if tensor.shape != value.shape or not tensor.is_floating_point():
            raise CheckpointError(
                f"the tensor {name} of {str(path)!r} is {tensor.dtype} {list(tensor.shape)}, not "
                f"floating-point {list(value.shape)}: give the encoder encoder_epoch_20.pth"
            )
        if not bool(tensor.isfinite().all()):
            raise CheckpointError(f"the tensor {name} of {str(path)!r} is not finite")
        value.copy_(tensor)
    return network


def _stage(index: int, inputs: int, blocks: int, width: int) -> nn.Sequential:
    """Build a stage: the second halves the size, the third and fourth dilate instead."""
    stride = 2 if index == 2 else 1
    dilation = {3: 2, 4: 4}.get(index, 1)
    # The block that would have had the stride sees the map of the stage before, at its dilation.
    first = Bottleneck(inputs, width, stride=stride, dilation=max(1, dilation // 2))
    rest = [
        Bottleneck(width * _EXPANSION, width, stride=1, dilation=dilation)
        for _ in range(blocks - 1)
    ]
    return nn.Sequential(first, *rest)


def _read(path: Path) -> Mapping[str, Tensor]:
    if not path.is_file():
        raise CheckpointError(f"there is no file {str(path)!r} with perceptual weights")
    if zipfile.is_zipfile(path):
        with TorchFile(path) as file:
            references = file.state_dict()
            return {name: torch.from_numpy(array) for name, array in file.read(references)}
    return _read_old_format(path)


def _read_old_format(path: Path) -> Mapping[str, Tensor]:
    major, minor = (int(part) for part in torch.__version__.split(".")[:2])
    if (major, minor) < _SAFE_TORCH:
        raise CheckpointError(
            f"{str(path)!r} is in the format from before torch 1.6, which torch "
            f"{torch.__version__} does not read safely: install torch 2.6 or newer"
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or hostile file raises whatever its parser meets
        raise CheckpointError(
            f"{str(path)!r} is no torch file of weights, or is refused ({reason(error)}): nothing "
            "was run, get encoder_epoch_20.pth again"
        ) from error
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{str(path)!r} holds {shown(content)}, not a network's weights")
    return {str(n): value for n, value in content.items() if isinstance(value, Tensor)}
