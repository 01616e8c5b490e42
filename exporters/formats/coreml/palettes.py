"""The palette that serves a weight best: one-dimensional k-means on sorted values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.exporters.precision.rounding import sweep

# On lama-tiny's weights and 16 entries another 1900 take 0.5 % off the squared error.
_ROUNDS = 100


def palette_of(weight: NDArray[Any], colours: int) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Choose a palette for a weight, and an entry for each of its elements.

    Nothing is drawn at random: the search starts once from values at equal distances in rank,
    once from equal distances, and the better end counts.

    Args:
        weight: float [C_out,C_in,…].
        colours: number of entries, at most 256.

    Returns:
        The palette, of the weight's type, ascending, [colours]; and the entries, uint8, flat.
    """
    values = np.sort(weight.astype(np.float64).ravel())
    ranks = ((np.arange(colours) + 0.5) / colours * values.size).astype(np.int64)
    starts = values[ranks], np.linspace(values[0], values[-1], colours)
    _, palette = min((_lloyd(values, start) for start in starts), key=lambda found: found[0])
    rounded = np.sort(palette.astype(weight.dtype))
    return rounded, _diffused(weight.astype(np.float64), rounded.astype(np.float64)).ravel()


def _lloyd(
    values: NDArray[np.float64], palette: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Improve a palette; return its squared error, but for a constant, and the palette.

    Lloyd's algorithm ("Least squares quantization in PCM", 1982): of sorted values every entry
    owns a stretch, so a round is a search for the stretches' ends and a difference of sums.
    """
    sums = np.concatenate([[0.0], np.cumsum(values)])
    error = np.inf
    for _ in range(_ROUNDS):
        ends = np.searchsorted(values, (palette[1:] + palette[:-1]) / 2)
        bounds = np.concatenate([[0], ends, [values.size]])
        counts, totals = np.diff(bounds), np.diff(sums[bounds])
        moved = np.where(counts > 0, totals / np.maximum(counts, 1), palette)
        error = float((counts * moved**2 - 2 * totals * moved).sum())
        if np.array_equal(moved, palette):
            break
        palette = moved
    return error, palette


def _diffused(weight: NDArray[np.float64], palette: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Choose entries so that neighbouring taps make up for each other's errors.

    As `lama_edge.exporters.precision.rounding.round_weights` does for eight bits.
    """
    outputs, inputs, *kernel = weight.shape
    taps = weight.reshape(outputs, inputs, -1)
    middles = (palette[1:] + palette[:-1]) / 2
    entries = np.empty(taps.shape, dtype=np.uint8)
    error = np.zeros((outputs, inputs))
    for tap in sweep(kernel):
        wanted = taps[:, :, tap] + error
        chosen = np.searchsorted(middles, wanted)
        error = wanted - palette[chosen]
        entries[:, :, tap] = chosen
    return entries
