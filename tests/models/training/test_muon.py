"""Muon: orthogonal updates of a known size, whatever the gradient's scale."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lama_edge.models.training.muon import Muon, orthogonalised

# Five rounds of the quintic left singular values between 0.68 and 1.13 on these matrices.
SINGULAR_VALUES = (0.6, 1.25)


@pytest.mark.parametrize("shape", [(8, 8), (4, 36), (48, 6)])
def test_singular_values_come_near_one_and_directions_stay(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    u, _, vh = torch.linalg.svd(matrix, full_matrices=False)
    result = orthogonalised(matrix)
    assert result.shape == matrix.shape
    assert result.dtype == torch.float32
    kept = u.T @ result @ vh.T
    low, high = SINGULAR_VALUES
    assert torch.all((kept.diagonal() > low) & (kept.diagonal() < high))
    assert (kept - kept.diagonal().diag()).abs().max() < 0.05


def test_a_rank_one_gradient_moves_the_weight_along_itself_by_the_learning_rate():
    weight = nn.Parameter(torch.zeros(2, 2, 1, 1))
    optimizer = Muon([weight], lr=0.1, momentum=0.0, weight_decay=0.0)
    weight.grad = torch.tensor([[7.0, 0.0], [0.0, 0.0]])[..., None, None]
    optimizer.step()
    moved = weight.detach()[..., 0, 0]
    # The update is lr · 0.2 · sqrt(2) times the orthogonalised gradient.
    assert float(moved[0, 0]) == pytest.approx(-0.1 * 0.2 * 2**0.5, rel=0.35)
    assert float(moved.flatten()[1:].abs().max()) < 1e-6


def test_the_update_does_not_depend_on_the_gradients_scale():
    moved = []
    for scale in (1.0, 2.0**10):
        weight = nn.Parameter(torch.zeros(4, 3, 3, 3))
        optimizer = Muon([weight], lr=0.1)
        noise = torch.randn(weight.shape, generator=torch.Generator().manual_seed(2))
        weight.grad = scale * noise
        optimizer.step()
        moved.append(weight.detach())
    assert torch.allclose(moved[0], moved[1], atol=1e-4)


def test_weight_decay_shrinks_by_the_learning_rate():
    weight = nn.Parameter(torch.full((2, 2, 1, 1), 3.0))
    optimizer = Muon([weight], lr=0.5, weight_decay=0.1)
    weight.grad = torch.zeros_like(weight)
    optimizer.step()
    assert torch.allclose(weight.detach(), torch.full((2, 2, 1, 1), 3.0 * 0.95))
