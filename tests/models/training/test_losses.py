"""The losses, against values worked out by hand."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from lama_edge.errors import UsageError
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
    with_weights,
)

L1_ALONE = LossWeights(coarse=0.0, gradient=0.0)


def softplus(value: float) -> float:
    return math.log1p(math.exp(value))


def test_the_defaults_are_the_published_weights_and_an_l1_in_the_hole():
    assert dataclasses.asdict(LossWeights()) == {
        "known": 10,
        "hole": 10,
        "coarse": 1,
        "gradient": 0.5,
        "detail": 0,
        "teacher": 10,
        "adversarial": 10,
        "r1": 0.001,
        "feature_matching": 100,
        "perceptual": 30,
    }


def test_every_pixels_error_counts_by_its_weight():
    target = torch.zeros(1, 3, 8, 8)
    predicted = target.clone()
    predicted[..., :4, :] = 0.5  # half of the pixels, weighted 4
    predicted[..., 4:, :] = -0.1  # the other half, weighted 1
    pixel_weights = torch.ones(1, 1, 8, 8)
    pixel_weights[..., :4, :] = 4
    value = reconstruction(predicted, target, pixel_weights, L1_ALONE)
    assert float(value) == pytest.approx((4 * 0.5 + 0.1) / 2)


def test_block_means_see_a_tint_and_no_chequers():
    pixel_weights = torch.ones(1, 1, 16, 16)
    target = torch.zeros(1, 3, 16, 16)
    coarse = LossWeights(coarse=2.0, gradient=0.0)
    chequers = torch.ones_like(target)
    chequers[..., ::2] = -1
    assert float(reconstruction(chequers, target, pixel_weights, coarse)) == pytest.approx(1.0)
    tint = torch.full_like(target, 0.25)
    assert float(reconstruction(tint, target, pixel_weights, coarse)) == pytest.approx(0.75)


def test_differences_between_neighbours_see_edges_and_no_tint():
    pixel_weights = torch.ones(1, 1, 8, 8)
    target = torch.zeros(1, 3, 8, 8)
    edges = LossWeights(coarse=0.0, gradient=3.0)
    tint = torch.full_like(target, 0.25)
    assert float(reconstruction(tint, target, pixel_weights, edges)) == pytest.approx(0.25)
    step = torch.zeros_like(target)
    step[..., 4:] = 0.7  # one of the seven differences in every row
    expected = 0.35 + 3 * 0.7 / 7
    assert float(reconstruction(step, target, pixel_weights, edges)) == pytest.approx(expected)


def test_masked_l1_is_the_mean_over_the_masked_pixels_alone():
    target = torch.zeros(1, 3, 4, 4)
    predicted = torch.full_like(target, 9.0)
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., 0, 0] = 1
    predicted[..., 0, 0] = 0.3
    assert float(masked_l1(predicted, target, mask)) == pytest.approx(0.3)
    assert float(masked_l1(predicted, target, torch.zeros_like(mask))) == 0


def test_the_generators_loss_counts_every_patch():
    logits = torch.tensor([[[[0.0, 2.0], [-1.0, 3.0]]]])
    expected = sum(softplus(-value) for value in (0.0, 2.0, -1.0, 3.0)) / 4
    assert float(generator_adversarial(logits)) == pytest.approx(expected, rel=1e-6)


def test_the_discriminators_loss_takes_patches_in_the_hole_alone_for_fake():
    real = torch.tensor([[[[1.0, -2.0], [0.5, 0.0]]]])
    fake = torch.tensor([[[[0.3, -0.7], [1.1, -1.5]]]])
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2, :2] = 1  # the first patch of 2 by 2
    reals = sum(softplus(-value) for value in (1.0, -2.0, 0.5, 0.0))
    fakes = softplus(0.3) + softplus(0.7) + softplus(-1.1) + softplus(1.5)
    value = discriminator_adversarial(real, fake, mask)
    assert float(value) == pytest.approx((reals + fakes) / 4, rel=1e-6)


def test_the_discriminator_is_pushed_down_in_the_hole_and_up_elsewhere():
    fake = torch.tensor([[[[0.3, -0.7], [1.1, -1.5]]]], requires_grad=True)
    mask = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]])
    discriminator_adversarial(torch.zeros(1, 1, 2, 2), fake, mask).backward()
    inside, outside = torch.sigmoid(fake.detach()), -torch.sigmoid(-fake.detach())
    assert torch.allclose(fake.grad, (mask * inside + (1 - mask) * outside) / 4)


def test_in_the_hole_alone_real_and_fake_patches_count_the_same():
    logits = torch.tensor([[[[1.0, -2.0], [0.5, 0.0]]]]), torch.tensor([[[[0.3, 9.0], [9.0, 2.0]]]])
    mask = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]])
    expected = (softplus(-1.0) + softplus(0.3) + softplus(0.0) + softplus(2.0)) / 2
    assert float(discriminator_in_hole(*logits, mask)) == pytest.approx(expected, rel=1e-6)
    expected = (softplus(-0.3) + softplus(-2.0)) / 2
    assert float(generator_adversarial(logits[1], mask)) == pytest.approx(expected, rel=1e-6)
    assert float(generator_adversarial(logits[1], torch.zeros_like(mask))) == 0


def test_the_gradient_penalty_of_a_quadratic_is_four_times_its_squared_norm():
    image = torch.rand(3, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    image.requires_grad_()
    scale = torch.tensor(1.0, requires_grad=True)
    logits = scale * image.square().sum(dim=(1, 2, 3), keepdim=True)
    penalty = r1_penalty(logits, image)
    expected = 4 * image.detach().square().sum(dim=(1, 2, 3)).mean()
    assert torch.allclose(penalty.detach(), expected)
    (gradient,) = torch.autograd.grad(penalty, scale)  # the penalty goes with the scale's square
    assert torch.allclose(gradient, 2 * expected)


def test_feature_matching_is_the_layers_mean_squared_difference_and_pulls_fakes_alone():
    fake = [torch.zeros(1, 2, 2, 2, requires_grad=True), torch.zeros(1, 4, requires_grad=True)]
    real = [torch.full((1, 2, 2, 2), 3.0, requires_grad=True), torch.ones(1, 4)]
    value = feature_matching(fake, real)
    assert float(value.detach()) == pytest.approx((9 + 1) / 2)
    value.backward()
    assert fake[0].grad is not None
    assert real[0].grad is None


def test_weights_change_by_name():
    changed = with_weights(LossWeights(), ["adversarial=2.5", "hole=0"])
    assert (changed.adversarial, changed.hole, changed.known) == (2.5, 0.0, 10.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("holes=1", "there is no loss 'holes'"),
        ("hole", "name=number"),
        ("hole=much", "name=number"),
        ("hole=-1", "hole is -1.0"),
        ("hole=nan", "hole is nan"),
    ],
)
def test_weights_that_make_no_sense_are_refused(change, message):
    with pytest.raises(UsageError, match=message):
        with_weights(LossWeights(), [change])


def test_detail_compares_how_much_there_is_and_not_where() -> None:
    step = torch.zeros(1, 3, 16, 16)
    step[..., 4:] = 0.5  # one edge of height 0.5 in every row of the left blocks
    moved = torch.zeros(1, 3, 16, 16)
    moved[..., 3:] = 0.5
    mask = torch.ones(1, 1, 16, 16)
    assert float(detail(moved, step, mask)) == pytest.approx(0, abs=1e-6)
    # The edge's gradient of 0.5 in one of eight columns of the two left blocks of four.
    flat = torch.zeros(1, 3, 16, 16)
    expected = (math.sqrt(0.25 + 1e-6) - 1e-3) / 8 / 2
    assert float(detail(flat, step, mask)) == pytest.approx(expected, rel=1e-5)


def test_coloured_noise_is_no_detail_of_a_grey_picture() -> None:
    """Its brightness has the right gradients; red and green have others."""
    grey = torch.zeros(1, 3, 16, 16)
    grey[..., ::2] = 0.3
    coloured = grey.clone()
    coloured[:, 0], coloured[:, 1] = grey[:, 0] * 2, grey[:, 1] * 0
    mask = torch.ones(1, 1, 16, 16)
    assert torch.allclose(coloured.mean(dim=1), grey.mean(dim=1))
    assert float(detail(coloured, grey, mask)) > 0.5


def test_detail_is_of_the_hole_alone_and_its_gradient_finite_where_it_is_flat() -> None:
    image = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    fill = torch.full_like(image, 0.5).requires_grad_()
    mask = torch.zeros(1, 1, 16, 16)
    assert float(detail(fill, image, mask).detach()) == 0
    mask[..., :8] = 1
    detail(fill, image, mask).backward()
    assert torch.isfinite(fill.grad).all()
    assert not fill.grad[..., 9:].any()
