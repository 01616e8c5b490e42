"""The training loop itself: recipe, losses, steps, averaging, checkpoints.

`lama_edge.models.training.train` is its command line.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lama_edge.errors import CheckpointError, needs_extra
from lama_edge.files import atomic_output
from lama_edge.models.config import FfcResnetConfig, config_from_dict
from lama_edge.models.generators.ffc_resnet import FfcResnetBlock, FfcResnetGenerator
from lama_edge.models.training.data import BatchStream, DataSettings

with needs_extra("export"):
    import torch
    from torch import Tensor
    from torch.nn.functional import avg_pool2d
    from torch.utils.data import DataLoader

_BRANCH_GAIN = 0.2
_COARSE_PIXELS = 8


@dataclass(frozen=True)
class TrainSettings:
    """The recipe.

    Attributes:
        minutes: budget of wall-clock time, which the learning rate's schedule follows.
        max_steps: budget in steps; the run ends with whichever budget is spent first.
        config: the generator to train.
        learning_rate: of AdamW after the warm-up; a cosine takes it to 0 at the budget's end.
        weight_decay: of AdamW.
        hole_weight: of an error in the hole.
        known_weight: of an error elsewhere; the network has no skip connections, so it cannot
            carry a colour into the hole before it has learned to reproduce colours at all.
        coarse_weight: of the L1 on means over blocks of 8 by 8 pixels, for colours.
        gradient_weight: of the L1 on differences between neighbours, for edges.
        ema_decay: of the averaged weights that are saved.
        warmup_steps: over which the learning rate rises.
        bfloat16: compute the network's convolutions in bfloat16; on a CPU with AMX a step takes
            0.7 times as long. Weights, losses and averages stay float32.
        loader_workers: processes that draw scenes; 0 draws them in this one.
    """

    minutes: float = math.inf
    max_steps: float = math.inf
    config: FfcResnetConfig = field(default_factory=lambda: FfcResnetConfig(ngf=16, n_blocks=5))
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    hole_weight: float = 5.0
    known_weight: float = 1.0
    coarse_weight: float = 1.0
    gradient_weight: float = 0.5
    ema_decay: float = 0.999
    warmup_steps: int = 200
    bfloat16: bool = False
    loader_workers: int = 1


@dataclass
class TrainState:
    """What changes from step to step, and what a checkpoint holds."""

    generator: FfcResnetGenerator
    average: FfcResnetGenerator
    optimizer: torch.optim.AdamW
    step: int = 0
    elapsed_s: float = 0.0


@dataclass(frozen=True)
class Losses:
    """One step's losses; `total` carries the graph."""

    total: Tensor
    hole_l1: Tensor


