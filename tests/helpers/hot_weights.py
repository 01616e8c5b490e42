"""Weights whose activations leave a number format's range, of networks that compute the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.models.checkpoint import Checkpoint
from lama_edge.models.config import FfcResnetConfig


def heated(checkpoint: Checkpoint, *, local: float, global_: float, spectral: float) -> Checkpoint:
    """Raise the gains of an ``ffc_resnet``'s branches without changing what it computes.

    The weights that read a branch make up for it.

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
