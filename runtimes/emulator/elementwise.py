"""Operators that work element by element."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from lama_edge.errors import needs_extra
from lama_edge.runtimes.emulator.kernels import cast, divide_integers, square_root
from lama_edge.runtimes.emulator.registry import (
    Kernel,
    Node,
    Operator,
    element_type,
    like,
    operator,
    own_type,
)

with needs_extra("export"):
    import torch
    from torch import Tensor

OPERATORS: dict[str, Operator] = {}

_ROUNDED: dict[str, Callable[..., Tensor]] = {
    "Add": torch.add,
    "Sub": torch.sub,
    "Mul": torch.mul,
    "Sqrt": square_root,
    "Exp": torch.exp,
    "Log": torch.log,
    "Sin": torch.sin,
    "Cos": torch.cos,
    "Tanh": torch.tanh,
    "Sigmoid": torch.sigmoid,
    "Reciprocal": torch.reciprocal,
    "Floor": torch.floor,
    "Ceil": torch.ceil,
    "Round": torch.round,
}
_EXACT: dict[str, Callable[..., Tensor]] = {
    "Relu": torch.relu,
    "Neg": torch.neg,
    "Abs": torch.abs,
    "Identity": lambda x: x,
    "Not": torch.logical_not,
    "And": torch.logical_and,
    "Or": torch.logical_or,
    "Xor": torch.logical_xor,
    "Min": lambda *values: reduce(torch.minimum, values),
    "Max": lambda *values: reduce(torch.maximum, values),
}
_COMPARING: dict[str, Callable[..., Tensor]] = {
    "Equal": torch.eq,
    "Greater": torch.gt,
    "GreaterOrEqual": torch.ge,
    "Less": torch.lt,
    "LessOrEqual": torch.le,
}


def _plain(function: Callable[..., Tensor]) -> Kernel:
    """Return the kernel of a torch function that needs nothing but the arguments."""
    return lambda node, *arguments: function(*arguments)


for _name, _function in _ROUNDED.items():
    operator(OPERATORS, _name)(_plain(_function))
for _name, _function in _EXACT.items():
    operator(OPERATORS, _name, exact=True)(_plain(_function))
for _name, _function in _COMPARING.items():
    operator(OPERATORS, _name, exact=True, result=own_type)(_plain(_function))


@operator(OPERATORS, "Div")
def _div(node: Node, x: Tensor, y: Tensor) -> Tensor:
    if x.is_floating_point():
        return torch.div(x, y)
    return divide_integers(x, y, floor=False)


@operator(OPERATORS, "Mod", attributes=("fmod",))
def _mod(node: Node, x: Tensor, y: Tensor) -> Tensor:
    truncating = bool(node.attributes.get("fmod", 0))
    if x.is_floating_point() and not truncating:
        raise ValueError("floating-point numbers need fmod=1")
    divisor = y if x.is_floating_point() else torch.where(y == -1, 1, y)
    return torch.fmod(x, divisor) if truncating else torch.remainder(x, divisor)


@operator(OPERATORS, "Pow", mixed=True)
def _pow(node: Node, x: Tensor, y: Tensor) -> Tensor:
    return torch.pow(x, y)


@operator(OPERATORS, "Clip", exact=True)
def _clip(node: Node, x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    if low is not None:
        x = torch.maximum(x, low)
    return x if high is None else torch.minimum(x, high)


@operator(OPERATORS, "Where", exact=True, result=like(1))
def _where(node: Node, condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return torch.where(condition, x, y)


@operator(OPERATORS, "Cast", attributes=("to", "saturate"), exact=True, result=own_type)
def _cast(node: Node, x: Tensor) -> Tensor:
    return cast(x, element_type(node.attributes["to"], node))
