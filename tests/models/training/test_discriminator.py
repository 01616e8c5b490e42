"""The patch discriminator: its layers, its patches, and a penalty that can be differentiated."""

from __future__ import annotations

import pytest
import torch

from lama_edge.errors import UsageError
from lama_edge.models.training.losses.discriminator import (
    DiscriminatorConfig,
    PatchDiscriminator,
    new_discriminator,
)
from lama_edge.models.training.losses.losses import r1_penalty


def test_the_default_is_the_published_one():
    with torch.device("meta"):
        discriminator = PatchDiscriminator(DiscriminatorConfig())
        logits, features = discriminator(torch.empty(2, 3, 256, 256))
    # Kernel 4 and padding 2: a layer of stride 2 maps n to n/2 + 1 rounded down, one of stride 1
    # to n + 1.
    assert [tuple(feature.shape) for feature in features] == [
        (2, 64, 129, 129),
        (2, 128, 65, 65),
        (2, 256, 33, 33),
        (2, 512, 17, 17),
        (2, 512, 18, 18),
    ]
    assert logits.shape == (2, 1, 19, 19)
    convolutions = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512 * 512 + 512)
    biases = 64 + 128 + 256 + 512 + 512 + 1
    norms = 2 * (128 + 256 + 512 + 512)
    count = sum(parameter.numel() for parameter in discriminator.parameters())
    assert count == convolutions + biases + norms


@pytest.mark.parametrize("side", [16, 33, 64])
def test_a_small_one_takes_any_size(side):
    discriminator = new_discriminator(DiscriminatorConfig(4, 2), seed=1)
    logits, features = discriminator(torch.rand(2, 3, side, side))
    with_mask = new_discriminator(DiscriminatorConfig(4, 2), seed=1, channels=4)
    assert with_mask(torch.rand(2, 4, side, side))[0].shape == logits.shape
    assert len(features) == 3
    assert logits.shape[:2] == (2, 1)
    assert torch.equal(
        new_discriminator(DiscriminatorConfig(4, 2), seed=1).judge.weight,
        discriminator.judge.weight,
    )


def test_the_gradient_penalty_reaches_its_weights():
    discriminator = new_discriminator(DiscriminatorConfig(4, 2), seed=1)
    image = torch.rand(2, 3, 16, 16, requires_grad=True)
    logits, _ = discriminator(image)
    penalty = r1_penalty(logits, image)
    (gradient,) = torch.autograd.grad(penalty, discriminator.judge.weight)
    assert float(penalty.detach()) > 0
    assert float(gradient.abs().max()) > 0


@pytest.mark.parametrize("sizes", [(0, 4), (64, 0), (64, 7), (1024, 2)])
def test_sizes_out_of_range_are_refused(sizes):
    with pytest.raises(UsageError, match="discriminator's"):
        DiscriminatorConfig(*sizes)
