"""The `pix2pixhd_global` and `pix2pixhd_multidilated` generators as deploy graphs.

Batch norm is folded into the convolution before it.
"""

from __future__ import annotations

from lama_edge.errors import needs_extra
from lama_edge.exporters.graph.builder import GraphBuilder
from lama_edge.exporters.graph.layers import (
    Kernels,
    Weights,
    convolution,
    decoder,
    reflect_pad,
    relu,
    scale_outputs,
)
from lama_edge.exporters.graph.stages import decoder_halo, encoder_halo
from lama_edge.models.config import GeneratorConfig, Pix2PixHdMultidilatedConfig

with needs_extra("export"):
    import onnx_ir as ir


def pix2pixhd(
    b: GraphBuilder,
    x: ir.Value,
    config: GeneratorConfig,
    weights: Weights,
    kernels: Kernels = "direct",
) -> ir.Value:
    """Write the generator into the graph; arguments and result as for `ffc_resnet.ffc_resnet`."""
    layers = weights.at("model")
    with b.scope("stem"):
        x = _conv_bn(b, "conv", reflect_pad(b, "pad", x, 3), layers, 1)
        x = relu(b, "relu", x)
    for index in range(config.n_downsampling):
        with b.scope(f"down{index}"):
            x = _conv_bn(b, "conv", x, layers, 4 + 3 * index, stride=2, padding=(1, 1, 1, 1))
            x = relu(b, "relu", x)
    b.stage("encoder", (), (x,), halo=encoder_halo(config.n_downsampling))
    halo = config.bottleneck_padding, config.bottleneck_padding
    first_block = 4 + 3 * config.n_downsampling
    for index in range(config.n_blocks):
        with b.scope(f"block{index:02d}"):
            block = layers.at(str(first_block + index)).at("conv_block")
            if isinstance(config, Pix2PixHdMultidilatedConfig):
                between, out = _multidilated_block(b, x, block, config.dilations)
            else:
                between, out = _plain_block(b, x, block)
            total = b.op("Add", "sum", x, out)
        b.stage("bands", (x,), (between,), halo=halo)
        b.stage("bands", (between,), (total,), pointwise=(x,), halo=halo)
        x = total
    b.stage("decoder", (x,), (), halo=decoder_halo(config.n_downsampling))
    first_up = first_block + config.n_blocks
    return decoder(b, x, layers, first_up, config.n_downsampling, kernels)


def _plain_block(b: GraphBuilder, x: ir.Value, block: Weights) -> tuple[ir.Value, ir.Value]:
    """Write both convolutions; return what is between them, and the result."""
    x = relu(b, "relu", _conv_bn(b, "conv1", reflect_pad(b, "pad1", x, 1), block, 1))
    return x, _conv_bn(b, "conv2", reflect_pad(b, "pad2", x, 1), block, 5)


def _multidilated_block(
    b: GraphBuilder, x: ir.Value, block: Weights, dilations: tuple[int, ...]
) -> tuple[ir.Value, ir.Value]:
    """Write both convolutions; return what is between them, and the result."""
    x = relu(b, "relu", _multidilated_conv_bn(b, "conv1", x, block, 0, dilations))
    return x, _multidilated_conv_bn(b, "conv2", x, block, 3, dilations)


def _multidilated_conv_bn(
    b: GraphBuilder,
    role: str,
    x: ir.Value,
    block: Weights,
    index: int,
    dilations: tuple[int, ...],
) -> ir.Value:
    """Sum dilated convolutions of the input's shares; their biases and the shift are one bias."""
    scale, shift = block.batch_norm(str(index + 1))
    convs = [block.at(str(index)).at("convs").at(str(n)) for n in range(len(dilations))]
    bias = sum(conv["bias"] for conv in convs) * scale + shift
    share = convs[0]["weight"].shape[1]
    total: ir.Value | None = None
    with b.scope(role):
        for n, (conv, dilation) in enumerate(zip(convs, dilations, strict=True)):
            start, end = b.integers(n * share), b.integers((n + 1) * share)
            part = b.op("Slice", f"share{n}", x, start, end, b.integers(1))
            out = convolution(
                b,
                f"dilation{dilation}",
                reflect_pad(b, f"pad{dilation}", part, dilation),
                scale_outputs(conv["weight"], scale),
                bias if total is None else None,
                dilation=dilation,
            )
            total = out if total is None else b.op("Add", f"sum{n}", total, out)
    assert total is not None
    return total


def _conv_bn(
    b: GraphBuilder,
    role: str,
    x: ir.Value,
    layers: Weights,
    index: int,
    *,
    stride: int = 1,
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
) -> ir.Value:
    """Write the convolution `index` with the batch norm after it folded in."""
    scale, shift = layers.batch_norm(str(index + 1))
    conv = layers.at(str(index))
    weight = scale_outputs(conv["weight"], scale)
    return convolution(
        b, role, x, weight, conv["bias"] * scale + shift, stride=stride, padding=padding
    )
