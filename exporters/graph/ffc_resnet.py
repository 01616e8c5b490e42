"""The `ffc_resnet` generator as a deploy graph.

Batch norm is folded into the convolution before it. For float kernels, convolutions that meet in
a sum stay apart: runtimes fold the addition into the second one, while joining their inputs costs
a copy. For integer kernels they are joined: each would round its own result, and the copy is of
bytes. At a fixed size integer kernels get products of gathered pixels instead, which give floats.
Where spectral transforms shall be products, nothing in them is transposed either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lama_edge.errors import needs_extra
from lama_edge.exporters.graph.bands.ends import LEAST_STEPS, decoder_in_bands, encoder_start
from lama_edge.exporters.graph.bands.ffc import LocalGlobal, Trunk
from lama_edge.exporters.graph.builder import GraphBuilder
from lama_edge.exporters.graph.dft.channels_last import ChannelsLastDft
from lama_edge.exporters.graph.dft.forms import DftForm, Spectrum
from lama_edge.exporters.graph.layers import (
    Kernels,
    Weights,
    convolution,
    decoder,
    pointwise_convolution,
    product,
    reflect_pad,
    relu,
    scale_outputs,
)
from lama_edge.exporters.graph.layers_channels_last import (
    gathered,
    gathered_convolution,
    paired_convolution,
    reflected_windows,
)
from lama_edge.exporters.graph.stages import decoder_halo, encoder_halo
from lama_edge.models.config import FfcResnetConfig
from lama_edge.spec import Size

with needs_extra("export"):
    import onnx_ir as ir


@dataclass(frozen=True)
class _Form:
    """The form that a graph's layers are written in.

    Attributes:
        dft: the DFT's.
        kernels: what the graph is shaped for.
        windows: which pixels a 3×3 window of the bottleneck sees, where integer kernels gather
            them.
    """

    dft: DftForm
    kernels: Kernels
    windows: ir.Value | None


@dataclass(frozen=True)
class _SpatialWeights:
    """Weights [C_out,C_in,3,3] of a Fourier convolution's other paths, and the biases [C_out]."""

    local_to_local: np.ndarray
    global_to_local: np.ndarray
    local_bias: np.ndarray
    local_to_global: np.ndarray
    global_bias: np.ndarray


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
    kernels: Kernels = "direct",
    size: Size | None = None,
) -> ir.Value:
    """Write the generator into the graph.

    Args:
        b: the graph under construction.
        x: float32 [N,4,H,W], masked RGB and mask.
        config: the architecture.
        weights: the generator's tensors under their official names.
        dft_form: makes the DFT's form from a map of the bottleneck's size.
        kernels: what the graph is shaped for.
        size: the picture's, where it is fixed.

    Returns:
        float32 [N,3,H,W] in [0,1], the raw fill.
    """
    layers = weights.at("model")
    windows = None
    if kernels == "bands":
        return _in_bands(b, x, config, layers)
    with b.scope("stem"):
        x = reflect_pad(b, "pad", x, 3)
        paired = kernels in ("integer", "joined") and size is not None
        if paired:
            x = paired_convolution(b, "conv", x, *_folded(layers.at("1")))
        else:
            x = _conv_bn_relu(b, "conv", x, layers.at("1"))
        if kernels == "integer" and size is not None:
            cells = size.height // config.reduction, size.width // config.reduction
            windows = reflected_windows(b, *cells)
    maps = _downsample(b, x, config, layers)
    b.stage("encoder", (), maps, halo=encoder_halo(config.n_downsampling))
    form = _Form(dft_form(maps[0]), kernels, windows)
    first_block = 2 + config.n_downsampling
    for index in range(config.n_blocks):
        with b.scope(f"block{index:02d}"):
            maps = _residual_block(b, maps, layers.at(str(first_block + index)), form)
    b.stage("decoder", maps, (), halo=decoder_halo(config.n_downsampling))
    x = b.op("Concat", "bottleneck", *maps, axis=1)
    first_up = first_block + config.n_blocks + 1
    return decoder(b, x, layers, first_up, config.n_downsampling, kernels)


def _in_bands(b: GraphBuilder, x: ir.Value, config: FfcResnetConfig, layers: Weights) -> ir.Value:
    """Write the generator as loops over bands of rows."""
    ends_too = config.n_downsampling >= LEAST_STEPS
    if ends_too:
        with b.scope("start"):
            x = encoder_start(
                b,
                x,
                lambda rows: _conv_bn_relu(b, "stem", rows, layers.at("1")),
                lambda rows: _conv_bn_relu(b, "down0", rows, layers.at("2"), stride=2),
            )
    else:
        with b.scope("stem"):
            x = _conv_bn_relu(b, "conv", reflect_pad(b, "pad", x, 3), layers.at("1"))
    x = _trunk_in_bands(b, _downsample(b, x, config, layers, int(ends_too)), config, layers)
    first_up = 3 + config.n_downsampling + config.n_blocks
    write = decoder_in_bands if ends_too else decoder
    return write(b, x, layers, first_up, config.n_downsampling)


