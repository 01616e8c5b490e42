"""The layers that the generators share. Maps are float32 [N,C,H,W]; none is changed unasked.

A layer is made by a function that asks for its tensors by their official names; so the same
functions tell which tensors a generator has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lama_edge.kernels.arithmetic import matmul, sigmoid
from lama_edge.kernels.convolution import convolve
from lama_edge.kernels.layout import reflect_pad
from lama_edge.kernels.threads import shared
from lama_edge.models.config import GeneratorConfig

Array = NDArray[np.float32]
Layer = Callable[[Array], Array]

_EPSILON = 1e-5  # torch's default, which every published checkpoint was trained with
COUNTER = "num_batches_tracked"
STATISTICS = ("running_mean", "running_var")
# Of a map's channels that are worked on at once, so that they stay in a cache.
_BLOCK_BYTES = 1 << 18


class Weights(Protocol):
    """Gives the tensor of a name, which the generator needs in this shape."""

    def __call__(self, name: str, *shape: int) -> Array: ...  # noqa: D102


def in_turn(layers: Sequence[Layer]) -> Layer:
    """Return a layer of layers, each of which gets what the one before it gives."""

    def run(x: Array) -> Array:
        for layer in layers:
            x = layer(x)
        return x

    return run


def convolution(
    weights: Weights,
    name: str,
    channels: tuple[int, int],
    side: int,
    *,
    bias: bool = True,
    reflect: int = 0,
    zeros: int = 0,
    stride: int = 1,
    dilation: int = 1,
) -> Layer:
    """Return a convolution.

    Args:
        weights: where its tensors come from.
        name: what stands before ``.weight`` and ``.bias``.
        channels: of its input and output.
        side: of its square window.
        bias: whether it has one.
        reflect: cells by which it pads each side with what the map reflects.
        zeros: cells by which it pads each side with zeros.
        stride: in both directions.
        dilation: in both directions.
    """
    weight = weights(f"{name}.weight", channels[1], channels[0], side, side)
    offset = weights(f"{name}.bias", channels[1]) if bias else None

    def run(x: Array) -> Array:
        if reflect:
            x = reflect_pad(x, *((0, 0, reflect, reflect),) * 2)
        return convolve(
            x,
            weight,
            offset,
            strides=(stride,) * 2,
            dilations=(dilation,) * 2,
            pads=(zeros,) * 4,
        )

    return run


def upsampling(weights: Weights, name: str, channels: tuple[int, int]) -> Layer:
    """Return a transposed convolution of window 3 and stride 2 that doubles the sides.

    Every cell (i, j) of the input adds its value, times the window, around the output's (2i, 2j);
    what falls beyond the top and the left edge is cut off.

    Args:
        weights: where its tensors come from.
        name: what stands before ``.weight`` and ``.bias``.
        channels: of its input and output.
    """
    weight = weights(f"{name}.weight", *channels, 3, 3)
    bias = weights(f"{name}.bias", channels[1])

    def run(x: Array) -> Array:
        n, c, h, w = x.shape
        out = np.empty((n, channels[1], 2 * h, 2 * w), np.float32)
        out[:] = bias[:, None, None]
        for i in range(3):
            for j in range(3):
                products = matmul(weight[:, :, i, j].T, x.reshape(n, c, h * w))
                # The window's first row and column belong above and to the left of (2i, 2j).
                seen = products.reshape(n, -1, h, w)[:, :, int(i == 0) :, int(j == 0) :]
                into = out[:, :, (i + 1) % 2 :: 2, (j + 1) % 2 :: 2]
                into = into[:, :, : seen.shape[2], : seen.shape[3]]

                def add(maps: slice, into: Array = into, seen: Array = seen) -> None:
                    into[:, maps] += seen[:, maps]

                shared(add, channels[1], seen.size)
        return out

    return run


def normalised(weights: Weights, name: str, channels: int, *, rectify: bool = True) -> Layer:
    """Return a batch norm, and a ReLU after it, that works in the map that it is given.

    Args:
        weights: where its tensors come from.
        name: what stands before ``.weight``, ``.running_mean``, ….
        channels: the map's.
        rectify: whether a ReLU follows.
    """
    scale, offset, mean, variance = (
        weights(f"{name}.{each}", channels)[:, None, None]
        for each in ("weight", "bias", *STATISTICS)
    )
    weights(f"{name}.{COUNTER}")

    def run(x: Array) -> Array:
        deviation = np.sqrt(variance + np.float32(_EPSILON))
        step = max(1, _BLOCK_BYTES // max(1, x[:, 0].nbytes))

        def work(share: slice) -> None:
            for first in range(share.start, share.stop, step):
                part = slice(first, min(first + step, share.stop))
                maps = x[:, part]
                maps -= mean[part]
                maps /= deviation[part]
                maps *= scale[part]
                maps += offset[part]
                if rectify:
                    np.maximum(maps, 0, out=maps)

        shared(work, channels, x.size)
        return x

    return run


def decoder(config: GeneratorConfig, weights: Weights, first: int) -> list[Layer]:
    """Return every generator's last layers, from [N,C,h,w] to the picture [N,3,H,W] in [0,1].

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
