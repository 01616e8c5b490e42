"""Training checkpoints: everything a run needs to go on as if nothing had happened.

They are safetensors files, which hold tensors and text and never code. The averaged generator
stands under the official prefix ``generator.``, so that a checkpoint can be exported as it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lama_edge import plain
from lama_edge.errors import CheckpointError, needs_extra, parameter, reason
from lama_edge.files import atomic_output
from lama_edge.models.architecture import infer_architecture
from lama_edge.models.checkpoint import TRAINING_FORMAT, Checkpoint, load_checkpoint
from lama_edge.models.config import config_from_dict
from lama_edge.models.torch_file import TorchFile
from lama_edge.models.training.settings import TrainSettings
from lama_edge.models.training.state import TrainState, new_state

with needs_extra("train"):
    import torch
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import save_file
    from torch import Tensor, nn

    from lama_edge.models.torch_modules.build import build_generator
    from lama_edge.models.torch_modules.ffc_resnet import FfcResnetGenerator

_AVERAGE = "average."
_MOST_PROGRESS = 1 << 40  # of steps and of seconds


def save_checkpoint(path: Path, state: TrainState) -> None:
    """Write networks, optimizers and counters.

    Args:
        path: the `.safetensors` file to write.
        state: what to store.
    """
    tensors: dict[str, Tensor] = {}
    for prefix, network in _networks(state).items():
        tensors |= {f"{prefix}.{name}": value for name, value in network.state_dict().items()}
    for prefix, optimizer in _optimizers(state).items():
        for index, values in optimizer.state_dict()["state"].items():
            tensors |= {f"{prefix}.{index}.{name}": value for name, value in values.items()}
    metadata = {
        "format": TRAINING_FORMAT,
        "config": json.dumps(state.generator.config.to_dict()),
        "progress": json.dumps({"step": state.step, "elapsed_s": state.elapsed_s}),
    }
    stored = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    with atomic_output(path) as temporary:
        save_file(stored, str(temporary), metadata=metadata)


def resume(path: Path, settings: TrainSettings) -> TrainState:
    """Read a checkpoint written by `save_checkpoint`.

    A run that had no adversarial phase can go on with one: its discriminator starts afresh.

    Raises:
        CheckpointError: when there is none, or it is of another generator or discriminator.
    """
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {str(path)!r} to resume from")
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if metadata.get("format") != TRAINING_FORMAT:
            raise CheckpointError(
                f"{str(path)!r} is no training checkpoint: start with {parameter('initial')}"
            )
        config = config_from_dict(plain.loads(metadata["config"]))
        progress = plain.loads(metadata["progress"])
        if config != settings.generator:
            raise CheckpointError(f"{str(path)!r} is of another generator: {config.to_dict()}")
        state = new_state(settings, seed=0)
        _restore(state, tensors)
        state.step, state.elapsed_s = _progress(progress)
    except (SafetensorError, OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"the checkpoint {str(path)!r} is damaged, or of another discriminator "
            f"({reason(error)}): name the options it was made with"
        ) from error
    return state


def _progress(data: Mapping[str, Any]) -> tuple[int, float]:
    step = plain.integer("step", data["step"], 0, _MOST_PROGRESS)
    return step, plain.number("elapsed_s", data["elapsed_s"], 0, _MOST_PROGRESS)


def load_generator(reference: str | Path) -> FfcResnetGenerator:
    """Load a generator to start from: any checkpoint, or one of a training.

    Of a torch file that keeps averaged weights under ``average``, those are taken.

    Raises:
        CheckpointError: when it cannot be read, or holds no `ffc_resnet`.
    """
    generator = build_generator(_averaged(Path(reference)) or load_checkpoint(reference))
    if not isinstance(generator, FfcResnetGenerator):
        raise CheckpointError(f"{str(reference)!r} holds no ffc_resnet, the kind that is trained")
    return generator


def _averaged(path: Path) -> Checkpoint | None:
    """Read the entry ``average`` of a torch file; None where there is none."""
    if path.suffix.lower() not in (".ckpt", ".pt", ".pth") or not path.is_file():
        return None
    with TorchFile(path) as file:
        references = {
            name.removeprefix(_AVERAGE): reference
            for name, reference in file.state_dict().items()
            if name.startswith(_AVERAGE)
        }
        if not references:
            return None
        try:
            config, _ = infer_architecture({n: r.shape for n, r in references.items()})
        except CheckpointError as error:
            raise CheckpointError(f"the entry 'average' of {str(path)!r} {error}") from error
        return Checkpoint(config, dict(file.read(references)), "", path)


def _networks(state: TrainState) -> dict[str, nn.Module]:
    networks: dict[str, nn.Module] = {"generator": state.average, "trained": state.generator}
    if state.adversary is not None:
        networks["discriminator"] = state.adversary.discriminator
    return networks


def _optimizers(state: TrainState) -> dict[str, torch.optim.Optimizer]:
    optimizers: dict[str, torch.optim.Optimizer] = {"muon": state.muon, "adamw": state.adamw}
    if state.adversary is not None:
        optimizers["adam"] = state.adversary.adam
    return optimizers


def _restore(state: TrainState, tensors: Mapping[str, Tensor]) -> None:
    if not any(name.startswith("discriminator.") for name in tensors):
        adversary, state.adversary = state.adversary, None
    else:
        adversary = state.adversary
    for prefix, network in _networks(state).items():
        network.load_state_dict(_below(tensors, prefix))
    for prefix, optimizer in _optimizers(state).items():
        values: dict[int, dict[str, Any]] = {}
        for name, tensor in _below(tensors, prefix).items():
            index, _, key = name.partition(".")
            values.setdefault(int(index), {})[key] = tensor
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": values, "param_groups": groups})
    state.adversary = adversary


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    start = f"{prefix}."
    return {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}
