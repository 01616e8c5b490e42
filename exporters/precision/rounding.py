"""Weights rounded to eight bits, a scale for each output channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST = 127
# Of two weights of one sign whose products with uint8 are added in 16 bits: 255 * 128 < 2 ** 15.
LARGEST_PAIR = 128
LEVELS = 256
# Keeps a channel without weights from dividing by zero.
_LEAST_SCALE = 1e-12
_SIGNS = (1, -1)


@dataclass(frozen=True)
class RoundedWeights:
    """Weights as integers.

    Attributes:
        values: int8, of the weights' shape, -127 to 127.
        scale: float32 [C_out], what a step is worth.
    """

    values: NDArray[np.int8]
    scale: NDArray[np.float32]


def round_weights(
    weights: NDArray[Any], beside: int = 1, *, paired: bool = False
) -> RoundedWeights:
    """Round weights [C_out,C_in,…] so that neighbouring taps make up for each other's errors.

    What a tap loses is added to the next one, along a line that sweeps the kernel to and fro
    (error diffusion: Floyd and Steinberg, "An adaptive algorithm for spatial greyscale", 1976).
    Neighbouring pixels are alike, so errors of opposite sign that are next to each other cancel
    in the sum, and only fine texture sees them: rounding lama-tiny's first layer alone to the
    nearest cost 41 to 44 dB, so it costs 60 to 65.

    Args:
        weights: float, finite.
        beside: how many pixels of a row the input channels hold, one pixel's after the other's;
            those are neighbours too.
        paired: whether no pair of neighbouring input channels, the first two, the next two, and so
            on, shall pass `LARGEST_PAIR`: kernels that add two products with uint8 in 16 bits
            are right then. A channel's scale is up to twice as large for it. A pixel's channels
            are even in number then.

    Returns:
        The integers and their scales.
    """
    if beside > 1:
        assert not paired or weights.shape[1] // beside % 2 == 0
        apart = round_weights(_pixels_apart(weights, beside), paired=paired)
        return RoundedWeights(_pixels_joined(apart.values, beside), apart.scale)
    outputs = len(weights)
    largest = _largest_by_output(np.abs(weights)) / LARGEST
    if paired:
        sums = (_largest_by_output(pair_sums(weights, sign)) for sign in _SIGNS)
        largest = np.maximum(largest, np.maximum(*sums) / LARGEST_PAIR)
    scale = np.maximum(largest, _LEAST_SCALE).astype(np.float32)
    steps = _steps(weights, scale)
    values = _diffused(steps, np.full(outputs, -LARGEST), np.full(outputs, LARGEST), paired=paired)
    return RoundedWeights(values.astype(np.int8), scale)


def pair_sums(weights: NDArray[Any], sign: int) -> NDArray[Any]:
    """Add up what has a sign in pairs of neighbouring input channels.

    Args:
        weights: [C_out,C_in,…].
        sign: 1 or -1.

    Returns:
        The sums' magnitudes, [C_out,ceil(C_in/2),…]; a channel without a neighbour stands alone.
    """
    signed = np.maximum(sign * weights, 0)
    sums: NDArray[Any] = signed[:, ::2].copy()
    sums[:, : signed.shape[1] // 2] += signed[:, 1::2]
    return sums


def round_to_range(weights: NDArray[Any]) -> NDArray[np.float32]:
    """Round weights [C_out,C_in,…] to 256 levels for each output channel, 0 one of them.

    The least and the largest weight of a channel become its lowest and highest level. So who spans
    256 levels between those two finds these values again and changes nothing; zeros stay zeros,
    where weights have both signs. Errors are diffused as by `round_weights`.

    Args:
        weights: float, finite.

    Returns:
        The weights on their levels.
    """
    outputs = len(weights)
    flat = weights.reshape(outputs, -1).astype(np.float64)
    least, largest = flat.min(axis=1), flat.max(axis=1)
    scale = np.maximum((largest - least) / (LEVELS - 1), _LEAST_SCALE)
    lowest = np.rint(least / scale)
    highest = lowest + LEVELS - 1
    pinned = np.full(flat.shape, np.nan)
    channels = np.arange(outputs)
    pinned[channels, flat.argmax(axis=1)] = highest
    pinned[channels, flat.argmin(axis=1)] = lowest
    values = _diffused(_steps(weights, scale), lowest, highest, pinned.reshape(weights.shape))
    found: NDArray[np.float32] = (values * _by_output(scale, values)).astype(np.float32)
    return found


def _steps(weights: NDArray[Any], scale: NDArray[Any]) -> NDArray[np.float64]:
    return weights / _by_output(scale, weights).astype(np.float64)


def _largest_by_output(magnitudes: NDArray[Any]) -> NDArray[Any]:
    """Return the largest of each output channel, [C_out]."""
    found: NDArray[Any] = magnitudes.reshape(len(magnitudes), -1).max(axis=1)
    return found


def _by_output(values: NDArray[Any], weights: NDArray[Any]) -> NDArray[Any]:
    """Return a value for each output channel in the shape that weights are multiplied by."""
    return values.reshape(-1, *[1] * (weights.ndim - 1))


def _diffused(
    steps: NDArray[np.float64],
    lowest: NDArray[Any],
    highest: NDArray[Any],
    pinned: NDArray[np.float64] | None = None,
    *,
    paired: bool = False,
) -> NDArray[np.float64]:
    """Round steps [C_out,C_in,…] to integers, what a tap loses added to the next one.

    Args:
        steps: the weights in units of their scales.
        lowest: the least integer of each output channel.
        highest: the largest one.
        pinned: integers that stand where they are; NaN elsewhere. None pins nothing.
        paired: see `round_weights`.
    """
    outputs, inputs, *kernel = steps.shape
    wanted_steps = steps.reshape(outputs, inputs, -1)
    fixed = None if pinned is None else pinned.reshape(wanted_steps.shape)
    values = np.empty_like(wanted_steps)
    error = np.zeros((outputs, inputs))
    for tap in sweep(kernel):
        wanted = wanted_steps[:, :, tap] + error
        rounded = np.clip(np.rint(wanted), lowest[:, None], highest[:, None])
        if fixed is not None:
            rounded = np.where(np.isnan(fixed[:, :, tap]), rounded, fixed[:, :, tap])
        if paired:
            _hold_pairs(rounded, wanted)
        error = wanted - rounded
        values[:, :, tap] = rounded
    return values.reshape(steps.shape)


def _hold_pairs(rounded: NDArray[np.float64], wanted: NDArray[np.float64]) -> None:
    """Lower the integers [C_out,C_in] of pairs that pass `LARGEST_PAIR`, in place.

    Rounding brought them there, so that one gives which it took furthest from what was wanted.
    """
    even = rounded.shape[1] // 2 * 2
    first, second = rounded[:, :even:2], rounded[:, 1:even:2]
    taken = rounded - wanted
    for sign in _SIGNS:
        beyond = sign * np.maximum(pair_sums(rounded[:, :even], sign) - LARGEST_PAIR, 0)
        leads = sign * (taken[:, :even:2] - taken[:, 1:even:2]) >= 0
        first -= np.where(leads, beyond, 0)
        second -= np.where(leads, 0, beyond)


def _pixels_apart(weights: NDArray[Any], beside: int) -> NDArray[Any]:
    """View [C_out,P·C,K,L], P pixels beside each other, as the kernel [C_out,C,K,L·P]."""
    outputs, inputs, height, width = weights.shape
    pixels = weights.reshape(outputs, beside, inputs // beside, height, width)
    return np.moveaxis(pixels, 1, -1).reshape(outputs, -1, height, width * beside)


def _pixels_joined(weights: NDArray[Any], beside: int) -> NDArray[Any]:
    outputs, inputs, height, width = weights.shape
    pixels = weights.reshape(outputs, inputs, height, width // beside, beside)
    return np.moveaxis(pixels, -1, 1).reshape(outputs, inputs * beside, height, -1)


def sweep(kernel: list[int]) -> list[int]:
    """Return the taps of a kernel, row by row, every other row backwards."""
    order = np.arange(int(np.prod(kernel))).reshape(kernel or [1])
    if order.ndim == 2:
        order[1::2] = order[1::2, ::-1].copy()
    return [int(tap) for tap in order.ravel()]
