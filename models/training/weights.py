"""Weights files of small trained generators: compact safetensors with their configuration."""

from __future__ import annotations

import json
from pathlib import Path

from lama_edge.errors import CheckpointError, needs_extra
from lama_edge.files import atomic_output

with needs_extra("train"):
    import torch
    from safetensors.torch import save_file
    from torch import Tensor, nn

    from lama_edge.models.torch_modules.ffc_resnet import FfcResnetGenerator

_FORMAT = "lama-edge"


def save_weights(path: Path, generator: FfcResnetGenerator) -> None:
    """Write a generator's tensors under their state-dict names.

    Convolutions are stored as float16; batch-norm weights and statistics stay float32, because
    a variance may leave float16's range and they take next to no room.

    Args:
        path: the `.safetensors` file to write; its metadata hold `config` (JSON) and `format`.
        generator: the network to store.

    Raises:
        CheckpointError: when a convolution's weight does not fit float16.
    """
    norms = [f"{name}." for name, m in generator.named_modules() if isinstance(m, nn.BatchNorm2d)]
    tensors: dict[str, Tensor] = {}
    for name, value in generator.state_dict().items():
        stored = value.detach()
        if not name.startswith(tuple(norms)):
            stored = stored.half()
        if not bool(torch.isfinite(stored).all()):
            raise CheckpointError(f"{name} is not finite, or too large for float16")
        tensors[name] = stored.contiguous().clone()
    metadata = {"config": json.dumps(generator.config.to_dict()), "format": _FORMAT}
    with atomic_output(path) as temporary:
        save_file(tensors, str(temporary), metadata=metadata)
