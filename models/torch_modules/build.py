"""From a checkpoint to a generator as a torch module in evaluation mode."""

from __future__ import annotations

from lama_edge.errors import needs_extra
from lama_edge.models.checkpoint import Checkpoint
from lama_edge.models.config import FfcResnetConfig, GeneratorConfig
from lama_edge.models.generators.build import check_tensors, is_counter

with needs_extra("torch"):
    import torch
    from torch import nn

    from lama_edge.models.torch_modules.ffc_resnet import FfcResnetGenerator
    from lama_edge.models.torch_modules.pix2pixhd import Pix2PixHdGenerator


def new_generator(config: GeneratorConfig) -> nn.Module:
    """Build an untrained generator of any family, with torch's default initialisation."""
    if isinstance(config, FfcResnetConfig):
        return FfcResnetGenerator(config)
    return Pix2PixHdGenerator(config)


def build_generator(checkpoint: Checkpoint) -> nn.Module:
    """Build the generator that a checkpoint describes and give it its weights.

    Args:
        checkpoint: configuration and tensors; the tensors' memory is shared, not copied.

    Returns:
        The torch module in evaluation mode, float32, without gradients.

    Raises:
        CheckpointError: see `check_tensors`.
    """
    check_tensors(checkpoint)
    with torch.device("meta"):
        generator = new_generator(checkpoint.config)
    state = {name: torch.from_numpy(array) for name, array in checkpoint.tensors.items()}
    state |= {
        name: torch.zeros((), dtype=torch.int64)
        for name in generator.state_dict()
        if is_counter(name)
    }
    generator.load_state_dict(state, assign=True)
    return generator.eval().requires_grad_(requires_grad=False)
