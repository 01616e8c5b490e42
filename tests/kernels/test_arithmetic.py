"""Matrices and single elements, against torch's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lama_edge.kernels import arithmetic
from lama_edge.kernels.arithmetic import (
    cast,
    dequantise,
    divide_integers,
    integers,
    matmul,
    quantise,
    remainder,
    rounded,
    sigmoid,
    widened,
)
from lama_edge.kernels.elementwise import elementwise

SMALLEST = np.iinfo(np.int64).min


def _floats(shape, seed=0, scale=1.0):
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


def _ulps(a, b):
    """Return how many float32 lie between, at most; both of one sign."""
    return np.abs(a.view(np.int32).astype(np.int64) - b.view(np.int32)).max()


@pytest.mark.parametrize(
    ("left", "right"),
    [((5, 7), (7, 3)), ((5, 7), (2, 3, 7, 4)), ((2, 3, 4, 7), (7, 5)), ((2, 1, 4, 7), (3, 7, 5)),
     ((0, 4, 7), (7, 5)), ((2, 4, 0), (0, 5)), ((7,), (2, 7, 5)), ((4, 7), (7,))],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_multiplies_as_torch_whatever_the_layout(left, right, dtype):
    x, y = (_floats(shape, seed).astype(dtype) for seed, shape in enumerate((left, right)))
    wanted = torch.matmul(torch.from_numpy(x), torch.from_numpy(y)).numpy()
    for ours in (lambda a: a, _columns_first, _with_gaps):
        result = matmul(ours(x), ours(y))
        assert result.dtype == dtype
        np.testing.assert_allclose(result, wanted, atol=1e-5)


def _columns_first(x):
    return np.asfortranarray(x)


def _with_gaps(x):
    return np.repeat(x, 2, axis=-1)[..., ::2]


@pytest.mark.parametrize(
    "layout",
    [
        lambda x: x,
        lambda x: x.swapaxes(2, 3),
        lambda x: x.transpose(0, 3, 1, 2),
        lambda x: x.transpose(1, 2, 3, 0),
        lambda x: x[..., ::-1],
        lambda x: x[:, :, ::-1],
        lambda x: np.broadcast_to(x[:, :, :1], x.shape),
        lambda x: np.broadcast_to(x[..., :1], x.shape),
        lambda x: np.lib.stride_tricks.sliding_window_view(x.reshape(-1), 3 * x.shape[3])[None],
        lambda x: x[..., ::2],
    ],
)
def test_hands_the_blas_only_what_it_can_read(layout):
    x = layout(_floats((2, 3, 8, 6)))
    dense = arithmetic._dense(x)
    across, down = sorted(dense.strides[-2:])
    short = dense.shape[-1] if dense.strides[-1] == across else dense.shape[-2]
    assert across == dense.itemsize
    assert down >= short * dense.itemsize
    np.testing.assert_array_equal(dense, x)


def test_the_logistic_function_is_torchs_within_two_units():
    x = np.concatenate([np.linspace(-88, 110, 1 << 14), [0, np.inf, 1e-30, -16.682293]]).astype(
        np.float32
    )
    assert _ulps(sigmoid(x), torch.sigmoid(torch.from_numpy(x)).numpy()) <= 2
    with np.errstate(all="ignore"):
        far = sigmoid(np.array([-np.inf, -1e30, -200, 1e30, np.nan], np.float32))
    np.testing.assert_array_equal(far, np.float32([0, 0, 0, 1, np.nan]))
    assert sigmoid(x.astype(np.float64)).dtype == np.float64
    assert sigmoid(np.zeros((), np.float16)) == 0.5


@pytest.mark.parametrize("element", [np.int8, np.uint8, np.int32])
def test_quantises_to_even_and_saturates(element):
    x = np.float32([-1e6, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 1e6])[:, None]
    scale, zero = np.float32([1, 0.5]), np.array([0, 3], element)
    limits = np.iinfo(element)
    wanted = np.rint(x.astype(np.float64) / scale) + zero
    np.testing.assert_array_equal(
        quantise(x, scale, zero), np.clip(wanted, limits.min, limits.max).astype(element)
    )
    assert quantise(x, scale, zero).dtype == element


def test_dequantises_in_float32():
    x = np.arange(256, dtype=np.uint8).reshape(2, 128)
    scale, zero = np.float16([[0.1], [0.3]]), np.uint8([[255], [3]])
    wanted = (x.astype(np.int32) - zero).astype(np.float32) * scale.astype(np.float32)
    result = dequantise(x, scale, zero)
    np.testing.assert_array_equal(result, wanted)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(
        dequantise(x, scale, None), x.astype(np.float32) * scale.astype(np.float32)
    )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.sampled_from([np.int8, np.int32, np.int64]),
    st.lists(st.tuples(*[st.integers(-(2**63), 2**63 - 1)] * 2), max_size=4),
)
def test_divides_integers_as_torch(element, numbers):
    limits = np.iinfo(element)
    cases = [*numbers, *((a, b) for a in (limits.min, -7, 7, 0) for b in (-3, -1, 1, 3))]
    x, y = (np.array(column, np.int64).astype(element) for column in zip(*cases, strict=True))
    y[y == 0] = 1
    one = np.array(-1, element)
    kept = ~((x == limits.min) & (y == one))  # on which torch takes the process with it
    a, b = torch.from_numpy(x[kept]), torch.from_numpy(y[kept])
    with np.errstate(all="ignore"):
        for floor, mode in ((True, "floor"), (False, "trunc")):
            quotient = divide_integers(x, y, floor=floor)
            assert quotient.dtype == element
            np.testing.assert_array_equal(quotient[kept], torch.div(a, b, rounding_mode=mode))
            assert np.all(quotient[~kept] == limits.min)
        rest = remainder(x, y)
    np.testing.assert_array_equal(rest[kept], torch.remainder(a, b))
    assert not rest[~kept].any()


@pytest.mark.parametrize("divide", [lambda x, y: divide_integers(x, y, floor=True), remainder])
def test_refuses_to_divide_by_zero(divide):
    with pytest.raises(ZeroDivisionError):
        divide(np.array([1, 2]), np.array([3, 0]))
    assert divide(np.zeros(0, np.int64), np.zeros(0, np.int64)).shape == (0,)


def test_casts_without_a_fraction_and_wraps():
    x = np.float32([-1.7, 1.7, 300.5, -129])
    np.testing.assert_array_equal(cast(x, np.dtype(np.int8)), np.int8([-1, 1, 44, 127]))
    np.testing.assert_array_equal(cast(x, np.dtype(np.uint8)), np.uint8([255, 1, 44, 127]))
    np.testing.assert_array_equal(cast(np.float32([3e9]), np.dtype(np.int32)), [3 * 10**9 - 2**32])
    np.testing.assert_array_equal(cast(x * 0, np.dtype(np.bool_)), [False] * 4)
    assert cast(x, x.dtype) is x


def test_rounds_to_the_nearest_and_in_ties_to_even():
    x = np.concatenate([_floats(1 << 12, scale=1e-4), np.float32([2049, 2051, 65520, -1e-9])])
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(
            rounded(x, np.dtype(np.float16)), torch.from_numpy(x).half().numpy()
        )
    assert rounded(x, x.dtype) is x


def test_widens_without_loss():
    for element, wide in (
        (np.float16, np.float32), (np.float32, np.float32), (np.float64, np.float64),
        (np.int8, np.int64), (np.uint8, np.int64), (np.int64, np.int64), (np.bool_, np.bool_),
    ):  # fmt: skip
        x = np.array([0, 1, 1], element)
        assert widened(x).dtype == wide
        np.testing.assert_array_equal(widened(x), x)
    assert integers(np.array(3)) == integers(np.array([3])) == [3]


def _large():
    return {
        "sigmoid": lambda x: sigmoid(x),
        "rounded": lambda x: rounded(x, np.dtype(np.float16)),
        "widened": lambda x: widened(x.astype(np.float16)),
        "cast": lambda x: cast(x * 9, np.dtype(np.int32)),
        "quantise": lambda x: quantise(x, *_scales(x)),
        "dequantise": lambda x: dequantise((x * 9).astype(np.int8), *_scales(x)),
        "add": lambda x: elementwise(np.add, x, _scales(x)[0]),
        "where": lambda x: elementwise(np.where, x > 0, x, np.array(7, np.float32)),
        "less": lambda x: elementwise(np.less, x, np.array(0.5, np.float32)),
    }


def _scales(x):
    return np.float32([[[0.1]], [[0.2]], [[0.3]]]), np.int8([[[1]], [[-2]], [[0]]])


@pytest.mark.parametrize("name", _large())
@pytest.mark.parametrize(
    "layout", [lambda x: x, lambda x: x.transpose(0, 2, 1).copy().transpose(0, 2, 1)]
)
def test_large_arrays_have_the_bits_of_small_ones(name, layout, in_threads):
    function, x = _large()[name], layout(_floats((3, 257, 301)))
    small = np.concatenate([function(x[:, :, i : i + 50]) for i in range(0, 301, 50)], axis=2)
    for count in (1, 2):
        large = in_threads(count, lambda: function(x))
        np.testing.assert_array_equal(large, small)
        assert large.dtype == small.dtype
        assert large.strides == tuple(side * large.itemsize // 4 for side in x.strides)


def test_arrays_that_do_not_broadcast_are_refused():
    with pytest.raises(ValueError, match="shape"):
        elementwise(np.add, np.zeros((2, 3)), np.zeros((4, 3)))
    assert elementwise(np.add, np.zeros((0, 3)), np.zeros((1, 3))).shape == (0, 3)
    assert elementwise(np.add, np.array(1), np.array(2)).shape == ()


def test_every_float16_is_widened_exactly() -> None:
    x = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    for part in (x, x[np.isfinite(x)]):
        ours = widened(part)
        assert ours.dtype == np.float32
        assert np.array_equal(ours, part.astype(np.float32), equal_nan=True)
        assert np.array_equal(np.signbit(ours), np.signbit(part))


def test_float32_is_rounded_to_float16_as_numpy_does() -> None:
    whole = np.arange(0x7C00, dtype=np.uint16).view(np.float16).astype(np.float32)
    ties = (whole[1:] + whole[:-1]) / 2
    edges = np.array([0, 65519.996, 65520, 1e-30, 1e30, np.inf, np.nan], np.float32)
    near = [whole, ties, *(np.nextafter(ties, end) for end in np.float32([0, np.inf])), edges]
    rng = np.random.default_rng(0)
    any_bits = rng.integers(0, 1 << 32, 1 << 18, np.uint32).view(np.float32)
    for x in (*near, any_bits, any_bits[np.abs(any_bits) < 65504], edges[:2], edges[1].reshape(())):
        for signed in (x, -x):
            with np.errstate(over="ignore", invalid="ignore"):
                ours, wanted = rounded(signed, np.dtype(np.float16)), signed.astype(np.float16)
            assert np.array_equal(ours, wanted, equal_nan=True)
            assert np.array_equal(np.signbit(ours), np.signbit(wanted))