def new_state(settings: TrainSettings, seed: int) -> TrainState:
    """Build an untrained generator, its average and its optimizer from a seed."""
    torch.manual_seed(seed)
    # On x86 channels-last convolutions train this network 1.5 times as fast.
    generator = FfcResnetGenerator(settings.config)
    generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    # Faint residual branches leave nearly an autoencoder, which learns colours sooner. Zero would
    # kill them: the ReLU behind this norm passes no gradient there.
    for block in generator.modules():
        if isinstance(block, FfcResnetBlock):
            for norm in (block.conv2.bn_l, block.conv2.bn_g):
                if norm is not None:
                    torch.nn.init.constant_(norm.weight, _BRANCH_GAIN)
    average = copy.deepcopy(generator).eval().requires_grad_(False)
    optimizer = torch.optim.AdamW(
        generator.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    return TrainState(generator.train(), average, optimizer)


def losses(predicted: Tensor, image: Tensor, mask: Tensor, settings: TrainSettings) -> Losses:
    """Weigh up a prediction.

    Args:
        predicted: float32 [N,3,H,W] in [0,1], the raw fill.
        image: float32 [N,3,H,W] in [0,1], the truth.
        mask: float32 [N,1,H,W], 1 = hole.
        settings: the weights of the terms.
    """
    error = predicted - image
    weighted = error * (settings.hole_weight * mask + settings.known_weight * (1 - mask))
    gradient_l1 = weighted.diff(dim=2).abs().mean() + weighted.diff(dim=3).abs().mean()
    total = (
        weighted.abs().mean()
        + settings.coarse_weight * avg_pool2d(weighted, _COARSE_PIXELS).abs().mean()
        + settings.gradient_weight * gradient_l1
    )
    hole_l1 = (error.detach().abs() * mask).sum() / (3 * mask.sum())
    return Losses(total, hole_l1)


def progress(state: TrainState, settings: TrainSettings) -> float:
    """Share of the budget that is spent, 0 to 1."""
    spent = max(state.elapsed_s / (60 * settings.minutes), state.step / settings.max_steps)
    return min(1.0, spent)


def learning_rate(state: TrainState, settings: TrainSettings) -> float:
    """Warm up linearly, then follow a cosine to 0 at the budget's end."""
    warmup = min(1.0, (state.step + 1) / settings.warmup_steps)
    cosine = 0.5 * (1 + math.cos(math.pi * progress(state, settings)))
    return settings.learning_rate * warmup * cosine


def train_step(state: TrainState, image: Tensor, mask: Tensor, settings: TrainSettings) -> Losses:
    """Take one step in place: gradient, weights, average."""
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate(state, settings)
    x = torch.cat([image * (1 - mask), mask], dim=1).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16, enabled=settings.bfloat16):
        predicted = state.generator(x)
    result = losses(predicted.float(), image, mask, settings)
    state.optimizer.zero_grad(set_to_none=True)
    result.total.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(state.generator.parameters(), 1.0)
    state.optimizer.step()
    state.step += 1
    _update_average(state, settings)
    return result


@torch.no_grad()
def _update_average(state: TrainState, settings: TrainSettings) -> None:
    """Move the average; batch-norm statistics move with the weights they belong to."""
    decay = min(settings.ema_decay, (1 + state.step) / (10 + state.step))
    current = state.generator.state_dict()
    for name, value in state.average.state_dict().items():
        if value.is_floating_point():
            value.lerp_(current[name], 1 - decay)
        else:
            value.copy_(current[name])


def save_checkpoint(path: Path, state: TrainState) -> None:
    """Write everything that `load_checkpoint` needs to go on as if nothing had happened."""
    document = {
        "config": state.generator.config.to_dict(),
        "generator": state.generator.state_dict(),
        "average": state.average.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "step": state.step,
        "elapsed_s": state.elapsed_s,
    }
    with atomic_output(path) as temporary:
        torch.save(document, temporary)


def load_checkpoint(path: Path, settings: TrainSettings) -> TrainState:
    """Read a checkpoint written by `save_checkpoint`.

    Raises:
        CheckpointError: when there is none, or it is of another generator.
    """
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {str(path)!r} to resume from")
    document = torch.load(path, weights_only=True)
    if config_from_dict(document["config"]) != settings.config:
        raise CheckpointError(f"{str(path)!r} is of another generator: {document['config']}")
    state = new_state(settings, seed=0)
    state.generator.load_state_dict(document["generator"])
    state.average.load_state_dict(document["average"])
    state.optimizer.load_state_dict(document["optimizer"])
    state.step, state.elapsed_s = document["step"], document["elapsed_s"]
    return state


def train(
    state: TrainState,
    settings: TrainSettings,
    data: DataSettings,
    *,
    report: Callable[[TrainState, Losses], None],
) -> None:
    """Train in place until the budget is spent.

    Args:
        state: fresh, or loaded from a checkpoint.
        settings: the recipe and its budget.
        data: what the batches are made of.
        report: called after every step.
    """
    loader = DataLoader(
        BatchStream(data, state.step), batch_size=None, num_workers=settings.loader_workers
    )
    before_s, start_s = state.elapsed_s, time.monotonic()
    for image, mask in loader:
        if progress(state, settings) >= 1:
            return
        result = train_step(state, image, mask, settings)
        state.elapsed_s = before_s + time.monotonic() - start_s
        report(state, result)
