"""Checkpoints with seeded weights, for measurements and tests that no training can wait for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import needs_extra
from lama_edge.files import atomic_output
from lama_edge.models.checkpoint import Checkpoint
from lama_edge.models.config import FfcResnetConfig, GeneratorConfig

with needs_extra("export"):
    import torch
    from safetensors.numpy import save_file
    from torch import nn

    from lama_edge.models.generators.build import new_generator

_SIDE = 64


def seeded_checkpoint(config: GeneratorConfig, *, seed: int = 0) -> Checkpoint:
    """Draw weights, and take each batch norm's statistics from a seeded picture's activations.

    Without that the activations of many residual blocks explode or vanish, and parity figures
    on them would mean nothing.

    Args:
        config: the architecture.
        seed: of the random draws; the same seed and versions give the same weights.

    Returns:
        A checkpoint without a file: its hash is all zeros.
    """
    torch.manual_seed(seed)
    generator = new_generator(config).train()
    for module in generator.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
    with torch.no_grad():
        image = torch.rand(2, 3, _SIDE, _SIDE)
        mask = (torch.rand(2, 1, _SIDE, _SIDE) < 0.3).float()
        generator(torch.cat([image * (1 - mask), mask], dim=1))
    tensors = {
        name: np.asarray(tensor.detach().numpy()) for name, tensor in generator.state_dict().items()
    }
    return Checkpoint(config, tensors, "0" * 64, Path("seeded"))


def heated(checkpoint: Checkpoint, *, local: float, global_: float, spectral: float) -> Checkpoint:
    """Raise the gains of an ``ffc_resnet``'s branches without changing what it computes.

    The weights that read a branch make up for it: for tests and measurements of what a number
    format does with large activations.

    Args:
        checkpoint: the one to start from.
        local: factor of the local path's maps between the downsampling and the decoder.
        global_: of the global path's.
        spectral: of the maps that Fourier units transform.
    """
    config = checkpoint.config
    if not isinstance(config, FfcResnetConfig):
        raise TypeError(f"a {config.kind} has no Fourier branches to heat")
    tensors = {name: np.array(tensor) for name, tensor in checkpoint.tensors.items()}
    written = {"bn_l": local, "bn_g": global_}
    read = {"convl2l": local, "convl2g": local, "convg2l": global_, "convg2g.conv1.0": global_}
    split = f"model.{1 + config.n_downsampling}"
    blocks = range(2 + config.n_downsampling, 2 + config.n_downsampling + config.n_blocks)
    for unit in (f"model.{block}.{conv}" for block in blocks for conv in ("conv1", "conv2")):
        for name, factor in read.items():
            tensors[f"{unit}.ffc.{name}.weight"] /= np.float32(factor)
        for name in ("fu.conv_layer", "conv2"):
            tensors[f"{unit}.ffc.convg2g.{name}.weight"] /= np.float32(spectral)
        for name in ("conv1.1", "fu.bn"):
            _raise(tensors, f"{unit}.ffc.convg2g.{name}", spectral)
        for name, factor in written.items():
            _raise(tensors, f"{unit}.{name}", factor)
    for name, factor in written.items():
        _raise(tensors, f"{split}.{name}", factor)
    n_local, _ = config.bottleneck_channels
    first = tensors[f"model.{3 + config.n_downsampling + config.n_blocks}.weight"]
    first[:n_local] /= np.float32(local)
    first[n_local:] /= np.float32(global_)
    return replace(checkpoint, tensors=tensors)


def _raise(tensors: dict[str, NDArray[Any]], norm: str, factor: float) -> None:
    """Multiply what a batch norm gives."""
    for name in ("weight", "bias"):
        tensors[f"{norm}.{name}"] *= np.float32(factor)


def save_seeded(config: GeneratorConfig, path: Path, *, seed: int = 0) -> None:
    """Write `seeded_checkpoint` as a ``.safetensors`` file that carries its configuration.

    Raises:
        UsageError: when the file cannot be written.
    """
    checkpoint = seeded_checkpoint(config, seed=seed)
    with atomic_output(path) as temporary:
        save_file(dict(checkpoint.tensors), temporary, {"config": json.dumps(config.to_dict())})
