"""Ops that work element by element, with NumPy's broadcasting.

Documented in coremltools' "MIL Ops" reference on the pages elementwise_unary, elementwise_binary,
activation and control_flow; `Operator.page` names each op's entry.
"""

from __future__ import annotations

from collections.abc import Callable

from lama_edge.errors import needs_extra
from lama_edge.runtimes.emulator.kernels import cast, divide_integers, square_root
from lama_edge.runtimes.mil_interpreter.elements import BOOL, ELEMENTS, FP16, Element
from lama_edge.runtimes.mil_interpreter.registry import (
    Declared,
    Kernel,
    Operation,
    Operator,
    always,
    broadcast,
    like,
    operator,
)

with needs_extra("coreml"):
    import torch
    from torch import Tensor

OPERATORS: dict[str, Operator] = {}

_UNARY = "iOS15.elementwise_unary"
_BINARY = "iOS15.elementwise_binary"
_ACTIVATION = "iOS15.activation"
_CONTROL = "iOS15.control_flow"

_ROUNDED_UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    f"{_UNARY}.cos": torch.cos,
    f"{_UNARY}.exp": torch.exp,
    f"{_UNARY}.exp2": torch.exp2,
    f"{_UNARY}.sin": torch.sin,
    f"{_UNARY}.sqrt": square_root,
    f"{_UNARY}.square": torch.square,
    f"{_UNARY}.tanh": torch.tanh,
    f"{_ACTIVATION}.sigmoid": torch.sigmoid,
    f"{_ACTIVATION}.silu": torch.nn.functional.silu,
    f"{_UNARY}.ceil": torch.ceil,
    f"{_UNARY}.floor": torch.floor,
    # To the nearest, a half to the even one.
    f"{_UNARY}.round": torch.round,
}
_EXACT_UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    f"{_UNARY}.abs": torch.abs,
    f"{_UNARY}.sign": torch.sign,
    f"{_UNARY}.logical_not": torch.logical_not,
    f"{_ACTIVATION}.relu": torch.relu,
    f"{_ACTIVATION}.relu6": torch.nn.functional.relu6,
    "iOS15.tensor_operation.identity": lambda x: x,
}
_ROUNDED_BINARY: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    f"{_BINARY}.add": torch.add,
    f"{_BINARY}.sub": torch.sub,
    f"{_BINARY}.mul": torch.mul,
    f"{_BINARY}.pow": torch.pow,
}
_EXACT_BINARY: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    f"{_BINARY}.maximum": torch.maximum,
    f"{_BINARY}.minimum": torch.minimum,
}
_COMPARING: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    f"{_BINARY}.equal": torch.eq,
    f"{_BINARY}.not_equal": torch.ne,
    f"{_BINARY}.greater": torch.gt,
    f"{_BINARY}.greater_equal": torch.ge,
    f"{_BINARY}.less": torch.lt,
    f"{_BINARY}.less_equal": torch.le,
    f"{_BINARY}.logical_and": torch.logical_and,
    f"{_BINARY}.logical_or": torch.logical_or,
    f"{_BINARY}.logical_xor": torch.logical_xor,
}


def _unary(function: Callable[[Tensor], Tensor]) -> Kernel:
    def kernel(operation: Operation, x: Tensor) -> Tensor:
        return function(x)

    return kernel


def _binary(function: Callable[[Tensor, Tensor], Tensor]) -> Kernel:
    def kernel(operation: Operation, x: Tensor, y: Tensor) -> Tensor:
        operation.result.check(broadcast(x, y))
        return function(x, y)

    return kernel


for _page, _function in _ROUNDED_UNARY.items():
    operator(OPERATORS, _page)(_unary(_function))
for _page, _function in _EXACT_UNARY.items():
    operator(OPERATORS, _page, exact=True)(_unary(_function))
for _page, _joining in _ROUNDED_BINARY.items():
    operator(OPERATORS, _page)(_binary(_joining))
for _page, _joining in _EXACT_BINARY.items():
    operator(OPERATORS, _page, exact=True)(_binary(_joining))
for _page, _joining in _COMPARING.items():
    operator(OPERATORS, _page, exact=True, result=always(BOOL))(_binary(_joining))


