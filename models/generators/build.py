"""From a checkpoint to a generator in evaluation mode, with every tensor accounted for."""

from __future__ import annotations

from lama_edge.errors import CheckpointError, needs_extra, shown
from lama_edge.models.checkpoint import Checkpoint
from lama_edge.models.config import FfcResnetConfig, GeneratorConfig

with needs_extra("export"):
    import torch
    from torch import nn

    from lama_edge.models.generators.ffc_resnet import FfcResnetGenerator
    from lama_edge.models.generators.pix2pixhd import Pix2PixHdGenerator

_NAMES_SHOWN = 3


def new_generator(config: GeneratorConfig) -> nn.Module:
    """Build an untrained generator of any family, with torch's default initialisation."""
    if isinstance(config, FfcResnetConfig):
        return FfcResnetGenerator(config)
    return Pix2PixHdGenerator(config)


def generator_names(config: GeneratorConfig) -> set[str]:
    """Return the names of the tensors that a generator has, its step counters among them."""
    with torch.device("meta"):
        return set(new_generator(config).state_dict())


def build_generator(checkpoint: Checkpoint) -> nn.Module:
    """Build the generator that a checkpoint describes and give it its weights.

    Args:
        checkpoint: configuration and tensors; the tensors' memory is shared, not copied.

    Returns:
        The torch module in evaluation mode, float32, without gradients.

    Raises:
        CheckpointError: when a tensor is missing, unexpected, misshapen, of integers, or not
            finite.
    """
    with torch.device("meta"):
        generator = new_generator(checkpoint.config)
    expected = generator.state_dict()
    state = {name: torch.from_numpy(array) for name, array in checkpoint.tensors.items()}
    state |= {name: torch.zeros((), dtype=torch.int64) for name in expected if _is_counter(name)}
    _check_names(set(expected), set(state))
    for name, tensor in state.items():
        _check_tensor(name, tensor, expected[name])
    generator.load_state_dict(state, assign=True)
    return generator.eval().requires_grad_(requires_grad=False)


def _is_counter(name: str) -> bool:
    """Tell batch norm's step counters, which evaluation does not use and some files drop."""
    return name.endswith("num_batches_tracked")


def _check_tensor(name: str, tensor: torch.Tensor, expected: torch.Tensor) -> None:
    if tensor.shape != expected.shape:
        raise CheckpointError(
            f"the tensor {name} has shape {list(tensor.shape)}; the config asks for "
            f"{list(expected.shape)}"
        )
    if tensor.dtype != expected.dtype:
        raise CheckpointError(
            f"the tensor {name} holds {tensor.dtype}; the generator needs floating-point weights"
        )
    if not torch.isfinite(tensor).all():
        raise CheckpointError(f"the tensor {name} holds NaN or infinite values: get another file")


def _check_names(expected: set[str], found: set[str]) -> None:
    for problem, names in (("lacks", expected - found), ("has unexpected", found - expected)):
        if names:
            first = ", ".join(map(shown, sorted(names)[:_NAMES_SHOWN]))
            more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
            raise CheckpointError(
                f"the checkpoint {problem} tensors: {first}{more}; does its config belong to it?"
                + (" --ignore NAME leaves one out" if problem == "has unexpected" else "")
            )
