"""The `ffc_resnet` generator as a deploy graph.

Batch norm is folded into the convolution before it, and the two convolutions that meet in a
block's local output are one convolution over the concatenated maps.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lama_edge.errors import needs_extra
from lama_edge.export.dft import DftForm
from lama_edge.export.graph_builder import GraphBuilder
from lama_edge.export.layers import (
    Weights,
    convolution,
    decoder,
    reflect_pad,
    relu,
    scale_outputs,
)
from lama_edge.models.config import FfcResnetConfig

with needs_extra("export"):
    import onnx_ir as ir

LocalGlobal = tuple[ir.Value, ir.Value]


def ffc_resnet(
    b: GraphBuilder,
    x: ir.Value,
    config: FfcResnetConfig,
    weights: Weights,
    dft_form: Callable[[ir.Value], DftForm],
) -> ir.Value:
    """Write the generator into the graph.

    Args:
        b: the graph under construction.
        x: float32 [N,4,H,W], masked RGB and mask.
        config: the architecture.
        weights: the generator's tensors under their official names.
        dft_form: makes the DFT's form from a map of the bottleneck's size.

    Returns:
        float32 [N,3,H,W] in [0,1], the raw fill.
    """
    layers = weights.at("model")
    with b.scope("stem"):
        x = reflect_pad(b, "pad", x, 3)
        x = _conv_bn_relu(b, "conv", x, layers.at("1"))
    maps = _downsample(b, x, config, layers)
    dft = dft_form(maps[0])
    first_block = 2 + config.n_downsampling
    for index in range(config.n_blocks):
        with b.scope(f"block{index:02d}"):
            maps = _residual_block(b, maps, layers.at(str(first_block + index)), dft)
    x = b.op("Concat", "bottleneck", *maps, axis=1)
    return decoder(b, x, layers, first_block + config.n_blocks + 1, config.n_downsampling)


def _downsample(
    b: GraphBuilder, x: ir.Value, config: FfcResnetConfig, layers: Weights
) -> LocalGlobal:
    """Halve the size `n_downsampling` times; the last stage splits into (local, global)."""
    for index in range(config.n_downsampling - 1):
        with b.scope(f"down{index}"):
            x = reflect_pad(b, "pad", x, 1)
            x = _conv_bn_relu(b, "conv", x, layers.at(str(2 + index)), stride=2)
    with b.scope(f"down{config.n_downsampling - 1}"):
        x = reflect_pad(b, "pad", x, 1)
        last = layers.at(str(1 + config.n_downsampling))
        return (
            _conv_bn_relu(b, "local", x, last, stride=2),
            _conv_bn_relu(b, "global", x, last, stride=2, path="convl2g", norm="bn_g"),
        )


def _residual_block(
    b: GraphBuilder, maps: LocalGlobal, weights: Weights, dft: DftForm
) -> LocalGlobal:
    out = maps
    for name in ("conv1", "conv2"):
        with b.scope(name):
            out = _fast_fourier_conv(b, out, weights.at(name), dft)
    return (
        b.op("Add", "local", maps[0], out[0]),
        b.op("Add", "global", maps[1], out[1]),
    )


def _fast_fourier_conv(
    b: GraphBuilder, maps: LocalGlobal, weights: Weights, dft: DftForm
) -> LocalGlobal:
    local, global_ = maps
    ffc = weights.at("ffc")
    local_scale, local_shift = weights.batch_norm("bn_l")
    global_scale, global_shift = weights.batch_norm("bn_g")
    padded_local = reflect_pad(b, "pad_local", local, 1)
    both = b.op(
        "Concat", "pad_both", padded_local, reflect_pad(b, "pad_global", global_, 1), axis=1
    )
    to_local = np.concatenate([ffc["convl2l.weight"], ffc["convg2l.weight"]], axis=1)
    out_local = convolution(b, "local", both, scale_outputs(to_local, local_scale), local_shift)
    to_global = scale_outputs(ffc["convl2g.weight"], global_scale)
    from_local = convolution(b, "local_to_global", padded_local, to_global, global_shift)
    with b.scope("spectral"):
        from_global = _spectral_transform(b, global_, ffc.at("convg2g"), global_scale, dft)
    out_global = b.op("Add", "global", from_local, from_global)
    return relu(b, "local_relu", out_local), relu(b, "global_relu", out_global)


def _spectral_transform(
    b: GraphBuilder, x: ir.Value, weights: Weights, output_scale: np.ndarray, dft: DftForm
) -> ir.Value:
    """Write the global path; `output_scale` is the scale of the batch norm that follows it."""
    scale, shift = weights.batch_norm("conv1.1")
    x = convolution(b, "reduce", x, scale_outputs(weights["conv1.0.weight"], scale), shift)
    x = relu(b, "reduce_relu", x)
    channels = weights["conv2.weight"].shape[1]
    spectrum = dft.forward(x, channels)
    scale, shift = weights.batch_norm("fu.bn")
    weight = scale_outputs(weights["fu.conv_layer.weight"], scale)
    spectrum = relu(b, "fourier_relu", convolution(b, "fourier", spectrum, weight, shift))
    x = b.op("Add", "sum", x, dft.inverse(spectrum, channels))
    return convolution(b, "expand", x, scale_outputs(weights["conv2.weight"], output_scale), None)


def _conv_bn_relu(
    b: GraphBuilder,
    role: str,
    x: ir.Value,
    weights: Weights,
    *,
    stride: int = 1,
    path: str = "convl2l",
    norm: str = "bn_l",
) -> ir.Value:
    scale, shift = weights.batch_norm(norm)
    weight = scale_outputs(weights[f"ffc.{path}.weight"], scale)
    x = convolution(b, role, x, weight, shift, stride=stride)
    return relu(b, f"{role}_relu", x)
