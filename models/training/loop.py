"""The training loop: one step of each network per batch, and the steps of a run.

`lama_edge.models.training.train` is its command line.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lama_edge.errors import needs_extra
from lama_edge.models.training.data.pool import BatchStream, DataSettings, PictureSource
from lama_edge.models.training.losses.losses import (
    LossWeights,
    detail,
    discriminator_adversarial,
    discriminator_in_hole,
    feature_matching,
    generator_adversarial,
    masked_l1,
    r1_penalty,
    reconstruction,
)
from lama_edge.models.training.losses.perceptual import SegmentationFeatures, perceptual_loss
from lama_edge.models.training.parallel import ALONE, Group, TrainingError
from lama_edge.models.training.settings import TrainSettings
from lama_edge.models.training.state import (
    Adversary,
    TrainState,
    running_statistics,
    set_rates,
    update_average,
)

with needs_extra("train"):
    import torch
    from torch import Tensor, nn
    from torch.utils.data import DataLoader

_MAX_GRADIENT_NORM = 1.0

LOSSES = (
    "hole_l1",
    "known_l1",
    "reconstruction",
    "detail",
    "teacher_l1",
    "perceptual",
    "adversarial",
    "feature_matching",
    "discriminator",
    "real_logit",
    "fake_logit",
    "r1",
)
Values = Mapping[str, float]


@dataclass(frozen=True)
class Guides:
    """Frozen networks that a generator may learn from.

    Attributes:
        teacher: a bigger generator; its fills stand beside the truth, or in its place.
        perceptual: the segmentation network of the perceptual loss.
    """

    teacher: nn.Module | None = None
    perceptual: SegmentationFeatures | None = None


@dataclass(frozen=True)
class Batch:
    """What a step sees.

    Attributes:
        image: float32 [N,3,H,W] RGB in [0,1], the truth.
        mask: float32 [N,1,H,W], 1 = hole.
        masked: float32 [N,4,H,W], the generator's input.
    """

    image: Tensor
    mask: Tensor
    masked: Tensor


@dataclass(frozen=True)
class Judgement:
    """What the discriminator says of a batch; the features are of every layer."""

    real_logits: Tensor
    fake_logits: Tensor
    real_features: list[Tensor]
    fake_features: list[Tensor]


def make_batch(image: Tensor, mask: Tensor, device: str) -> Batch:
    """Move a picture and its mask to the device, with the generator's input."""
    image, mask = image.to(device), mask.to(device)
    masked = torch.cat([image * (1 - mask), mask], dim=1)
    return Batch(
        image.contiguous(memory_format=torch.channels_last),
        mask,
        masked.contiguous(memory_format=torch.channels_last),
    )


def train_step(
    state: TrainState,
    batch: Batch,
    settings: TrainSettings,
    guides: Guides = Guides(),
    group: Group = ALONE,
) -> Values:
    """Take one step in place: gradients, weights, average.

    In the adversarial phase both networks' gradients come from one pass of each. LaMa's code
    runs the generator again, after its update, for the discriminator's step; here that step sees
    the fill from just before.

    Returns:
        Every loss's value, unweighted.
    """
    set_rates(state, settings)
    weights = settings.weights_at(state.step)
    adversary = state.adversary if settings.is_adversarial(state.step) else None
    with _autocast(settings):
        predicted = state.generator(batch.masked)
    predicted = predicted.float()
    # The losses see a leaf, so that the discriminator's backward pass ends there.
    fill = predicted.detach().requires_grad_()
    values: dict[str, Tensor] = {}
    total = _supervised(fill, batch, weights, settings, guides, values)
    networks: list[nn.Module] = [state.generator]
    if adversary is not None:
        with_r1 = weights.r1 > 0 and state.step % settings.r1_every == 0
        image = batch.image.detach().requires_grad_(with_r1)
        judgement = _judge(adversary, image, fill, batch.mask, settings, with_r1=with_r1)
        total = total + _adversarial(judgement, batch.mask, values, weights, settings)
        (gradient,) = torch.autograd.grad(total, fill, retain_graph=True)
        own = _discriminator_loss(judgement, image, batch.mask, values, weights, settings)
        judging = list(adversary.discriminator.parameters())
        for parameter, found in zip(judging, torch.autograd.grad(own, judging), strict=True):
            parameter.grad = found
        networks.append(adversary.discriminator)
    else:
        (gradient,) = torch.autograd.grad(total, fill)
    state.generator.zero_grad(set_to_none=True)
    predicted.backward(gradient)
    _share(networks, group)
    torch.nn.utils.clip_grad_norm_(state.generator.parameters(), _MAX_GRADIENT_NORM)
    state.muon.step()
    state.adamw.step()
    if adversary is not None:
        adversary.adam.step()
    state.step += 1
    update_average(state, settings.ema_decay)
    return {name: float(value.detach()) for name, value in values.items()}