def _trunk_in_bands(
    b: GraphBuilder, maps: LocalGlobal, config: FfcResnetConfig, layers: Weights
) -> ir.Value:
    """Write the blocks between maps [N,C,H,W]; return the joined result."""
    first, second = (
        b.op("Unsqueeze", f"{name}_rows", last, b.integers(1))
        for name, x in zip(("local", "global"), maps, strict=True)
        for last in (b.op("Transpose", f"{name}_last", x, perm=[0, 2, 3, 1]),)
    )
    b.stage("encoder", (), (first, second), halo=encoder_halo(config.n_downsampling))
    trunk = Trunk(b, config, (first, second))
    maps = trunk.write(layers, 2 + config.n_downsampling)
    b.stage("decoder", maps, (), halo=decoder_halo(config.n_downsampling))
    joined = b.op("Concat", "joined", *maps, axis=4)
    flat = b.op("Squeeze", "bottleneck_last", joined, b.integers(1))
    return b.op("Transpose", "bottleneck", flat, perm=[0, 3, 1, 2])


def _downsample(
    b: GraphBuilder, x: ir.Value, config: FfcResnetConfig, layers: Weights, done: int = 0
) -> LocalGlobal:
    """Halve the size `n_downsampling` times but those done; the last splits (local, global)."""
    for index in range(done, config.n_downsampling - 1):
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
    b: GraphBuilder, maps: LocalGlobal, weights: Weights, form: _Form
) -> LocalGlobal:
    with b.scope("conv1"):
        between, spectral = _fast_fourier_conv(b, maps, weights.at("conv1"), form)
    _record_stages(b, maps, spectral, between, residual=None)
    with b.scope("conv2"):
        out, spectral = _fast_fourier_conv(b, between, weights.at("conv2"), form)
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
    halo = (1, 1)
    reduced, total = spectral.reduced, spectral.total
    b.stage("bands", maps, (out[0], reduced), pointwise=local, halo=halo)
    b.stage("channels", (), spectral.spectrum, pointwise=(reduced,))
    b.stage("bands", (), spectral.mixed, pointwise=spectral.spectrum)
    b.stage("channels", (), (total,), pointwise=(*spectral.mixed, reduced))
    b.stage("bands", maps[:1], out[1:], pointwise=(total, *global_), halo=halo)


def _fast_fourier_conv(
    b: GraphBuilder, maps: LocalGlobal, weights: Weights, form: _Form
) -> tuple[LocalGlobal, _SpectralTransform]:
    ffc = weights.at("ffc")
    local_scale, local_shift = weights.batch_norm("bn_l")
    global_scale, global_shift = weights.batch_norm("bn_g")
    spatial = _SpatialWeights(
        scale_outputs(ffc["convl2l.weight"], local_scale),
        scale_outputs(ffc["convg2l.weight"], local_scale),
        local_shift,
        scale_outputs(ffc["convl2g.weight"], global_scale),
        global_shift,
    )
    if form.windows is None:
        out_local, from_local = _spatial_convolutions(b, maps, spatial, form.kernels)
    else:
        out_local, from_local = _gathered_convolutions(b, maps, spatial, form.windows)
    with b.scope("spectral"):
        convg2g = ffc.at("convg2g")
        if form.kernels == "products" and isinstance(form.dft, ChannelsLastDft):
            spectral = _spectral_products(b, maps[1], convg2g, global_scale, form.dft)
        else:
            spectral = _spectral_transform(b, maps[1], convg2g, global_scale, form)
    out_global = b.op("Add", "global", from_local, spectral.output)
    return (relu(b, "local_relu", out_local), relu(b, "global_relu", out_global)), spectral


def _spatial_convolutions(
    b: GraphBuilder, maps: LocalGlobal, weights: _SpatialWeights, kernels: Kernels
) -> LocalGlobal:
    """Return the local map, and what the global one gets from the local one."""
    local, global_ = (
        reflect_pad(b, f"pad_{name}", x, 1)
        for name, x in zip(("local", "global"), maps, strict=True)
    )
    if kernels in ("integer", "joined"):
        joined = b.op("Concat", "local_joined", local, global_, axis=1)
        both = np.concatenate((weights.local_to_local, weights.global_to_local), axis=1)
        total = convolution(b, "local", joined, both, weights.local_bias)
    else:
        first = convolution(b, "local_to_local", local, weights.local_to_local, weights.local_bias)
        second = convolution(b, "global_to_local", global_, weights.global_to_local, None)
        total = b.op("Add", "local", first, second)
    to_global = weights.local_to_global, weights.global_bias
    return total, convolution(b, "local_to_global", local, *to_global)


