"""Layers for integer kernels, against torch's plain ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from lama_edge.exporters.graph.builder import GraphBuilder
from lama_edge.exporters.graph.layers_channels_last import (
    gathered,
    gathered_convolution,
    paired_convolution,
    reflected_windows,
)

# Values are of order 1; measured at most 1.0e-5 over 98 to 250 products.
LARGEST_DIFFERENCE = 5e-5
RunLayer = Callable[[Callable[[GraphBuilder, ir.Value], ir.Value], np.ndarray], np.ndarray]
CHANNELS = st.integers(1, 5)
SIDE = st.integers(2, 9)


def _normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(inputs=CHANNELS, outputs=CHANNELS, height=SIDE, width=SIDE)
def test_a_product_of_gathered_windows_is_the_convolution_with_reflected_edges(
    run_layer: RunLayer, inputs: int, outputs: int, height: int, width: int
) -> None:
    x, weight = _normal(1, 2, inputs, height, width), _normal(2, outputs, inputs, 3, 3)
    bias = _normal(3, outputs)

    def write(b: GraphBuilder, value: ir.Value) -> ir.Value:
        windows = reflected_windows(b, height, width)
        seen = gathered(b, "of", value, windows, inputs)
        return gathered_convolution(b, "conv", seen, weight, bias)

    padded = functional.pad(torch.from_numpy(x), (1, 1, 1, 1), mode="reflect")
    expected = functional.conv2d(padded, *map(torch.from_numpy, (weight, bias))).numpy()
    result = run_layer(write, x)
    assert result.shape == expected.shape
    assert np.abs(result - expected).max() <= LARGEST_DIFFERENCE


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    inputs=CHANNELS,
    outputs=CHANNELS,
    height=SIDE,
    pairs=st.integers(1, 4),
    taps=st.sampled_from((1, 3, 5, 7)),
)
def test_a_convolution_on_pairs_of_pixels_is_the_convolution_with_relu(
    run_layer: RunLayer, inputs: int, outputs: int, height: int, pairs: int, taps: int
) -> None:
    around = taps - 1
    x = _normal(1, 2, inputs, height + around, 2 * pairs + around)
    weight, bias = _normal(2, outputs, inputs, taps, taps), _normal(3, outputs)
    expected = functional.conv2d(*map(torch.from_numpy, (x, weight, bias))).relu().numpy()
    result = run_layer(lambda b, value: paired_convolution(b, "conv", value, weight, bias), x)
    assert result.shape == expected.shape
    assert np.abs(result - expected).max() <= LARGEST_DIFFERENCE
