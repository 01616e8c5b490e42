"""Confidence interval of the ratio of two medians, by resampling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float64]
RESAMPLES = 2000
CONFIDENCE = 0.95
# Resamples are drawn in chunks of about this many numbers, so that long runs stay small.
_CHUNK_NUMBERS = 1 << 21


def ratio_interval(
    base: Sequence[Samples], new: Sequence[Samples], *, seed: int
) -> tuple[float, float]:
    """Return the bootstrap percentile interval of median(new) / median(base).

    With several rounds on a side they are resampled first and the samples within them after that
    (two-stage bootstrap; Davison and Hinkley, Bootstrap Methods and their Application, 1997,
    section 3.8), because samples of one process share its luck.

    Args:
        base: samples of each round, float64 [n] each, above 0.
        new: the same of the other side.
        seed: of the random draws; the same seed gives the same interval.

    Returns:
        Low and high end of the 95 % interval.
    """
    rng = np.random.default_rng(seed)
    ratios = _medians(new, rng) / _medians(base, rng)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(ratios, (tail, 1 - tail))
    return float(low), float(high)


def _medians(rounds: Sequence[Samples], rng: np.random.Generator) -> Samples:
    """Draw the medians of `RESAMPLES` resamples, float64 [RESAMPLES]."""
    lengths = np.array([one.size for one in rounds])
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    pooled = np.concatenate(rounds)
    # As many samples a drawn round as the rounds have on average: their number barely differs.
    length = max(1, round(float(lengths.mean())))
    rows = max(1, _CHUNK_NUMBERS // (length * len(rounds)))
    parts = []
    for begin in range(0, RESAMPLES, rows):
        count = min(rows, RESAMPLES - begin)
        drawn = rng.integers(0, len(rounds), (count, len(rounds), 1))
        within = rng.random((count, len(rounds), length)) * lengths[drawn]
        chosen = pooled[starts[drawn] + within.astype(np.int64)]
        parts.append(np.median(chosen.reshape(count, -1), axis=1))
    return np.concatenate(parts)
