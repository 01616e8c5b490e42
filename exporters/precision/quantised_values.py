"""Which values of a graph integers stand for, and with which scales."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import UsageError, needs_extra
from lama_edge.exporters.graph.layers_channels_last import PAIR, PAIRS
from lama_edge.judging.ranges import Ranges

with needs_extra("export"):
    import onnx_ir as ir

# Move elements and never change them: a quantised map stays quantised through them.
MOVING = frozenset({"Pad", "Concat", "Slice", "Transpose", "Reshape", "Gather", "DepthToSpace"})
LAYERS = frozenset({"Conv", "Gemm"})
_INPUT_SCOPE = "input."
_LEAST_RANGE = 1e-9
# Share of the measured extremes that integers reach; the rare elements beyond are clipped, and
# all others get finer steps. lama-tiny's photographs of 256 and 512 pixels come to 40.2 and
# 35.4 dB with all of it, to 41.0 and 36.1 with 0.85, and at 512 to 35.6 with 0.7.
KEPT = 0.85


@dataclass(frozen=True)
class Scale:
    """How integers stand for a value: ``(integer - zero) * step``."""

    step: np.float32
    zero: int
    dtype: type[np.uint8] | type[np.int8]

    @property
    def zero_point(self) -> NDArray[Any]:
        """The zero point as an array of the integers' type."""
        return np.array(self.zero, dtype=self.dtype)


def sources(value: ir.Value) -> Iterator[ir.Value]:
    """Yield the values whose elements a value's are, before they were moved."""
    node = value.producer()
    if node is None or node.op_type not in MOVING:
        yield value
        return
    for each in node.inputs if node.op_type == "Concat" else node.inputs[:1]:
        assert each is not None
        yield from sources(each)


def pixels_beside(value: ir.Value) -> int:
    """Return how many pixels of a row stand in a pixel of a value: see `paired_convolution`."""
    return PAIR if str(value.name).endswith(PAIRS) else 1


def result_of(layer: ir.Node) -> ir.Value:
    """Return a layer's result: after the ReLU where nothing else reads it before."""
    output = layer.outputs[0]
    readers = list(output.consumers())
    if len(readers) == 1 and readers[0].op_type == "Relu":
        return readers[0].outputs[0]
    return output


def shared_range(
    values: Iterable[ir.Value], ranges: Ranges, kept: float = KEPT
) -> tuple[float, float]:
    """Return the range that integers shall reach for several values, 0 within it.

    Args:
        values: those that share a scale.
        ranges: the measured ones.
        kept: the share of the measured extremes that is reached.

    Raises:
        UsageError: when a value was not measured.
    """
    lows, highs = [0.0], [_LEAST_RANGE]
    for value in values:
        name = str(value.name)
        if name.startswith(_INPUT_SCOPE):
            highs.append(1.0)
            continue
        if name not in ranges.values:
            raise UsageError(
                f"there is no range for {name!r}: measure the ranges on the fp32 graph of the "
                "same checkpoint"
            )
        one = ranges.values[name]
        node = value.producer()
        if node is None or node.op_type != "Relu":
            lows.append(kept * float(one.low.min()))
        highs.append(kept * float(one.high.max()))
    return min(lows), max(highs)


def unsigned_scale(low: float, high: float) -> Scale:
    """Return the uint8 scale of a range that 0 lies in; 0 itself is exact."""
    step = np.float32((high - low) / 255)
    return Scale(step, int(np.clip(round(-low / float(step)), 0, 255)), np.uint8)


def signed_scale(low: float, high: float) -> Scale:
    """Return the int8 scale of a range, with zero point 0."""
    return Scale(np.float32(max(high, -low) / 127), 0, np.int8)