def _gathered_convolutions(
    b: GraphBuilder, maps: LocalGlobal, weights: _SpatialWeights, windows: ir.Value
) -> LocalGlobal:
    """Return the same as `_spatial_convolutions`, from products of the windows' pixels."""
    of_local = gathered(b, "of_local", maps[0], windows, weights.local_to_local.shape[1])
    of_global = gathered(b, "of_global", maps[1], windows, weights.global_to_local.shape[1])
    first_weights = weights.local_to_local, weights.local_bias
    first = gathered_convolution(b, "local_to_local", of_local, *first_weights)
    second = gathered_convolution(b, "global_to_local", of_global, weights.global_to_local, None)
    total = b.op("Add", "local", first, second)
    to_global = weights.local_to_global, weights.global_bias
    return total, gathered_convolution(b, "local_to_global", of_local, *to_global)


def _spectral_transform(
    b: GraphBuilder,
    x: ir.Value,
    weights: Weights,
    output_scale: np.ndarray,
    form: _Form,
) -> _SpectralTransform:
    """Write the global path; `output_scale` is the scale of the batch norm that follows it."""
    scale, shift = weights.batch_norm("conv1.1")
    weight = scale_outputs(weights["conv1.0.weight"], scale)
    x = pointwise_convolution(b, "reduce", x, weight, shift, kernels=form.kernels)
    reduced = relu(b, "reduce_relu", x)
    spectrum = form.dft.forward(reduced)
    mixed = _fourier_unit(b, spectrum, weights.at("fu"), is_map=form.dft.is_map)
    total = b.op("Add", "sum", reduced, form.dft.inverse(mixed))
    expand = scale_outputs(weights["conv2.weight"], output_scale)
    output = pointwise_convolution(b, "expand", total, expand, None, kernels=form.kernels)
    return _SpectralTransform(reduced, spectrum, mixed, total, output)


def _spectral_products(
    b: GraphBuilder,
    x: ir.Value,
    weights: Weights,
    output_scale: np.ndarray,
    dft: ChannelsLastDft,
) -> _SpectralTransform:
    """Write the global path as `_spectral_transform` does, as products of rows of channels."""
    scale, shift = weights.batch_norm("conv1.1")
    reduce = scale_outputs(weights["conv1.0.weight"], scale)[:, :, 0, 0]
    last = b.op("Transpose", "last", x, perm=[0, 2, 3, 1])
    reduced = relu(b, "reduce_relu", dft.product_last("reduce", last, reduce, shift))
    spectrum = dft.forward_last(reduced)
    weight, shift = _fourier_parameters(weights.at("fu"))
    mixed = relu(b, "fourier_relu", product(b, "fourier", spectrum, weight[:, :, 0, 0], shift))
    total = b.op("Add", "sum", reduced, dft.inverse_last(mixed))
    expand = scale_outputs(weights["conv2.weight"], output_scale)[:, :, 0, 0]
    expanded = dft.product_last("expand", total, expand, None)
    output = b.op("Transpose", "expand_map", expanded, perm=[0, 3, 1, 2])
    return _SpectralTransform(reduced, (spectrum,), (mixed,), total, output)


def _fourier_unit(
    b: GraphBuilder, spectrum: Spectrum, weights: Weights, *, is_map: bool
) -> Spectrum:
    """Write the convolution of the spectrum."""
    weight, shift = _fourier_parameters(weights)
    if len(spectrum) == 1:
        if is_map:
            mixed = convolution(b, "fourier", spectrum[0], weight, shift)
            return (relu(b, "fourier_relu", mixed),)
        mixed = product(b, "fourier", spectrum[0], weight[:, :, 0, 0], shift)
        # ONNX Runtime would fuse the ReLU into the product and compute it on one thread.
        apart = b.op("Unsqueeze", "fourier_apart", mixed, b.integers(0))
        return (relu(b, "fourier_relu", apart),)
    outputs = []
    halves = zip(("re", "im"), np.split(weight, 2), np.split(shift, 2), strict=True)
    for part, half, bias in halves:
        from_re, from_im = np.split(half, 2, axis=1)
        real = convolution(b, f"{part}_from_re", spectrum[0], from_re, bias)
        imaginary = convolution(b, f"{part}_from_im", spectrum[1], from_im, None)
        total = b.op("Add", f"fourier_{part}", real, imaginary)
        outputs.append(relu(b, f"fourier_{part}_relu", total))
    return tuple(outputs)


def _fourier_parameters(weights: Weights) -> tuple[np.ndarray, np.ndarray]:
    """Return a Fourier unit's weight [2C,2C,1,1] and bias [2C]: all real channels come first.

    LaMa's own have real and imaginary channels in turn.
    """
    scale, shift = weights.batch_norm("bn")
    weight = scale_outputs(weights["conv_layer.weight"], scale)
    outputs, inputs = (np.r_[0:channels:2, 1:channels:2] for channels in weight.shape[:2])
    return weight[outputs][:, inputs], shift[outputs]


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
    x = convolution(b, role, x, *_folded(weights, path, norm), stride=stride)
    return relu(b, f"{role}_relu", x)


def _folded(
    weights: Weights, path: str = "convl2l", norm: str = "bn_l"
) -> tuple[np.ndarray, np.ndarray]:
    """Return a convolution's weight and bias with the batch norm after it."""
    scale, shift = weights.batch_norm(norm)
    return scale_outputs(weights[f"ffc.{path}.weight"], scale), shift
