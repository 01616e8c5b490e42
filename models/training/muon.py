"""The Muon optimizer: momentum whose matrices are made orthogonal before each update.

Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024
(kellerjordan.github.io/posts/muon). The scale of the update follows Liu et al., "Muon is Scalable
for LLM Training", 2025 (arXiv 2502.16982), section 2.2: it has the size that AdamW's would have,
so that both can share a learning rate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from lama_edge.errors import needs_extra

with needs_extra("train"):
    import torch
    from torch import Tensor, nn

# Coefficients of the quintic that Jordan et al. tuned: after five rounds every singular value
# lies between about 0.7 and 1.2, which trains as well as exactly 1 and costs less.
_QUINTIC = (3.4445, -4.7750, 2.0315)
_ROUNDS = 5
_ADAMW_UPDATE_RMS = 0.2


class Muon(torch.optim.Optimizer):
    """Muon for convolution weights, each taken as a matrix [C_out, C_in·K_h·K_w].

    Args:
        parameters: tensors of at least two dimensions; norms and biases belong to AdamW.
        lr: learning rate, of the size one would give AdamW.
        momentum: of the gradients' moving average, which Nesterov's form looks ahead of.
        weight_decay: decoupled, as AdamW's.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient; a closure is not supported."""
        if closure is not None:
            raise NotImplementedError("Muon evaluates no closure")
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group)

    def _move(self, parameter: nn.Parameter, group: dict[str, Any]) -> None:
        gradient = parameter.grad
        assert gradient is not None
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum: Tensor = state["momentum"]
        momentum.lerp_(gradient, 1 - group["momentum"])
        matrix = gradient.lerp(momentum, group["momentum"]).reshape(parameter.shape[0], -1)
        scale = _ADAMW_UPDATE_RMS * max(matrix.shape) ** 0.5
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(orthogonalised(matrix).reshape(parameter.shape), alpha=-group["lr"] * scale)


def orthogonalised(matrix: Tensor) -> Tensor:
    """Replace a matrix's singular values by values near 1 and keep its singular vectors.

    Args:
        matrix: float32 [M,N].

    Returns:
        float32 [M,N]; the rounds of the Newton-Schulz iteration run in bfloat16.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    wide = matrix.T if tall else matrix
    # The iteration needs a spectral norm of at most 1, and the Frobenius norm bounds it.
    x = (wide / (wide.norm() + 1e-7)).bfloat16()
    a, b, c = _QUINTIC
    for _ in range(_ROUNDS):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    orthogonal: Tensor = x.T if tall else x
    return orthogonal.float()
