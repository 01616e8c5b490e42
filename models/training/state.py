"""What a training run changes from step to step: networks, their averages and optimizers."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from lama_edge.errors import needs_extra
from lama_edge.models.training.losses.discriminator import PatchDiscriminator, new_discriminator
from lama_edge.models.training.muon import Muon
from lama_edge.models.training.settings import TrainSettings

with needs_extra("train"):
    import torch
    from torch import Tensor, nn

    from lama_edge.models.torch_modules.ffc_resnet import FfcResnetBlock, FfcResnetGenerator

_BRANCH_GAIN = 0.2


@dataclass
class Adversary:
    """The discriminator and its optimizer."""

    discriminator: PatchDiscriminator
    adam: torch.optim.Adam


@dataclass
class TrainState:
    """Everything a checkpoint holds.

    Attributes:
        generator: in training mode.
        average: its moving average, in evaluation mode: the result of the training.
        muon: optimizer of the generator's convolutions.
        adamw: optimizer of its norms and biases.
        adversary: None where the run has no adversarial phase.
        step: steps done.
        elapsed_s: seconds spent on them.
    """

    generator: FfcResnetGenerator
    average: FfcResnetGenerator
    muon: Muon
    adamw: torch.optim.AdamW
    adversary: Adversary | None = None
    step: int = 0
    elapsed_s: float = 0.0


def new_state(settings: TrainSettings, seed: int, initial: nn.Module | None = None) -> TrainState:
    """Build networks from a seed.

    Args:
        settings: the recipe.
        seed: of the weights.
        initial: a generator of the same configuration, whose weights are taken instead.
    """
    generator = _new_generator(settings, seed)
    if initial is not None:
        generator.load_state_dict(initial.state_dict())
    generator.to(settings.device)
    average = copy.deepcopy(generator).eval().requires_grad_(False)
    convolutions = [p for p in generator.parameters() if p.ndim == 4]
    others = [p for p in generator.parameters() if p.ndim != 4]
    state = TrainState(
        generator.train(),
        average,
        Muon(convolutions, lr=settings.muon_rate),
        torch.optim.AdamW(others, lr=settings.adamw_rate, weight_decay=0.0),
    )
    if settings.adversarial_from is not None:
        discriminator = new_discriminator(
            settings.discriminator, seed, settings.discriminator_channels
        )
        _channels_last(discriminator.to(settings.device))
        adam = torch.optim.Adam(discriminator.parameters(), lr=settings.discriminator_rate)
        state.adversary = Adversary(discriminator, adam)
    return state


def set_rates(state: TrainState, settings: TrainSettings) -> None:
    """Give the optimizers the learning rates of the coming step."""
    factor = settings.rate_factor(state.step, state.elapsed_s)
    rates: list[tuple[torch.optim.Optimizer, float]] = [
        (state.muon, settings.muon_rate * factor),
        (state.adamw, settings.adamw_rate * factor),
    ]
    if state.adversary is not None:
        first = settings.adversarial_from or 0
        factor = settings.rate_factor(state.step, state.elapsed_s, first_step=first)
        rates.append((state.adversary.adam, settings.discriminator_rate * factor))
    for optimizer, rate in rates:
        for group in optimizer.param_groups:
            group["lr"] = rate


@torch.no_grad()
def update_average(state: TrainState, ema_decay: float) -> None:
    """Move the average; batch-norm statistics move with the weights they belong to."""
    decay = min(ema_decay, (1 + state.step) / (10 + state.step))
    current = state.generator.state_dict()
    for name, value in state.average.state_dict().items():
        if value.is_floating_point():
            value.lerp_(current[name], 1 - decay)
        else:
            value.copy_(current[name])


def running_statistics(network: nn.Module) -> list[Tensor]:
    """Return the batch norms' running means and variances, which no gradient moves."""
    return [buffer for buffer in network.buffers() if buffer.is_floating_point()]


def _new_generator(settings: TrainSettings, seed: int) -> FfcResnetGenerator:
    torch.manual_seed(seed)
    generator = FfcResnetGenerator(settings.generator)
    _channels_last(generator)
    # Faint residual branches leave nearly an autoencoder, which learns colours sooner. Zero would
    # kill them: the ReLU behind this norm passes no gradient there.
    for block in generator.modules():
        if isinstance(block, FfcResnetBlock):
            for norm in (block.conv2.bn_l, block.conv2.bn_g):
                if norm is not None:
                    nn.init.constant_(norm.weight, _BRANCH_GAIN)
    return generator


def _channels_last(network: nn.Module) -> None:
    # On x86 channels-last convolutions train this network 1.5 times as fast.
    options: dict[str, Any] = {"memory_format": torch.channels_last}
    network.to(**options)
