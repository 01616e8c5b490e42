"""LaMa's convolutional generators: `pix2pixhd_global` and `pix2pixhd_multidilated`.

Wang et al., "High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs",
CVPR 2018, for the shape; the variants are the ablations of the LaMa paper (arXiv 2109.07161,
section 4), published as lama-regular and LaMa-Dilated.
"""

from __future__ import annotations

from lama_edge.models.config import GeneratorConfig, Pix2PixHdMultidilatedConfig
from lama_edge.models.generators.layers import (
    Array,
    Layer,
    Weights,
    convolution,
    decoder,
    in_turn,
    normalised,
)


def pix2pixhd(config: GeneratorConfig, weights: Weights) -> Layer:
    """Return the generator, see `build_generator`."""
    widths = config.level_widths
    layers = [
        convolution(weights, "model.1", (config.input_nc, config.ngf), 7, reflect=3),
        normalised(weights, "model.2", config.ngf),
    ]
    index = 4
    for level in range(config.n_downsampling):
        channels = widths[level], widths[level + 1]
        layers += [
            convolution(weights, f"model.{index}", channels, 3, zeros=1, stride=2),
            normalised(weights, f"model.{index + 1}", channels[1]),
        ]
        index += 3
    layers += [
        _residual_block(weights, f"model.{index + block}.conv_block", config)
        for block in range(config.n_blocks)
    ]
    return in_turn([*layers, *decoder(config, weights, index + config.n_blocks)])


def _residual_block(weights: Weights, name: str, config: GeneratorConfig) -> Layer:
    """Return two convolutions with batch norm and a residual connection, and no ReLU at its end."""
    channels = config.level_widths[-1]
    layers: list[Layer] = []
    if isinstance(config, Pix2PixHdMultidilatedConfig):
        for conv, norm in ((0, 1), (3, 4)):
            layers += [
                _multidilated(weights, f"{name}.{conv}", channels, config.dilations),
                normalised(weights, f"{name}.{norm}", channels, rectify=conv == 0),
            ]
    else:
        for conv, norm in ((1, 2), (5, 6)):
            layers += [
                convolution(weights, f"{name}.{conv}", (channels, channels), 3, reflect=1),
                normalised(weights, f"{name}.{norm}", channels, rectify=conv == 1),
            ]
    work = in_turn(layers)

    def run(x: Array) -> Array:
        out = work(x)
        out += x
        return out

    return run


def _multidilated(weights: Weights, name: str, channels: int, dilations: tuple[int, ...]) -> Layer:
    """Return parallel convolutions of growing dilation, each on its share of the input, summed.

    The official `comb_mode: cat_in`.
    """
    share = channels // len(dilations)
    convolutions = [
        convolution(weights, f"{name}.convs.{i}", (share, channels), 3, reflect=each, dilation=each)
        for i, each in enumerate(dilations)
    ]

    def run(x: Array) -> Array:
        total, *others = (
            layer(x[:, i * share : (i + 1) * share]) for i, layer in enumerate(convolutions)
        )
        for other in others:
            total += other
        return total

    return run
