"""The recipe as data: what a training run is told, and its schedule."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from lama_edge.errors import UsageError
from lama_edge.models.config import FfcResnetConfig
from lama_edge.models.training.losses.discriminator import DiscriminatorConfig
from lama_edge.models.training.losses.losses import RECONSTRUCTION_WEIGHTS, LossWeights

DiscriminatorInput = Literal["predicted", "inpainted"]


@dataclass(frozen=True)
class TrainSettings:
    """The recipe.

    Attributes:
        minutes: budget of wall-clock time.
        steps: budget in steps; the run ends with whichever budget is spent first.
        generator: the generator to train.
        discriminator: the discriminator of the adversarial phase.
        discriminator_input: what the discriminator sees of a fill: ``predicted``, the raw fill, as
            in LaMa's recipe, or ``inpainted``, the fill in the hole, the picture around it and the
            mask; then patches in the hole alone count, real and fake alike. A small generator
            blurs known pixels too: in its raw fills nothing sets a hole apart.
        adversarial_from: first step of the adversarial phase; LaMa's is 0, None leaves it out.
        reconstruction_weights: of the losses before the adversarial phase.
        adversarial_weights: of the losses in it.
        r1_every: steps between gradient penalties, each counting that many times. LaMa's is 1;
            the lazy form is from Karras et al., "Analyzing and Improving the Image Quality of
            StyleGAN", CVPR 2020 (arXiv 1912.04958), section 3.1.
        muon_rate: learning rate of the generator's convolutions.
        adamw_rate: learning rate of its norms and biases.
        discriminator_rate: learning rate of the discriminator's Adam.
        warmup_steps: over which a learning rate rises; each phase has its own.
        decay_share: last part of the budget, over which the learning rates fall to 0.
        ema_decay: of the averaged weights that are saved.
        bfloat16: compute convolutions in bfloat16 (on a CPU with AMX a step takes 0.7 times as
            long); Fourier transforms, losses, the gradient penalty and weights stay float32.
        device: ``cpu`` or ``cuda``.

    Raises:
        UsageError: when a value is out of range.
    """

    minutes: float = math.inf
    steps: float = math.inf
    generator: FfcResnetConfig = field(default_factory=lambda: FfcResnetConfig(ngf=16, n_blocks=5))
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    discriminator_input: DiscriminatorInput = "predicted"
    adversarial_from: int | None = None
    reconstruction_weights: LossWeights = RECONSTRUCTION_WEIGHTS
    adversarial_weights: LossWeights = field(default_factory=LossWeights)
    r1_every: int = 1
    muon_rate: float = 3e-3
    adamw_rate: float = 2e-3
    discriminator_rate: float = 1e-4
    warmup_steps: int = 200
    decay_share: float = 0.3
    ema_decay: float = 0.998
    bfloat16: bool = False
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name, low, high in (
            ("minutes", 0, math.inf),
            ("steps", 0, math.inf),
            ("muon_rate", 0, 1),
            ("adamw_rate", 0, 1),
            ("discriminator_rate", 0, 1),
            ("warmup_steps", 1, math.inf),
            ("r1_every", 1, math.inf),
            ("decay_share", 1e-6, 1),
            ("ema_decay", 0, 1),
            ("adversarial_from", 0, math.inf),
        ):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                option = name.replace("_", "-")
                raise UsageError(f"--{option} is {value}: give a number from {low} to {high}")

    @property
    def discriminator_channels(self) -> int:
        """Channels that the discriminator sees."""
        return 4 if self.discriminator_input == "inpainted" else 3

    def is_adversarial(self, step: int) -> bool:
        """Tell whether a step belongs to the adversarial phase."""
        return self.adversarial_from is not None and step >= self.adversarial_from

    def weights_at(self, step: int) -> LossWeights:
        """Return the weights of the losses at a step."""
        return (
            self.adversarial_weights if self.is_adversarial(step) else self.reconstruction_weights
        )

    def progress(self, step: int, elapsed_s: float) -> float:
        """Share of the budget that is spent, 0 to 1."""
        budgets = ((elapsed_s, 60 * self.minutes), (step, self.steps))
        return max(min(1.0, spent / budget) if budget else 1.0 for spent, budget in budgets)

    def rate_factor(self, step: int, elapsed_s: float, *, first_step: int = 0) -> float:
        """Factor of the learning rates: warm up linearly, stay at 1, fall linearly to 0.

        Args:
            step: steps done.
            elapsed_s: seconds spent.
            first_step: of the phase that the learning rate belongs to.
        """
        warmup = min(1.0, (step - first_step + 1) / self.warmup_steps)
        return warmup * min(1.0, (1 - self.progress(step, elapsed_s)) / self.decay_share)
