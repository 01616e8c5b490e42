"""The generator's layers as graph operators: batch norm folded, padding written out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import CheckpointError, needs_extra
from lama_edge.exporters.graph.builder import GraphBuilder

with needs_extra("export"):
    import onnx_ir as ir

Array = NDArray[Any]
# What the graph is shaped for: convolutions of float maps, [N,C,H,W] and blocks of it; products of
# float maps with the channels last, a band at a time, 3×3 convolutions in Winograd's form; integer
# kernels with the channels last, which give every sum of convolutions an extra rounding; the
# direct form with one convolution of joined maps for such a sum, for the same reason; or the direct
# form whose spectral transforms, at a fixed size, are products of rows of channels.
Kernels = Literal["direct", "bands", "integer", "joined", "products"]
BATCH_NORM_EPSILON = 1e-5  # torch's default, which every LaMa checkpoint was trained with


# Of a transposed convolution of stride 2, padding 1 and 3 taps: those that an even and an odd
# output see, in the order of the inputs they meet.
_PHASE_TAPS = ([1], [2, 0])
# 3 output channels of 4 × 4 pixels are 48, whole vectors of 8 and of 16 lanes.
HEAD_BLOCK = 4


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
        """Return the scale and shift that batch norm `name` applies in evaluation, each [C].

        Raises:
            CheckpointError: when a variance is negative.
        """
        norm = self.at(name)
        variance = norm["running_var"] + BATCH_NORM_EPSILON
        if not (variance > 0).all():
            raise CheckpointError(
                f"the tensor {norm.prefix}running_var holds the variance "
                f"{norm['running_var'].min():g}, below 0: the checkpoint is damaged, get another"
            )
        scale = norm["weight"] / np.sqrt(variance)
        return scale, norm["bias"] - norm["running_mean"] * scale


def reflect_pad(
    b: GraphBuilder, role: str, x: ir.Value, amount: int, *, rows: int | None = None
) -> ir.Value:
    """Pad by reflection that does not repeat the edge: height by `rows`, or as much as width."""
    down = amount if rows is None else rows
    pads = b.integers(0, 0, down, amount, 0, 0, down, amount)
    return b.op("Pad", role, x, pads, mode="reflect")


def convolution(
    b: GraphBuilder,
    role: str,
    x: ir.Value,
    weight: Array,
    bias: Array | None,
    *,
    stride: int = 1,
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    dilation: int = 1,
) -> ir.Value:
    """Convolve; `weight` is [C_out,C_in,K,L], `bias` [C_out] or None.

    `padding` is the number of zeros at the top, left, bottom and right.
    """
    kernel = weight.shape[2:]
    return b.op(
        "Conv",
        role,
        x,
        *_parameters(b, role, weight, bias),
        kernel_shape=list(kernel),
        strides=[stride, stride],
        pads=list(padding),
        dilations=[dilation, dilation],
    )


def product(b: GraphBuilder, role: str, x: ir.Value, weight: Array, bias: Array | None) -> ir.Value:
    """Multiply [R,C_in] by the transpose of `weight` [C_out,C_in] and add `bias` [C_out]."""
    return b.op("Gemm", role, x, *_parameters(b, role, weight, bias), transB=1)


def pointwise_convolution(
    b: GraphBuilder,
    role: str,
    x: ir.Value,
    weight: Array,
    bias: Array | None,
    *,
    kernels: Kernels = "direct",
) -> ir.Value:
    """Convolve [N,C_in,H,W] with `weight` [C_out,C_in,1,1].

    Among integer kernels it is a product of rows of channels: an integer product can give floats,
    an integer convolution only rounds.
    """
    if kernels != "integer":
        return convolution(b, role, x, weight, bias)
    last = b.op("Transpose", f"{role}_last", x, perm=[0, 2, 3, 1])
    rows = b.op("Reshape", f"{role}_rows", last, b.integers(-1, weight.shape[1]))
    mixed = product(b, f"{role}_product", rows, weight[:, :, 0, 0], bias)
    return map_of_rows(b, role, mixed, last, len(weight))


def map_of_rows(
    b: GraphBuilder, role: str, rows: ir.Value, last: ir.Value, channels: int
) -> ir.Value:
    """Return rows [NHW,C] as a map [N,C,H,W], of the size of a map `last` [N,H,W,…]."""
    shape = b.op("Shape", f"{role}_shape", last)
    size = b.op("Slice", f"{role}_size", shape, b.integers(0), b.integers(3))
    target = b.op("Concat", f"{role}_target", size, b.integers(channels), axis=0)
    image = b.op("Reshape", f"{role}_image", rows, target)
    return b.op("Transpose", role, image, perm=[0, 3, 1, 2])


def upsampling_convolution(
    b: GraphBuilder,
    role: str,
    x: ir.Value,
    weight: Array,
    bias: Array,
    *,
    kernels: Kernels = "direct",
) -> ir.Value:
    """Double height and width by a transposed 3×3 convolution, and apply ReLU.

    Each of the four outputs that an input pixel grows into sees one, two, two or four of the nine
    weights: four small convolutions and a shuffle (the sub-pixel form of Shi et al., CVPR 2016,
    arXiv 1609.05158) do the same arithmetic in a layout that runtimes are fast in.

    Args:
        b: the graph under construction.
        role: prefix of the nodes' names.
        x: float32 [N,C_in,h,w].
        weight: [C_in,C_out,3,3], of a transposed convolution of stride 2, padding 1 and output
            padding 1.
        bias: [C_out].
        kernels: what the shuffle is shaped for.

    Returns:
        float32 [N,C_out,2h,2w].
    """
    phases = []
    for row, taps_down in enumerate(_PHASE_TAPS):
        for column, taps_right in enumerate(_PHASE_TAPS):
            kernel = weight[:, :, taps_down][..., taps_right].swapaxes(0, 1)
            name = f"{role}{row}{column}"
            padding = (0, 0, len(taps_down) - 1, len(taps_right) - 1)
            phase = convolution(b, name, x, kernel, bias, padding=padding)
            phases.append(relu(b, f"{name}_relu", phase))
    if kernels == "integer":
        return _woven(b, role, x, phases)
    joined = b.op("Concat", f"{role}_phases", *phases, axis=1)
    return b.op("DepthToSpace", f"{role}_shuffle", joined, blocksize=2, mode="DCR")


def _woven(b: GraphBuilder, role: str, x: ir.Value, phases: list[ir.Value]) -> ir.Value:
    """Shuffle four maps [N,C,h,w] into one [N,C,2h,2w] by concatenation alone.

    With the channels last, pixels of two maps alternate in a row when their channels are
    concatenated, and rows of pixels alternate when whole rows are. Runtimes with integer kernels
    keep such maps with their channels last, where the transpositions cancel; a `DepthToSpace`
    there takes ten times as long.
    """
    last = [
        b.op("Transpose", f"{role}_phase{n}_last", phase, perm=[0, 2, 3, 1])
        for n, phase in enumerate(phases)
    ]
    rows = [b.op("Concat", f"{role}_row{n}", *last[2 * n : 2 * n + 2], axis=3) for n in range(2)]
    joined = b.op("Concat", f"{role}_rows", *rows, axis=2)
    shape = b.op("Shape", f"{role}_shape", x)
    batch = b.op("Slice", f"{role}_batch", shape, b.integers(0), b.integers(1))
    sides = b.op("Slice", f"{role}_sides", shape, b.integers(2), b.integers(4))
    doubled = b.op("Mul", f"{role}_doubled", sides, b.integers(2))
    target = b.op("Concat", f"{role}_target", batch, doubled, b.integers(-1), axis=0)
    woven = b.op("Reshape", f"{role}_woven", joined, target)
    return b.op("Transpose", f"{role}_shuffle", woven, perm=[0, 3, 1, 2])


def blocked_convolution(
    b: GraphBuilder, role: str, x: ir.Value, weight: Array, bias: Array, block: int
) -> ir.Value:
    """Convolve with few output channels: `block` × `block` outputs at a time, then a shuffle.

    A convolution to 3 channels leaves most of a processor's vector lanes empty; with 16 outputs a
    window it has 48, at the price of zeros in the larger kernels.

    Args:
        b: the graph under construction.
        role: prefix of the nodes' names.
        x: float32 [N,C_in,H,W], padded.
        weight: [C_out,C_in,K,K].
        bias: [C_out].
        block: side of a block; the output's height and width are multiples of it.

    Returns:
        float32 [N,C_out,H-K+1,W-K+1].
    """
    outputs, inputs, size, _ = weight.shape
    kernels = np.zeros((block, block, outputs, inputs, size + block - 1, size + block - 1))
    for row in range(block):
        for column in range(block):
            kernels[row, column, :, :, row : row + size, column : column + size] = weight
    joined = kernels.reshape(-1, *kernels.shape[3:])
    blocks = convolution(b, role, x, joined, np.tile(bias, block * block), stride=block)
    return b.op("DepthToSpace", f"{role}_shuffle", blocks, blocksize=block, mode="DCR")


def decoder(
    b: GraphBuilder,
    x: ir.Value,
    layers: Weights,
    first: int,
    n_upsampling: int,
    kernels: Kernels = "direct",
) -> ir.Value:
    """Write the decoder that every family ends with.

    Args:
        b: the graph under construction.
        x: float32 [N,C,h,w], the bottleneck.
        layers: the generator's ``model``.
        first: index in it of the first transposed convolution.
        n_upsampling: number of doublings.
        kernels: what the graph is shaped for.

    Returns:
        float32 [N,3,H,W] in [0,1].
    """
    x = upsampled(b, x, layers, first, n_upsampling, kernels)
    with b.scope("head"):
        last = layers.at(str(first + 3 * n_upsampling + 1))
        x = reflect_pad(b, "pad", x, 3)
        block = min(HEAD_BLOCK, 2**n_upsampling)
        x = blocked_convolution(b, "conv", x, last["weight"], last["bias"], block)
        return b.op("Sigmoid", "sigmoid", x)


def upsampled(
    b: GraphBuilder,
    x: ir.Value,
    layers: Weights,
    first: int,
    count: int,
    kernels: Kernels = "direct",
) -> ir.Value:
    """Write the decoder's first doublings, `count` of them, as `decoder` does."""
    for stage in range(count):
        with b.scope(f"up{stage}"):
            parameters = upsampling_parameters(layers, first + 3 * stage)
            x = upsampling_convolution(b, "conv", x, *parameters, kernels=kernels)
    return x


def upsampling_parameters(layers: Weights, index: int) -> tuple[Array, Array]:
    """Return a transposed convolution's weight and bias, with the batch norm after it."""
    scale, shift = layers.batch_norm(str(index + 1))
    conv = layers.at(str(index))
    return conv["weight"] * scale[:, None, None], conv["bias"] * scale + shift


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
