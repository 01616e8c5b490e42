"""Measures how large the values of a model's graph become over calibration pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import UsageError, needs_extra
from lama_edge.forms import to_model
from lama_edge.judging.cases import ParityCase
from lama_edge.judging.ranges import PERCENTILES, Ranges, ValueRange
from lama_edge.runtimes.base import Array
from lama_edge.runtimes.emulator.execution import StepwiseProgram
from lama_edge.runtimes.emulator.program import Program
from lama_edge.spec import IoSpec

with needs_extra("export"):
    import onnx

# A float32's bits from the exponent down to the fifth bit of the mantissa: a bin is 1/32 of its
# octave wide, and a percentile known to 3 %.
_MANTISSA_BITS = 5
_SHIFT = 23 - _MANTISSA_BITS
_BINS = 1 << (8 + _MANTISSA_BITS)
_MAGNITUDE_BITS = 0x7FFFFFFF
_LEAST_INFINITE = 0xFF << _MANTISSA_BITS
# Of a larger value every n-th element is counted: a few of every picture lie beyond the rarest
# percentile.
_MAX_COUNTED = 1 << 15


def measure_ranges(
    model: onnx.ModelProto | bytes | Path | StepwiseProgram[Any],
    io: IoSpec,
    cases: Sequence[ParityCase],
    progress: Callable[[str], None] = lambda step: None,
) -> Ranges:
    """Run a graph on calibration pictures and note how large each value becomes.

    Extremes are of all elements. Percentiles come from a histogram of magnitudes with 32 bins an
    octave, of at most 32768 elements a value and picture at equal distances.

    Args:
        model: a deploy graph, or a graph that is open in an emulator.
        io: its inputs' form.
        cases: pictures of sizes it accepts, see `calibration.calibration_cases`.
        progress: called with each picture's name as it begins.

    Returns:
        A range for every floating-point value that a node gives, in the graph's order.

    Raises:
        UsageError: when there is no picture.
        ModelError: when the graph cannot be read or run.
        MissingBackendError: when the ``export`` extra is not installed.
    """
    if not cases:
        raise UsageError("ranges need at least one calibration picture, and none was given")
    if isinstance(model, bytes | Path | onnx.ModelProto):
        model = Program.load(model)
    seen: dict[str, _Seen] = {}
    for case in cases:
        progress(case.name)
        image, mask = to_model(io, case.image, case.hole)
        size = str(case.size)

        def observe(name: str, op: str, value: Array, size: str = size) -> None:
            if not value.size:
                return
            if name not in seen:
                seen[name] = _Seen(name, op)
            seen[name].add(value, size)

        model.run({io.image.name: image, io.mask.name: mask}, observe=observe)
    return Ranges({name: one.range() for name, one in seen.items()}, len(cases))


class _Seen:
    """What was seen of one value so far."""

    def __init__(self, name: str, op: str) -> None:
        self._name = name
        self._op = op
        self._low = np.array([np.inf], dtype=np.float32)
        self._high = np.array([-np.inf], dtype=np.float32)
        self._counts: NDArray[np.int64] = np.zeros(_BINS, dtype=np.int64)
        self._by_size: dict[str, float] = {}
        self._not_finite = 0

    def add(self, value: Array, size: str) -> None:
        """Take in one picture's array, of at least one element."""
        value = np.ascontiguousarray(value, dtype=np.float32)
        low, high = _extremes(value)
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            finite = np.isfinite(value)
            self._not_finite += int(value.size - finite.sum())
            low, _ = _extremes(np.where(finite, value, np.float32(np.inf)))
            _, high = _extremes(np.where(finite, value, np.float32(-np.inf)))
        self._low, self._high = np.minimum(self._low, low), np.maximum(self._high, high)
        largest = float(max(-low.min(), high.max(), 0.0))
        self._by_size[size] = max(self._by_size.get(size, 0.0), largest)
        self._counts += _histogram(value)

    def range(self) -> ValueRange:
        """Return what was seen; a channel without a finite element stands at 0."""
        seen = np.isfinite(self._low)
        return ValueRange(
            name=self._name,
            op=self._op,
            low=np.where(seen, self._low, np.float32(0)),
            high=np.where(seen, self._high, np.float32(0)),
            percentiles=_percentiles(self._counts, max(self._by_size.values())),
            by_size=dict(self._by_size),
            not_finite=self._not_finite,
        )


def _extremes(value: Array) -> tuple[Array, Array]:
    """Return the smallest and largest element of each channel, or of all in one."""
    shape = value.shape[:2] if value.ndim == 4 else (1, 1)
    by_channel = value.reshape(*shape, -1)
    return by_channel.min(axis=(0, 2)), by_channel.max(axis=(0, 2))


def _histogram(value: Array) -> NDArray[np.int64]:
    """Count magnitudes by the leading bits of their float32."""
    step = -(-value.size // _MAX_COUNTED)
    # A step that divides the rows would see the same few columns of a map in each of them.
    while math.gcd(step, value.shape[-1] if value.ndim else 1) > 1:
        step += 1
    bits = np.ascontiguousarray(value.reshape(-1)[::step]).view(np.int32)
    return np.bincount((bits & _MAGNITUDE_BITS) >> _SHIFT, minlength=_BINS)


def _percentiles(counts: NDArray[np.int64], largest: float) -> tuple[float, ...]:
    """Return `PERCENTILES` of the finite magnitudes, none above the largest."""
    finite = counts[:_LEAST_INFINITE]
    below = np.concatenate([[0], np.cumsum(finite)])
    edges = (np.arange(_LEAST_INFINITE + 1, dtype=np.int32) << _SHIFT).view(np.float32)
    found = []
    for percent in PERCENTILES:
        rank = below[-1] * percent / 100
        index = int(np.searchsorted(below[1:], rank))
        if index == 0 or not below[-1]:
            # The first bin holds zeros and what float32 keeps no full digits of.
            found.append(0.0)
            continue
        share = float((rank - below[index]) / finite[index])
        low, high = float(edges[index]), float(edges[index + 1])
        found.append(min(largest, low + share * (high - low)))
    return tuple(found)
