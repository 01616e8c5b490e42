"""Checkpoints with seeded weights, for measurements and tests that no training can wait for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from lama_edge.errors import needs_extra
from lama_edge.files import atomic_output
from lama_edge.models.checkpoint import Checkpoint
from lama_edge.models.config import GeneratorConfig

with needs_extra("torch"):
    import torch
    from safetensors.numpy import save_file
    from torch import nn

    from lama_edge.models.torch_modules.build import new_generator

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


def save_seeded(config: GeneratorConfig, path: Path) -> None:
    """Write `seeded_checkpoint` as a ``.safetensors`` file that carries its configuration.

    Raises:
        UsageError: when the file cannot be written.
    """
    checkpoint = seeded_checkpoint(config)
    with atomic_output(path) as temporary:
        save_file(dict(checkpoint.tensors), temporary, {"config": json.dumps(config.to_dict())})
