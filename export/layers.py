"""The generator's layers as graph operators: batch norm folded, padding written out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import needs_extra
from lama_edge.export.graph_builder import GraphBuilder

with needs_extra("export"):
    import onnx_ir as ir

Array = NDArray[Any]
BATCH_NORM_EPSILON = 1e-5  # torch's default, which every LaMa checkpoint was trained with


@dataclass(frozen=True)
class Weights:
    """A generator's tensors, addressed by the official names under a prefix.

    Attributes:
        tensors: all tensors by full name.
        prefix: the name's first part, such as ``model.5.conv1.``.
    """

    tensors: Mapping[str, Array]
    prefix: str = ""

    def at(self, name: str) -> Weights:
        """Return a view below `name`."""
        return Weights(self.tensors, f"{self.prefix}{name}.")

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        return self.tensors[self.prefix + name].astype(np.float64)

    def batch_norm(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the scale and shift that batch norm `name` applies in evaluation, each [C]."""
        norm = self.at(name)
        scale = norm["weight"] / np.sqrt(norm["running_var"] + BATCH_NORM_EPSILON)
        return scale, norm["bias"] - norm["running_mean"] * scale


def reflect_pad(b: GraphBuilder, role: str, x: ir.Value, amount: int) -> ir.Value:
    """Pad height and width by reflection that does not repeat the edge."""
    pads = b.integers(0, 0, amount, amount, 0, 0, amount, amount)
    return b.op("Pad", role, x, pads, mode="reflect")


def convolution(
    b: GraphBuilder,
    role: str,
    x: ir.Value,
    weight: Array,
    bias: Array | None,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
) -> ir.Value:
    """Convolve, zero-padded; `weight` is [C_out,C_in,K,K], `bias` [C_out] or None."""
    kernel = weight.shape[2:]
    return b.op(
        "Conv",
        role,
        x,
        *_parameters(b, role, weight, bias),
        kernel_shape=list(kernel),
        strides=[stride, stride],
        pads=[padding] * 4,
        dilations=[dilation, dilation],
    )


def upsampling_convolution(
    b: GraphBuilder, role: str, x: ir.Value, weight: Array, bias: Array
) -> ir.Value:
    """Double height and width by a transposed 3×3 convolution; `weight` is [C_in,C_out,3,3]."""
    return b.op(
        "ConvTranspose",
        role,
        x,
        *_parameters(b, role, weight, bias),
        kernel_shape=[3, 3],
        strides=[2, 2],
        pads=[1, 1, 1, 1],
        output_padding=[1, 1],
    )


def decoder(
    b: GraphBuilder, x: ir.Value, layers: Weights, first: int, n_upsampling: int
) -> ir.Value:
    """Write the decoder that every family ends with.

    Args:
        b: the graph under construction.
        x: float32 [N,C,h,w], the bottleneck.
        layers: the generator's ``model``.
        first: index in it of the first transposed convolution.
        n_upsampling: number of doublings.

    Returns:
        float32 [N,3,H,W] in [0,1].
    """
    for stage in range(n_upsampling):
        with b.scope(f"up{stage}"):
            index = first + 3 * stage
            scale, shift = layers.batch_norm(str(index + 1))
            conv = layers.at(str(index))
            weight = conv["weight"] * scale[:, None, None]
            x = upsampling_convolution(b, "conv", x, weight, conv["bias"] * scale + shift)
            x = relu(b, "relu", x)
    with b.scope("head"):
        last = layers.at(str(first + 3 * n_upsampling + 1))
        x = convolution(b, "conv", reflect_pad(b, "pad", x, 3), last["weight"], last["bias"])
        return b.op("Sigmoid", "sigmoid", x)


def relu(b: GraphBuilder, role: str, x: ir.Value) -> ir.Value:
    """Apply ReLU."""
    return b.op("Relu", role, x)


def scale_outputs(weight: Array, scale: Array) -> Array:
    """Multiply a convolution's weight [C_out,…] by a factor per output channel."""
    scaled: Array = weight * scale.reshape(-1, *([1] * (weight.ndim - 1)))
    return scaled


def _parameters(b: GraphBuilder, role: str, weight: Array, bias: Array | None) -> list[ir.Value]:
    values = [b.constant(f"{role}.weight", weight.astype(np.float32))]
    if bias is not None:
        values.append(b.constant(f"{role}.bias", bias.astype(np.float32)))
    return values
