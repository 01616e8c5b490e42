"""Convolution against torch's."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from lama_edge.kernels import convolution
from lama_edge.kernels.convolution import convolve


def _torch(x, weight, bias, strides, pads, dilations, groups):
    top, left, bottom, right = pads
    tensors = [None if a is None else torch.from_numpy(a.copy()) for a in (x, weight, bias)]
    padded = F.pad(tensors[0], (left, right, top, bottom))
    return F.conv2d(padded, *tensors[1:], stride=strides, dilation=dilations, groups=groups).numpy()


def _arrays(seed, n, share, per_group, groups, side, window, dtype):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, share * groups, *side)).astype(dtype)
    weight = rng.standard_normal((per_group * groups, share, *window)).astype(dtype)
    return x, weight, rng.standard_normal(per_group * groups).astype(dtype)


pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.integers(0, 2),
    st.sampled_from([(1, 1), (1, 7), (5, 1), (4, 3), (3, 4), (9, 2)]),
    st.sampled_from([1, 2, 3]),
    st.tuples(st.integers(7, 13), st.integers(7, 13)),
    pairs,
    st.one_of(st.just((1, 1)), pairs),
    pairs,
    st.tuples(*[st.integers(0, 3)] * 4),
    st.sampled_from([np.float32, np.float64]),
    st.booleans(),
    st.sampled_from([40, 4000, 8 << 20]),
)
def test_convolves_as_torch(
    n, channels, groups, side, window, strides, dilations, pads, dtype, with_bias, band
):
    arguments = _arrays(n, n, *channels, groups, side, window, dtype)
    x, weight, bias = arguments if with_bias else (*arguments[:2], None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolution, "_BAND_BYTES", band)
        result = convolve(
            x, weight, bias, strides=strides, pads=pads, dilations=dilations, groups=groups
        )
    wanted = _torch(x, weight, bias, strides, pads, dilations, groups)
    assert result.shape == wanted.shape
    assert result.dtype == dtype
    np.testing.assert_allclose(result, wanted, atol=2e-5 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize(
    ("inputs", "outputs", "side"), [(9, 2, 1), (9, 2, 3), (2, 9, 3), (2, 9, 1)]
)
def test_reads_any_layout_and_changes_none(inputs, outputs, side):
    x, weight, bias = _arrays(0, 2, inputs, outputs, 1, (8, 12), (side, side), np.float32)
    for spread in (
        np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2),
        np.repeat(x, 2, axis=3)[..., ::2],
        np.ascontiguousarray(x[..., ::-1])[..., ::-1],
    ):
        turned = np.ascontiguousarray(weight.transpose(3, 2, 1, 0)).transpose(3, 2, 1, 0)
        result = convolve(spread, turned, bias)
        np.testing.assert_allclose(result, convolve(x, weight, bias), atol=1e-5)
        np.testing.assert_array_equal(spread, x)


@pytest.mark.parametrize(
    ("inputs", "outputs", "window", "strides"),
    [(16, 1, 5, 1), (4, 24, 3, 1), (4, 16, 4, 2), (16, 12, 1, 1)],
)
def test_two_threads_give_what_one_gives(inputs, outputs, window, strides, in_threads):
    x, weight, bias = _arrays(1, 1, inputs, outputs, 1, (70, 90), (window, window), np.float32)

    def run():
        return convolve(x, weight, bias, strides=(strides, strides), pads=(1, 0, 2, 3))

    np.testing.assert_allclose(in_threads(2, run), in_threads(1, run), atol=1e-5)


def test_keeps_little_beside_its_arguments_and_its_result():
    x, weight, _ = _arrays(2, 1, 32, 2, 1, (256, 300), (7, 7), np.float32)
    for kernels in (weight, np.repeat(weight, 9, axis=0)):  # products of taps, and columns
        columns = x.size * kernels[0, 0].size * x.itemsize
        tracemalloc.start()
        result = convolve(x, kernels, None)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak - result.nbytes < 3 * convolution._BAND_BYTES < columns / 10


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"groups": 2}, "4 channels in 2 groups"),
        ({"groups": 0}, "groups=0"),
        ({"strides": (0, 1)}, "strides"),
        ({"dilations": (1, 0)}, "dilations"),
        ({"pads": (0, 0, -1, 0)}, "pads"),
        ({"dilations": (3, 3)}, "larger than the map"),
        ({"bias": np.zeros(1, np.float32)}, "bias"),
        ({"bias": np.zeros(3, np.float64)}, "bias"),
        ({"weight": np.zeros((3, 4, 3, 3), np.float64)}, "float64"),
        ({"weight": np.zeros((3, 4, 0, 3), np.float32)}, "do not fit"),
        ({"weight": np.zeros((3, 4, 3), np.float32)}, "cannot convolve"),
        ({"x": np.zeros((4, 5, 6), np.float32)}, "cannot convolve"),
        ({"x": np.zeros((1, 4, 0, 6), np.float32)}, "larger than the map"),
        ({"x": np.ones((1, 4, 6, 6), int), "weight": np.ones((3, 4, 3, 3), int)}, "int64"),
        # Files of a few bytes can hold any number of pictures without channels.
        ({"weight": np.zeros((0, 4, 3, 3), np.float32)}, "do not fit"),
        (
            {"x": np.zeros((9, 0, 5, 6), np.float32), "weight": np.zeros((3, 0, 3, 3), np.float32)},
            "do not fit",
        ),
    ],
)
def test_refuses_what_does_not_fit(changes, message):
    x, weight, bias = _arrays(4, 1, 4, 3, 1, (5, 6), (3, 3), np.float32)
    with pytest.raises(ValueError, match=message):
        convolve(**{"x": x, "weight": weight, "bias": bias, **changes})
