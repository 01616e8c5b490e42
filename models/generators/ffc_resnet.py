"""LaMa's `ffc_resnet` generator: a ResNet of Fast Fourier Convolutions.

Suvorov et al., "Resolution-robust Large Mask Inpainting with Fourier Convolutions", WACV 2022
(arXiv 2109.07161); the convolution is from Chi et al., "Fast Fourier Convolution", NeurIPS 2020.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from lama_edge.kernels.threads import shared
from lama_edge.models.config import FfcResnetConfig
from lama_edge.models.generators.layers import (
    Array,
    Layer,
    Weights,
    convolution,
    decoder,
    in_turn,
    normalised,
)

# A map's local part, and its global part where it has one.
Parts = list[Array]
PartsLayer = Callable[[Parts], Parts]


def ffc_resnet(config: FfcResnetConfig, weights: Weights) -> Layer:
    """Return the generator, see `build_generator`."""
    widths, bottleneck = config.level_widths, config.bottleneck_channels
    stages = [
        _fourier_convolution(weights, "model.1", (config.input_nc,), (config.ngf,), 7, reflect=3)
    ]
    for level in range(config.n_downsampling):
        last = level == config.n_downsampling - 1
        out = bottleneck if last else (widths[level + 1],)
        name = f"model.{2 + level}"
        stages.append(
            _fourier_convolution(weights, name, (widths[level],), out, 3, reflect=1, stride=2)
        )
    first = 2 + config.n_downsampling
    stages += [
        _residual_block(weights, f"model.{first + block}", bottleneck)
        for block in range(config.n_blocks)
    ]
    decode = in_turn(decoder(config, weights, first + config.n_blocks + 1))

    def run(x: Array) -> Array:
        parts = [x]
        for stage in stages:
            parts = stage(parts)
        x = np.concatenate(parts, axis=1)
        parts.clear()
        return decode(x)

    return run


def _residual_block(weights: Weights, name: str, channels: tuple[int, int]) -> PartsLayer:
    """Return two Fast Fourier Convolutions with a residual connection on each part."""
    first, second = (
        _fourier_convolution(weights, f"{name}.conv{number}", channels, channels, 3, reflect=1)
        for number in (1, 2)
    )

    def run(parts: Parts) -> Parts:
        out = second(first(parts))
        for result, part in zip(out, parts, strict=True):
            result += part
        return out

    return run


def _fourier_convolution(
    weights: Weights,
    name: str,
    inner: Sequence[int],
    outer: Sequence[int],
    side: int,
    *,
    reflect: int,
    stride: int = 1,
) -> PartsLayer:
    """Return a Fast Fourier Convolution with batch norm and ReLU on each part.

    Every part of the output sums what each part of the input gives it: by convolution, and from
    global to global by a spectral transform.
    """

    def path(source: int, target: int) -> Layer:
        channels = inner[source], outer[target]
        where = f"{name}.ffc.conv{'lg'[source]}2{'lg'[target]}"
        if source == target == 1:
            return _spectral_transform(weights, where, *channels)
        return convolution(
            weights, where, channels, side, bias=False, reflect=reflect, stride=stride
        )

    paths = [[path(source, target) for source in range(len(inner))] for target in range(len(outer))]
    norms = [
        normalised(weights, f"{name}.bn_{'lg'[part]}", width) for part, width in enumerate(outer)
    ]

    def run(parts: Parts) -> Parts:
        out = []
        for ways, norm in zip(paths, norms, strict=True):
            total, *others = (way(part) for way, part in zip(ways, parts, strict=True))
            for other in others:
                total += other
            out.append(norm(total))
        return out

    return run


def _spectral_transform(weights: Weights, name: str, inner: int, outer: int) -> Layer:
    """Return the global-to-global path: reduce channels, filter in the frequency domain, expand."""
    hidden = outer // 2
    reduce = convolution(weights, f"{name}.conv1.0", (inner, hidden), 1, bias=False)
    norm = normalised(weights, f"{name}.conv1.1", hidden)
    unit = _fourier_unit(weights, f"{name}.fu", hidden)
    expand = convolution(weights, f"{name}.conv2", (hidden, outer), 1, bias=False)

    def run(x: Array) -> Array:
        x = norm(reduce(x))
        x += unit(x)
        return expand(x)

    return run


def _fourier_unit(weights: Weights, name: str, channels: int) -> Layer:
    """Return a 1×1 convolution over the real and imaginary parts of the map's 2-D spectrum.

    The transform is orthonormal, so the spectrum keeps the map's scale; real and imaginary parts
    interleave in the channel axis (re0, im0, re1, …).
    """
    both = 2 * channels
    mix = convolution(weights, f"{name}.conv_layer", (both, both), 1, bias=False)
    norm = normalised(weights, f"{name}.bn", both)

    def run(x: Array) -> Array:
        n, c, h, w = x.shape
        spectrum = np.empty((n, c, 2, h, w // 2 + 1), np.float32)
        out = np.empty_like(x)

        def transform(maps: slice) -> None:
            found = np.fft.rfft2(x[:, maps], norm="ortho")
            spectrum[:, maps, 0], spectrum[:, maps, 1] = found.real, found.imag

        def restore(maps: slice) -> None:
            found = filtered[:, maps, 0] + np.complex64(1j) * filtered[:, maps, 1]
            out[:, maps] = np.fft.irfft2(found, s=(h, w), norm="ortho")

        shared(transform, c, spectrum.size)
        filtered = norm(mix(spectrum.reshape(n, both, h, -1))).reshape(spectrum.shape)
        shared(restore, c, spectrum.size)
        return out

    return run
