"""From a checkpoint to its generator, with every tensor accounted for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import CheckpointError, parameter, shown
from lama_edge.models.architecture import Shapes
from lama_edge.models.checkpoint import Checkpoint
from lama_edge.models.config import FfcResnetConfig, GeneratorConfig
from lama_edge.models.generators.ffc_resnet import ffc_resnet
from lama_edge.models.generators.layers import COUNTER, STATISTICS, Array, Layer, Weights
from lama_edge.models.generators.pix2pixhd import pix2pixhd

_NAMES_SHOWN = 3
_NO_STEPS = np.zeros((), np.float32)  # of a counter that the file lacks; nothing reads it


def build_generator(checkpoint: Checkpoint) -> Layer:
    """Build the generator that a checkpoint describes.

    Args:
        checkpoint: configuration and tensors; the tensors' memory is shared, not copied.

    Returns:
        A function of float32 [N,4,H,W], which are three channels of RGB in [0,1] with the hole set
        to 0 and one mask channel (1 = hole), H and W multiples of `config.size_multiple` and at
        least `config.min_size`. It returns float32 [N,3,H,W] in [0,1], the raw fill everywhere.

    Raises:
        CheckpointError: see `check_tensors`.
    """
    check_tensors(checkpoint)

    def given(name: str, *_: int) -> Array:
        return checkpoint.tensors.get(name, _NO_STEPS)

    return _network(checkpoint.config, given)


def tensor_shapes(config: GeneratorConfig) -> Shapes:
    """Return the shapes of a generator's tensors by name, batch norm's step counters among them."""
    shapes = {}

    def record(name: str, *shape: int) -> Array:
        shapes[name] = shape
        return np.broadcast_to(np.float32(0), shape)  # takes no memory

    _network(config, record)
    return shapes


def count_parameters(config: GeneratorConfig) -> int:
    """Return how many numbers a training of the generator finds, as publications count them."""
    kept = (COUNTER, *STATISTICS)
    shapes = tensor_shapes(config).items()
    return sum(int(np.prod(shape)) for name, shape in shapes if not name.endswith(kept))


def check_tensors(checkpoint: Checkpoint) -> None:
    """Check that a checkpoint's tensors are those of its generator; step counters may be missing.

    Raises:
        CheckpointError: when a tensor is missing, unexpected, misshapen, of integers, or not
            finite.
    """
    expected = tensor_shapes(checkpoint.config)
    _check_names(expected, checkpoint.tensors)
    for name, array in checkpoint.tensors.items():
        if not is_counter(name):
            _check_tensor(name, array, expected[name])


def is_counter(name: str) -> bool:
    """Tell batch norm's step counters, which evaluation does not use and some files drop."""
    return name.endswith(COUNTER)


def _network(config: GeneratorConfig, weights: Weights) -> Layer:
    if isinstance(config, FfcResnetConfig):
        return ffc_resnet(config, weights)
    return pix2pixhd(config, weights)


def _check_tensor(name: str, array: NDArray[Any], shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise CheckpointError(
            f"the tensor {name} has shape {list(array.shape)}; the config asks for {list(shape)}"
        )
    if array.dtype != np.float32:
        raise CheckpointError(
            f"the tensor {name} holds {array.dtype}; the generator needs floating-point weights"
        )
    if not np.isfinite(array).all():
        raise CheckpointError(f"the tensor {name} holds NaN or infinite values: get another file")


def _check_names(expected: Shapes, found: Mapping[str, object]) -> None:
    missing = {name for name in expected.keys() - found if not is_counter(name)}
    for problem, names in (("lacks", missing), ("has unexpected", found.keys() - expected)):
        if names:
            first = ", ".join(map(shown, sorted(names)[:_NAMES_SHOWN]))
            more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
            raise CheckpointError(
                f"the checkpoint {problem} tensors: {first}{more}; does its config belong to it?"
                + (f" {parameter('ignore')} leaves one out" if problem == "has unexpected" else "")
            )
