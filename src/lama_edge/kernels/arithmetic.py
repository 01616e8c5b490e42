"""Kernels of single elements and of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def matmul(x: Array, y: Array) -> Array:
    """Multiply matrices, broadcasting the axes before them; NumPy's own, never its slow loop.

    Args:
        x: [...,M,K].
        y: [...,K,N].

    Returns:
        [...,M,N].
    """
    return np.matmul(_dense(x), _dense(y))


def _dense(x: Array) -> Array:
    """Return an array whose matrices the BLAS can read, which wants one axis without gaps."""
    if x.ndim < 2 or x.itemsize in x.strides[-2:]:
        return x
    return np.ascontiguousarray(x)


def sigmoid(x: Array) -> Array:
    """Return the logistic function of floats."""
    result = np.negative(x)
    np.exp(result, out=result)
    result += 1
    return np.reciprocal(result, out=result)


def square_root(x: Array) -> Array:
    """Return the square root, correctly rounded."""
    return np.sqrt(x)


def quantise(x: Array, scale: Array, zero_point: Array) -> Array:
    """Divide by the scale, round half to even, add the zero point and saturate.

    Args:
        x: float32.
        scale: float32, shaped to broadcast against `x`.
        zero_point: of the scale's shape and the result's integer type.
    """
    limits = np.iinfo(zero_point.dtype)
    steps = np.rint(x / scale)
    steps += zero_point
    return np.clip(steps, limits.min, limits.max, out=steps).astype(zero_point.dtype)


def dequantise(x: Array, scale: Array, zero_point: Array | None) -> Array:
    """Subtract the zero point and multiply by the scale, in float32.

    Args:
        x: integers.
        scale: floats, shaped to broadcast against `x`.
        zero_point: integers of the scale's shape; None is zero.
    """
    steps = x if zero_point is None else x.astype(np.int32) - zero_point
    return steps.astype(np.float32) * scale.astype(np.float32)


def cast(x: Array, to: np.dtype[Any]) -> Array:
    """Convert elements; floating-point numbers lose their fraction on the way to integers."""
    if x.dtype.kind == "f" and to.kind in "iu":
        # What lies outside is undefined in C and ONNX; this way it wraps on every machine.
        x = x.astype(np.int64)
    return x.astype(to, copy=False)


def divide_integers(x: Array, y: Array, *, floor: bool) -> Array:
    """Divide integers, rounding towards zero or down.

    Raises:
        ZeroDivisionError: for a divisor of zero.
    """
    _check_divisor(y)
    quotient = np.floor_divide(x, y)
    return quotient if floor else quotient + ((quotient < 0) & (quotient * y != x))


def remainder(x: Array, y: Array) -> Array:
    """Return what dividing integers leaves over, of the divisor's sign; see `divide_integers`."""
    _check_divisor(y)
    return np.remainder(x, y)


def _check_divisor(y: Array) -> None:
    if not np.all(y):
        raise ZeroDivisionError("division by zero")


def widened(x: Array) -> Array:
    """Return float16 as float32 and integers as int64, which lose nothing; others as they are."""
    if x.dtype.kind in "iu":
        return x.astype(np.int64, copy=False)
    return x.astype(np.float32) if x.dtype == np.float16 else x


def integers(x: Array) -> list[int]:
    """Return the elements of an array of up to one axis."""
    return [int(value) for value in x.reshape(-1)]
