"""The decoder that every LaMa generator ends with: upsampling, last convolution, sigmoid."""

from __future__ import annotations

from lama_edge.kernels.arithmetic import sigmoid
from lama_edge.models.config import GeneratorConfig
from lama_edge.models.generators.layers import Layer, Weights, convolution, normalised, upsampling


def decoder(config: GeneratorConfig, weights: Weights, first: int) -> list[Layer]:
    """Return the layers from the bottleneck [N,C,h,w] to the picture [N,3,H,W] in [0,1].

    Args:
        config: the architecture.
        weights: where the tensors come from.
        first: the number of the first layer in their names.
    """
    widths = config.level_widths
    layers: list[Layer] = []
    for level in range(config.n_downsampling, 0, -1):
        wide, narrow = widths[level], widths[level - 1]
        layers += [
            upsampling(weights, f"model.{first}", (wide, narrow)),
            normalised(weights, f"model.{first + 1}", narrow),
        ]
        first += 3
    channels = config.ngf, config.output_nc
    last = convolution(weights, f"model.{first + 1}", channels, 7, reflect=3)
    return [*layers, last, sigmoid]