@operator(OPERATORS, f"{_BINARY}.real_div")
def _real_div(operation: Operation, x: Tensor, y: Tensor) -> Tensor:
    """Divide; see iOS15.elementwise_binary.real_div, which has no integers."""
    if not x.is_floating_point():
        raise ValueError("it divides floating-point numbers only")
    operation.result.check(broadcast(x, y))
    return torch.div(x, y)


@operator(OPERATORS, f"{_BINARY}.floor_div")
def _floor_div(operation: Operation, x: Tensor, y: Tensor) -> Tensor:
    """Divide and round down; see iOS15.elementwise_binary.floor_div."""
    operation.result.check(broadcast(x, y))
    if x.is_floating_point():
        return torch.floor(torch.div(x, y))
    return divide_integers(x, y, floor=True)


@operator(OPERATORS, f"{_BINARY}.mod")
def _mod(operation: Operation, x: Tensor, y: Tensor) -> Tensor:
    """Give what `floor_div` leaves over; see iOS15.elementwise_binary.mod."""
    operation.result.check(broadcast(x, y))
    # What -1 leaves over is 0 too, and the processor traps on it; see `divide_integers`.
    return torch.remainder(x, y if x.is_floating_point() else torch.where(y == -1, 1, y))


@operator(OPERATORS, f"{_UNARY}.clip", exact=True)
def _clip(operation: Operation, x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """Clip to [alpha, beta]; see iOS15.elementwise_unary.clip."""
    return torch.minimum(torch.maximum(x, alpha.to(x.dtype)), beta.to(x.dtype))


@operator(OPERATORS, f"{_UNARY}.rsqrt")
def _rsqrt(operation: Operation, x: Tensor, epsilon: Tensor | None = None) -> Tensor:
    """Return 1 / sqrt(x + epsilon); see iOS15.elementwise_unary.rsqrt."""
    return torch.rsqrt(x + _epsilon(operation, epsilon, 1e-12))


@operator(OPERATORS, f"{_UNARY}.inverse")
def _inverse(operation: Operation, x: Tensor, epsilon: Tensor | None = None) -> Tensor:
    """Return 1 / (x + epsilon); see iOS15.elementwise_unary.inverse."""
    return torch.reciprocal(x + _epsilon(operation, epsilon, 1e-4))


@operator(OPERATORS, f"{_UNARY}.log")
def _log(operation: Operation, x: Tensor, epsilon: Tensor | None = None) -> Tensor:
    """Return the natural logarithm of x + epsilon; see iOS15.elementwise_unary.log."""
    return torch.log(x + _epsilon(operation, epsilon, 1e-45))


def _epsilon(operation: Operation, given: Tensor | None, default: float) -> Tensor:
    """Return what is added before a function with a pole; the default has x's type."""
    if given is not None:
        return given
    kept = torch.tensor(default)
    return kept.to(torch.float16).to(torch.float32) if operation.result.element is FP16 else kept


@operator(OPERATORS, f"{_ACTIVATION}.leaky_relu")
def _leaky_relu(operation: Operation, x: Tensor, alpha: Tensor | None = None) -> Tensor:
    """Multiply negative elements by alpha; see iOS15.activation.leaky_relu."""
    slope = torch.tensor(0.01) if alpha is None else alpha
    return torch.where(x >= 0, x, x * slope)


@operator(OPERATORS, f"{_CONTROL}.select", exact=True, result=like("a"))
def _select(operation: Operation, cond: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Take from a where cond holds, else from b; see iOS15.control_flow.select."""
    operation.result.check(broadcast(cond, a, b))
    return torch.where(cond, a, b)


def _named_type(declared: Declared) -> Element:
    named = declared.texts.get("dtype", "")
    if named not in ELEMENTS:
        raise ValueError(f"there is no type {named!r} to cast to")
    return ELEMENTS[named]


@operator(OPERATORS, f"{_UNARY}.cast", exact=True, result=_named_type)
def _cast(operation: Operation, x: Tensor, dtype: str) -> Tensor:
    """Convert to another type; see iOS17.elementwise_unary.cast."""
    return cast(x, ELEMENTS[dtype].storage)