def train(
    state: TrainState,
    settings: TrainSettings,
    data: DataSettings,
    *,
    report: Callable[[TrainState, Values], None],
    source: PictureSource,
    guides: Guides = Guides(),
    group: Group = ALONE,
) -> None:
    """Train in place until the budget is spent.

    Args:
        state: fresh, or loaded from a checkpoint.
        settings: the recipe and its budget.
        data: what the batches are made of.
        report: called after every step.
        source: of the training pictures.
        guides: frozen networks to learn from.
        group: the processes that train together; their batches differ, their weights do not.

    Raises:
        TrainingError: when a loss is no number any more.
    """
    if settings.progress(state.step, state.elapsed_s) >= 1:
        return
    stream = BatchStream(data, source, first_step=state.step, rank=group.rank)
    loader = DataLoader(stream, batch_size=None, num_workers=data.workers)
    before_s, start_s = state.elapsed_s, time.monotonic()
    for image, mask in loader:
        batch = make_batch(image, mask, settings.device)
        values = train_step(state, batch, settings, guides, group)
        _require_finite(values, state.step)
        state.elapsed_s = before_s + time.monotonic() - start_s
        state.elapsed_s = group.mean(state.elapsed_s)
        report(state, values)
        if settings.progress(state.step, state.elapsed_s) >= 1:
            return


def _require_finite(values: Values, step: int) -> None:
    for name, value in values.items():
        if not math.isfinite(value):
            raise TrainingError(
                f"the loss {name} is {value} at step {step}: resume from the last checkpoint with "
                "lower learning rates or another balance of the losses"
            )


def _supervised(
    fill: Tensor,
    batch: Batch,
    weights: LossWeights,
    settings: TrainSettings,
    guides: Guides,
    values: dict[str, Tensor],
) -> Tensor:
    """Weigh up the fill against the truth and, where there is one, the teacher's fill."""
    image, mask = batch.image, batch.mask
    values["hole_l1"] = masked_l1(fill.detach(), image, mask)
    values["known_l1"] = masked_l1(fill.detach(), image, 1 - mask)
    pixel_weights = weights.hole * mask + weights.known * (1 - mask)
    total = values["reconstruction"] = reconstruction(fill, image, pixel_weights, weights)
    if weights.detail > 0:
        values["detail"] = detail(fill, image, mask)
        total = total + weights.detail * values["detail"]
    if guides.teacher is not None and weights.teacher > 0:
        with torch.no_grad(), _autocast(settings):
            target = guides.teacher(batch.masked).float()
        values["teacher_l1"] = masked_l1(fill.detach(), target, mask)
        total = total + reconstruction(fill, target, weights.teacher * mask, weights)
    if guides.perceptual is not None and weights.perceptual > 0:
        with _autocast(settings):
            values["perceptual"] = perceptual_loss(guides.perceptual, fill, image)
        total = total + weights.perceptual * values["perceptual"]
    return total


def _judge(
    adversary: Adversary,
    image: Tensor,
    fill: Tensor,
    mask: Tensor,
    settings: TrainSettings,
    *,
    with_r1: bool,
) -> Judgement:
    """Run the discriminator on pictures and fills in one batch; with the penalty, in float32.

    In two batches each batch norm would take out the very difference of means and variances that
    tells fills from pictures.
    """
    shown = torch.cat([image, fill])
    if settings.discriminator_input == "inpainted":
        composite = torch.where(mask > 0, fill, image.detach())
        shown = torch.cat([torch.cat([image, composite]), torch.cat([mask, mask])], dim=1)
    with _autocast(settings, enabled=not with_r1):
        logits, features = adversary.discriminator(shown)
    count = len(image)
    return Judgement(
        logits[:count].float(),
        logits[count:].float(),
        [feature[:count] for feature in features],
        [feature[count:] for feature in features],
    )


def _adversarial(
    judgement: Judgement,
    mask: Tensor,
    values: dict[str, Tensor],
    weights: LossWeights,
    settings: TrainSettings,
) -> Tensor:
    in_hole = settings.discriminator_input == "inpainted"
    adversarial = values["adversarial"] = generator_adversarial(
        judgement.fake_logits, mask if in_hole else None
    )
    matching = values["feature_matching"] = feature_matching(
        judgement.fake_features, judgement.real_features
    )
    return weights.adversarial * adversarial + weights.feature_matching * matching


def _discriminator_loss(
    judgement: Judgement,
    image: Tensor,
    mask: Tensor,
    values: dict[str, Tensor],
    weights: LossWeights,
    settings: TrainSettings,
) -> Tensor:
    in_hole = settings.discriminator_input == "inpainted"
    loss = discriminator_in_hole if in_hole else discriminator_adversarial
    own = values["discriminator"] = loss(judgement.real_logits, judgement.fake_logits, mask)
    values["real_logit"] = judgement.real_logits.mean()
    values["fake_logit"] = judgement.fake_logits.mean()
    if image.requires_grad:
        penalty = values["r1"] = r1_penalty(judgement.real_logits, image)
        own = own + weights.r1 * settings.r1_every * penalty
    return own


@torch.no_grad()
def _share(networks: list[nn.Module], group: Group) -> None:
    """Give every process the mean gradients and running statistics of all."""
    shared: list[Tensor] = []
    for network in networks:
        shared += [p.grad for p in network.parameters() if p.grad is not None]
        shared += running_statistics(network)
    group.average(shared)


def _autocast(settings: TrainSettings, *, enabled: bool = True) -> torch.autocast:
    return torch.autocast(settings.device, torch.bfloat16, enabled=settings.bfloat16 and enabled)
