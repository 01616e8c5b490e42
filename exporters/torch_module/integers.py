"""Quantised graphs as torch's converters write them: floats between a rounding and its undoing.

Backends recognise an integer kernel by what is around it: an operator whose floats were made from
int8 and become int8 again. So whatever only moves elements is written on floats too, with a
rounding after each call, which changes nothing and costs nothing once it is recognised.

The graph counts activations from 0 to 255 and torch's backends from -128 to 127: the same levels, a
zero point 128 lower.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import ModelError, needs_extra
from lama_edge.exporters.precision.homogeneity import array_of
from lama_edge.exporters.torch_module.translation import Rounding, Translation, operator

with needs_extra("export"):
    import onnx_ir as ir
with needs_extra("torch"):
    import torch
    from torch import fx

    # Registers the operators.
    from torch.ao.quantization.fx import _decomposed

assert _decomposed
_LOWEST = 128


@operator("QuantizeLinear")
def _quantise(t: Translation, node: ir.Node) -> fx.Node:
    x, step, zero = node.inputs
    rounding = Rounding(float(t.constant(step)), int(t.constant(zero)) - _LOWEST)
    return t.rounded(t[x], rounding, node.outputs[0])


@operator("DequantizeLinear")
def _dequantise(t: Translation, node: ir.Node) -> fx.Node:
    """Return what integers stand for: floats that were rounded, or a constant turned back."""
    integers, scale, *zero = node.inputs
    if not t.is_constant(integers):
        return t[integers]
    assert integers is not None
    array, steps = t.constant(integers), t.constant(scale)
    if any(array_of(value).any() for value in zero if value is not None):
        raise ModelError(f"{node.name!r}: a weight of 0 has to be the integer 0")
    if array.dtype != np.int8:
        return t.buffer(str(node.outputs[0].name), (array * steps).astype(np.float32))
    return _weights(t, str(node.outputs[0].name), array, steps)


def _weights(t: Translation, name: str, values: NDArray[Any], steps: NDArray[Any]) -> fx.Node:
    """Return weights int8 [C_out,...] turned back."""
    integers = t.buffer(f"{name}.int8", values)
    scales = t.buffer(f"{name}.steps", steps)
    zeros = t.buffer(f"{name}.zeros", np.zeros(steps.shape, np.int64))
    dequantise = torch.ops.quantized_decomposed.dequantize_per_channel.default
    return t.call(dequantise, integers, scales, zeros, 0, -127, 127, torch.int8)
