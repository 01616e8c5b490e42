"""Layers in the forms that runtimes are fast in, against torch's plain ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from lama_edge.exporters.graph.builder import GraphBuilder
from lama_edge.exporters.graph.layers import (
    blocked_convolution,
    reflect_pad,
    upsampling_convolution,
)

# Values are of order 1; measured at most 2.4e-6.
LARGEST_DIFFERENCE = 1e-5
RunLayer = Callable[[Callable[[GraphBuilder, ir.Value], ir.Value], np.ndarray], np.ndarray]
CHANNELS = st.integers(1, 6)


def _normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(inputs=CHANNELS, outputs=CHANNELS, height=st.integers(1, 9), width=st.integers(1, 9))
def test_upsampling_is_a_transposed_convolution_with_relu(
    run_layer: RunLayer, inputs: int, outputs: int, height: int, width: int
) -> None:
    x, weight = _normal(1, 2, inputs, height, width), _normal(2, inputs, outputs, 3, 3)
    bias = _normal(3, outputs)
    result = run_layer(lambda b, value: upsampling_convolution(b, "up", value, weight, bias), x)
    expected = functional.conv_transpose2d(
        *map(torch.from_numpy, (x, weight, bias)), stride=2, padding=1, output_padding=1
    ).relu()
    assert result.shape == tuple(expected.shape)
    assert np.abs(result - expected.numpy()).max() <= LARGEST_DIFFERENCE


@pytest.mark.parametrize("block", [1, 2, 4])
@settings(max_examples=10, deadline=None, derandomize=True)
@given(inputs=CHANNELS, rows=st.integers(1, 4), columns=st.integers(1, 4))
def test_a_convolution_in_blocks_is_the_convolution(
    run_layer: RunLayer, block: int, inputs: int, rows: int, columns: int
) -> None:
    x = _normal(1, 2, inputs, 4 * rows + 4, 4 * columns + 4)
    weight, bias = _normal(2, 3, inputs, 7, 7) / 7, _normal(3, 3)

    def write(b: GraphBuilder, value: ir.Value) -> ir.Value:
        padded = reflect_pad(b, "pad", value, 3)
        return blocked_convolution(b, "conv", padded, weight, bias, block)

    padded = functional.pad(torch.from_numpy(x), (3, 3, 3, 3), mode="reflect")
    expected = functional.conv2d(padded, *map(torch.from_numpy, (weight, bias)))
    result = run_layer(write, x)
    assert result.shape == tuple(expected.shape)
    assert np.abs(result - expected.numpy()).max() <= LARGEST_DIFFERENCE
