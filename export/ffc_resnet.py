"""The `ffc_resnet` generator as a deploy graph.

Batch norm is folded into the convolution before it. Convolutions that meet in a sum stay apart:
runtimes fold the addition into the second one, while joining their inputs costs a copy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lama_edge.errors import needs_extra
from lama_edge.export.dft import DftForm, Spectrum
from lama_edge.export.graph_builder import GraphBuilder
from lama_edge.export.layers import (
    Weights,
    convolution,
    decoder,
    reflect_pad,
    relu,
    scale_outputs,
)
from lama_edge.export.stages import decoder_halo, encoder_halo
from lama_edge.models.config import FfcResnetConfig

with needs_extra("export"):
    import onnx_ir as ir

LocalGlobal = tuple[ir.Value, ir.Value]


@dataclass(frozen=True)
class _SpectralTransform:
    """The values of a spectral transform between which it can be cut into stages."""

    reduced: ir.Value
    spectrum: Spectrum
    mixed: Spectrum
    total: ir.Value
    output: ir.Value


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
    b.stage("encoder", (), maps, halo=encoder_halo(config.n_downsampling))
    dft = dft_form(maps[0])
    first_block = 2 + config.n_downsampling
    for index in range(config.n_blocks):
        with b.scope(f"block{index:02d}"):
            maps = _residual_block(b, maps, layers.at(str(first_block + index)), dft)
    b.stage("decoder", maps, (), halo=decoder_halo(config.n_downsampling))
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
    with b.scope("conv1"):
        between, spectral = _fast_fourier_conv(b, maps, weights.at("conv1"), dft)
    _record_stages(b, maps, spectral, between, residual=None)
    with b.scope("conv2"):
        out, spectral = _fast_fourier_conv(b, between, weights.at("conv2"), dft)
    sums = b.op("Add", "local", maps[0], out[0]), b.op("Add", "global", maps[1], out[1])
    _record_stages(b, between, spectral, sums, residual=maps)
    return sums


def _record_stages(
    b: GraphBuilder,
    maps: LocalGlobal,
    spectral: _SpectralTransform,
    out: LocalGlobal,
    residual: LocalGlobal | None,
) -> None:
    """Record a convolution's stages; `out` is its result, added to `residual` if there is one."""
    local, global_ = ((), ()) if residual is None else ((residual[0],), (residual[1],))
    halo = 1, 1
    reduced, total = spectral.reduced, spectral.total
    b.stage("bands", maps, (out[0], reduced), pointwise=local, halo=halo)
    b.stage("channels", (), spectral.spectrum, pointwise=(reduced,))
    b.stage("bands", (), spectral.mixed, pointwise=spectral.spectrum)
    b.stage("channels", (), (total,), pointwise=(*spectral.mixed, reduced))
    b.stage("bands", maps[:1], out[1:], pointwise=(total, *global_), halo=halo)


def _fast_fourier_conv(
    b: GraphBuilder, maps: LocalGlobal, weights: Weights, dft: DftForm
) -> tuple[LocalGlobal, _SpectralTransform]:
    local, global_ = maps
    ffc = weights.at("ffc")
    local_scale, local_shift = weights.batch_norm("bn_l")
    global_scale, global_shift = weights.batch_norm("bn_g")
    padded_local = reflect_pad(b, "pad_local", local, 1)
    padded_global = reflect_pad(b, "pad_global", global_, 1)
    to_local = scale_outputs(ffc["convl2l.weight"], local_scale)
    from_local = convolution(b, "local_to_local", padded_local, to_local, local_shift)
    to_local = scale_outputs(ffc["convg2l.weight"], local_scale)
    from_global = convolution(b, "global_to_local", padded_global, to_local, None)
    out_local = b.op("Add", "local", from_local, from_global)
    to_global = scale_outputs(ffc["convl2g.weight"], global_scale)
    from_local = convolution(b, "local_to_global", padded_local, to_global, global_shift)
    with b.scope("spectral"):
        spectral = _spectral_transform(b, global_, ffc.at("convg2g"), global_scale, dft)
    out_global = b.op("Add", "global", from_local, spectral.output)
    return (relu(b, "local_relu", out_local), relu(b, "global_relu", out_global)), spectral


def _spectral_transform(
    b: GraphBuilder, x: ir.Value, weights: Weights, output_scale: np.ndarray, dft: DftForm
) -> _SpectralTransform:
    """Write the global path; `output_scale` is the scale of the batch norm that follows it."""
    scale, shift = weights.batch_norm("conv1.1")
    x = convolution(b, "reduce", x, scale_outputs(weights["conv1.0.weight"], scale), shift)
    reduced = relu(b, "reduce_relu", x)
    spectrum = dft.forward(reduced)
    mixed = _fourier_unit(b, spectrum, weights.at("fu"))
    total = b.op("Add", "sum", reduced, dft.inverse(mixed))
    expand = scale_outputs(weights["conv2.weight"], output_scale)
    output = convolution(b, "expand", total, expand, None)
    return _SpectralTransform(reduced, spectrum, mixed, total, output)


def _fourier_unit(b: GraphBuilder, spectrum: Spectrum, weights: Weights) -> Spectrum:
    """Write the convolution of the spectrum; LaMa's has real and imaginary channels in turn."""
    scale, shift = weights.batch_norm("bn")
    weight = scale_outputs(weights["conv_layer.weight"], scale)
    outputs = []
    for row, part in enumerate(("re", "im")):
        from_re, from_im = weight[row::2, 0::2], weight[row::2, 1::2]
        real = convolution(b, f"{part}_from_re", spectrum[0], from_re, shift[row::2])
        imaginary = convolution(b, f"{part}_from_im", spectrum[1], from_im, None)
        total = b.op("Add", f"fourier_{part}", real, imaginary)
        outputs.append(relu(b, f"fourier_{part}_relu", total))
    return outputs[0], outputs[1]


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
