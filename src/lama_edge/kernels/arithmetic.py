"""Kernels of single elements and of matrices; large arrays are shared among threads."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.kernels.elementwise import elementwise

Array = NDArray[Any]


def matmul(x: Array, y: Array) -> Array:
    """Multiply matrices, broadcasting the axes before them; NumPy's own, never its slow loop.

    Args:
        x: [...,M,K].
        y: [...,K,N].

    Returns:
        [...,M,N].
    """
    if y.ndim == 2 < x.ndim and x.flags.c_contiguous:
        # One large product, which the BLAS shares among threads better than many small ones.
        rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
        return matmul(rows, y).reshape(*x.shape[:-1], y.shape[1])
    return np.asarray(np.matmul(_dense(x), _dense(y)))


def _dense(x: Array) -> Array:
    """Return an array whose matrices the BLAS can read: one axis has no gaps, none overlaps."""
    if x.ndim < 2:
        return x
    (down, across), (rows, columns) = x.strides[-2:], x.shape[-2:]
    by_rows = across == x.itemsize and down >= columns * x.itemsize
    by_columns = down == x.itemsize and across >= rows * x.itemsize
    return x if by_rows or by_columns else np.ascontiguousarray(x)


def rounded(x: Array, to: np.dtype[Any]) -> Array:
    """Convert elements, to the nearest and in a tie to the even; the array itself if it fits."""
    if x.dtype == to:
        return x
    if x.dtype == np.float32 and to == np.float16:
        return elementwise(_to_half, x)
    return elementwise(lambda part: part.astype(to), x)


# Of exponents, float32 stores the value and 127, and float16 the value and 15.
_OFFSET = np.float32(2.0**112)


def _to_half(x: Array) -> Array:
    """Round float32 to float16 in steps that NumPy computes with vectors, unlike its conversion."""
    # With one and a half times 2¹³ of a number's power of two added, float32 has as many digits
    # left for the number as float16: from 2⁻¹⁴ on ten, and below that steps of 2⁻²⁴.
    large = np.maximum(x.view(np.uint32) & np.uint32(0xFF << 23), np.uint32((127 - 14) << 23))
    large += np.uint32((13 << 23) + (1 << 22))
    steps = large.view(np.float32)
    result = x + steps
    result -= steps
    if not -65536 < result.min(initial=0) <= result.max(initial=0) < 65536:
        return np.asarray(x.astype(np.float16))
    result *= 1 / _OFFSET
    bits = result.view(np.uint32)
    bits >>= np.uint32(13)
    bits |= x.view(np.uint32) >> np.uint32(16) & np.uint32(1 << 15)
    return np.asarray(bits.astype(np.uint16).view(np.float16))


def widened(x: Array) -> Array:
    """Return float16 as float32 and integers as int64, which lose nothing; others as they are."""
    if x.dtype.kind in "iu":
        return rounded(x, np.dtype(np.int64))
    return elementwise(_from_half, x) if x.dtype == np.float16 else x


def _from_half(x: Array) -> Array:
    """Return float16 as float32, see `_to_half`."""
    bits = x.view(np.int16).astype(np.int32)
    bits <<= 13
    # The sign, the exponent and the fraction; between them are copies of the sign.
    bits &= np.int32(-0x70002000)
    wide = bits.view(np.float32)
    wide *= _OFFSET
    # What is not finite in float16 has become a finite number.
    finite = -65536 < wide.min(initial=0) <= wide.max(initial=0) < 65536
    return wide if finite else x.astype(np.float32)


def cast(x: Array, to: np.dtype[Any]) -> Array:
    """Convert elements; floating-point numbers lose their fraction on the way to integers."""
    if x.dtype.kind == "f" and to.kind in "iu":
        # What lies outside is undefined in C and ONNX; this way it wraps on every machine.
        x = rounded(x, np.dtype(np.int64))
    return rounded(x, to)


def sigmoid(x: Array) -> Array:
    """Return the logistic function of floats."""
    return elementwise(_sigmoid, x)


def _sigmoid(x: Array) -> Array:
    # NumPy's exponential in float32 is up to three units off, and the division adds to it.
    result = np.asarray(np.exp(np.negative(x, dtype=np.float64)))
    result += 1
    return np.asarray(np.reciprocal(result, out=result).astype(x.dtype))


def quantise(x: Array, scale: Array, zero_point: Array) -> Array:
    """Divide by the scale, round half to even, add the zero point and saturate.

    Args:
        x: float32.
        scale: float32, shaped to broadcast against `x`.
        zero_point: of the scale's shape and the result's integer type.
    """
    return elementwise(_quantise, x, scale, zero_point)


def _quantise(x: Array, scale: Array, zero_point: Array) -> Array:
    limits = np.iinfo(zero_point.dtype)
    steps = np.rint(x / scale) + zero_point.astype(x.dtype)
    return np.asarray(np.clip(steps, limits.min, limits.max).astype(zero_point.dtype))


def dequantise(x: Array, scale: Array, zero_point: Array | None) -> Array:
    """Subtract the zero point and multiply by the scale, in float32.

    Args:
        x: integers.
        scale: floats, shaped to broadcast against `x`.
        zero_point: integers of the scale's shape; None is zero.
    """
    if zero_point is None:
        zero_point = np.zeros((), x.dtype)
    return elementwise(_dequantise, x, scale, zero_point)


def _dequantise(x: Array, scale: Array, zero_point: Array) -> Array:
    steps = x.astype(np.int32) - zero_point
    return np.asarray(steps.astype(np.float32) * scale.astype(np.float32))


def divide_integers(x: Array, y: Array, *, floor: bool) -> Array:
    """Divide integers, rounding towards zero or down.

    Raises:
        ZeroDivisionError: for a divisor of zero.
    """
    _check_divisor(y)
    quotient = np.floor_divide(x, y)
    return np.asarray(quotient if floor else quotient + ((quotient < 0) & (quotient * y != x)))


def remainder(x: Array, y: Array) -> Array:
    """Return what dividing integers leaves over, of the divisor's sign; see `divide_integers`."""
    _check_divisor(y)
    return np.asarray(np.remainder(x, y))


def _check_divisor(y: Array) -> None:
    if not np.all(y):
        raise ZeroDivisionError("division by zero")


def integers(x: Array) -> list[int]:
    """Return the elements of an array of up to one axis."""
    return [int(value) for value in x.reshape(-1)]
