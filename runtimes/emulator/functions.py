"""What the judges compute alike, whatever their formats call it; NumPy alone would accept more."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from lama_edge.kernels.arithmetic import dequantise, divide_integers, sigmoid
from lama_edge.kernels.elementwise import elementwise
from lama_edge.runtimes.base import Array

# Kinds of element types, as NumPy's letters.
FLOATS, INTEGERS, NUMBERS, ANY = "f", "iu", "fiu", "fiub"


def check_types(*arguments: Array, kinds: str = ANY) -> None:
    """Refuse arguments that differ in element type, as NumPy would widen them.

    Raises:
        TypeError: saying so, or that their type is of none of the kinds.
    """
    types = {str(argument.dtype) for argument in arguments}
    if len(types) > 1 or any(argument.dtype.kind not in kinds for argument in arguments):
        raise TypeError(f"has no form for {' and '.join(sorted(types))}")


def plain(function: Callable[..., Array], kinds: str) -> Callable[..., Array]:
    """Return a function that takes arguments of one element type, of one of the kinds."""

    def compute(*arguments: Array) -> Array:
        check_types(*arguments, kinds=kinds)
        if not isinstance(function, np.ufunc):
            return function(*arguments)
        if len(arguments) != function.nin:
            # To NumPy one more would be the place for the result.
            raise TypeError(f"takes {function.nin} values, not {len(arguments)}")
        return elementwise(function, *arguments)

    return compute


def _divide(x: Array, y: Array) -> Array:
    if x.dtype.kind == "f":
        return elementwise(np.divide, x, y)
    return divide_integers(x, y, floor=False)


def _relu(x: Array) -> Array:
    if x.dtype != np.float16:
        return np.asarray(np.maximum(x, x.dtype.type(0)))
    # NumPy is slow in float16. As integers, negative numbers end at -1024, and NaN come after.
    bits = x.view(np.int16)
    return (bits * (bits > -1024)).view(x.dtype)


ADD, MULTIPLY = plain(np.add, NUMBERS), plain(np.multiply, NUMBERS)
DIVIDE = plain(_divide, NUMBERS)
SINE, COSINE = plain(np.sin, FLOATS), plain(np.cos, FLOATS)
SQUARE_ROOT, SIGMOID = plain(np.sqrt, FLOATS), plain(sigmoid, FLOATS)
# To the nearest, a half to the even one.
ROUND = plain(np.rint, FLOATS)
# These only move or compare, and need no wider type than their arguments'.
RELU = plain(lambda x: elementwise(_relu, x), NUMBERS)
EQUAL, GREATER = plain(np.equal, ANY), plain(np.greater, NUMBERS)


def choose(condition: Array, a: Array, b: Array) -> Array:
    """Take from `a` where the condition holds, else from `b`; all three broadcast."""
    check_types(condition, kinds="b")
    check_types(a, b)
    return elementwise(np.where, condition, a, b)


def reshape(x: Array, sides: Sequence[int]) -> Array:
    """Return the elements in another shape, -1 in which is found."""
    if min(sides, default=0) < -1:
        raise ValueError(f"there is no shape {list(sides)}")
    return x.reshape(sides)


def dequantise_along(x: Array, axis: int, scale: Array, zero_point: Array | None) -> Array:
    """Dequantise with a scale and a zero point for all, or for each place along an axis."""
    if x.dtype.kind not in INTEGERS or not np.can_cast(x.dtype, np.int32):
        raise TypeError(f"has no form for {x.dtype}")
    shape = [1] * x.ndim
    for values in (scale, zero_point):
        if values is not None and values.size != 1:
            shape[axis] = -1
            if values.size != x.shape[axis]:
                raise ValueError(f"{values.size} do not fit {list(x.shape)} along {axis}")
    zeros = None if zero_point is None else zero_point.reshape(shape)
    return dequantise(x, scale.reshape(shape), zeros)
