"""From a checkpoint to a generator in evaluation mode, with every tensor accounted for."""

from __future__ import annotations

from lama_edge.errors import CheckpointError, needs_extra
from lama_edge.models.checkpoint import Checkpoint

with needs_extra("export"):
    import torch
    from torch import nn

    from lama_edge.models.generators.ffc_resnet import FfcResnetGenerator

_COUNTER = "num_batches_tracked"  # not used in evaluation; some checkpoints drop it
_NAMES_SHOWN = 3


def build_generator(checkpoint: Checkpoint) -> nn.Module:
    """Build the generator that a checkpoint describes and give it its weights.

    Args:
        checkpoint: configuration and tensors; the tensors' memory is shared, not copied.

    Returns:
        The torch module in evaluation mode, float32, without gradients.

    Raises:
        CheckpointError: when a tensor is missing, unexpected, misshapen or not finite.
    """
    with torch.device("meta"):
        generator = FfcResnetGenerator(checkpoint.config)
    expected = generator.state_dict()
    state = {name: torch.from_numpy(array) for name, array in checkpoint.tensors.items()}
    for name in expected:
        if name.endswith(_COUNTER):
            state.setdefault(name, torch.zeros((), dtype=torch.int64))
    _check_names(set(expected), set(state))
    for name, tensor in state.items():
        if tensor.shape != expected[name].shape:
            raise CheckpointError(
                f"the tensor {name} has shape {list(tensor.shape)}; the config asks for "
                f"{list(expected[name].shape)}"
            )
        if not torch.isfinite(tensor).all():
            raise CheckpointError(f"the tensor {name} holds NaN or infinite values")
    generator.load_state_dict(state, assign=True)
    return generator.eval().requires_grad_(requires_grad=False)


def _check_names(expected: set[str], found: set[str]) -> None:
    for problem, names in (("lacks", expected - found), ("has unexpected", found - expected)):
        if names:
            shown = ", ".join(sorted(names)[:_NAMES_SHOWN])
            more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
            raise CheckpointError(
                f"the checkpoint {problem} tensors: {shown}{more}; does its config belong to it?"
            )
