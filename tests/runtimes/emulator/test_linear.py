"""The emulator's sums of products and its quantisation against ONNX's reference evaluator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

Array = NDArray[Any]
Agrees = Callable[..., list[Array]]

FLOATS = (np.float32, np.float16)
# Of the largest element; float32 itself resolves 1.2e-7. Measured up to length 30: 2.4e-7.
LARGEST_DFT_DIFFERENCE = 1e-6
# The reference sums float16 in float32 too, but adds the bias and the groups' sums after
# rounding, and divides before it quantises.
ONE_UNIT = 1
few = settings(max_examples=10, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)


def _eighths(rng: np.random.Generator, shape: Any, dtype: Any) -> Array:
    """Return numbers whose products have sums that float32 holds exactly, in any order."""
    return (rng.integers(-16, 17, shape) / 8).astype(dtype)


@st.composite
def _windows(draw: st.DrawFn) -> dict[str, Any]:
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    return {
        "kernel_shape": list(kernel),
        "strides": list(draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))),
        "dilations": list(draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))),
    }


@pytest.mark.parametrize("dtype", FLOATS)
@given(
    window=_windows(),
    pads=st.lists(st.integers(0, 2), min_size=4, max_size=4),
    seed=seeds,
    biased=st.booleans(),
)
@few
def test_convolutions_with_dilations_and_asymmetric_pads(
    agrees: Agrees, dtype: Any, window: dict[str, Any], pads: list[int], seed: int, biased: bool
) -> None:
    rng = np.random.default_rng(seed)
    x = _eighths(rng, (2, 2, 7, 6), dtype)
    weight = _eighths(rng, (3, 2, *window["kernel_shape"]), dtype)
    bias = _eighths(rng, 3, dtype) if biased else None
    units = ONE_UNIT if dtype == np.float16 else 0
    agrees("Conv", x, weight, bias, pads=pads, units=units, **window)


@pytest.mark.parametrize("dtype", [*FLOATS, np.int64, np.int32])
@given(
    left=st.lists(st.integers(1, 3), max_size=2),
    sides=st.tuples(*[st.integers(1, 5)] * 3),
    seed=seeds,
)
@few
def test_matrix_products_broadcast_their_batches(
    agrees: Agrees, dtype: Any, left: list[int], sides: tuple[int, int, int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    rows, inner, columns = sides
    whole = np.dtype(dtype).kind == "i"
    x, y = (
        (16 * _eighths(rng, shape, np.float32)).astype(dtype)
        if whole
        else _eighths(rng, shape, dtype)
        for shape in ((*left, rows, inner), (inner, columns))
    )
    agrees("MatMul", x, y)
    agrees("MatMul", y.T, np.swapaxes(x, -1, -2))


@given(
    sides=st.tuples(*[st.integers(1, 9)] * 3),
    transposed=st.booleans(),
    with_addend=st.booleans(),
    seed=seeds,
)
@few
def test_general_products_with_a_transpose_and_an_addend(
    agrees: Agrees, sides: tuple[int, int, int], transposed: bool, with_addend: bool, seed: int
) -> None:
    rows, inner, columns = sides
    rng = np.random.default_rng(seed)
    x = _eighths(rng, (rows, inner), np.float32)
    y = _eighths(rng, (columns, inner) if transposed else (inner, columns), np.float32)
    addend = [_eighths(rng, (columns,), np.float32)] if with_addend else []
    agrees("Gemm", x, y, *addend, transB=int(transposed))


def test_float16_products_are_summed_in_float32(agrees: Agrees) -> None:
    # In float16 the sum would stand still at 2048, where one is half a unit.
    ones = np.ones((1, 4096), np.float16)
    (total,) = agrees("MatMul", ones, ones.T)
    assert total.item() == 4096


@pytest.mark.parametrize("opset", [17, 20, 23])
@given(
    count=st.integers(1, 30),
    length=st.one_of(st.none(), st.integers(1, 30)),
    axis=st.sampled_from([1, 2, -2, -3]),
    kind=st.sampled_from(["real", "complex", "onesided", "inverse"]),
    seed=seeds,
)
@few
def test_the_dft_operator(
    emulate: Callable[..., Array],
    opset: int,
    count: int,
    length: int | None,
    axis: int,
    kind: str,
    seed: int,
) -> None:
    parts = 1 if kind in ("real", "onesided") else 2
    x = np.random.default_rng(seed).normal(size=(2, count, count, parts)).astype(np.float32)
    given_length = None if length is None else np.array(length, np.int64)
    flags = {"onesided": int("onesided" in kind), "inverse": int("inverse" in kind)}
    if opset < 20:
        ours = emulate("DFT", x, given_length, axis=axis, opset=opset, **flags)
    else:
        ours = emulate("DFT", x, given_length, np.array(axis, np.int64), opset=opset, **flags)
    theirs = _numpy_dft(x.astype(np.float64), length, axis, kind)
    assert ours.shape == theirs.shape
    scale = np.abs(theirs).max()
    assert np.abs(ours - theirs).max() <= LARGEST_DFT_DIFFERENCE * scale


def _numpy_dft(x: Array, length: int | None, axis: int, kind: str) -> Array:
    """Transform in float64; ONNX's own evaluator does it in the same way, but in opset 17 only."""
    signal = x[..., 0] if x.shape[-1] == 1 else x[..., 0] + 1j * x[..., 1]
    axis = axis % x.ndim
    transforms = {"onesided": np.fft.rfft, "inverse": np.fft.ifft}
    result = transforms.get(kind, np.fft.fft)(signal, length, axis)
    return np.stack([result.real, result.imag], axis=-1)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
@given(seed=seeds, axis=st.integers(-3, 2))
@few
def test_quantisation_rounds_half_to_even_and_saturates(
    agrees: Agrees, dtype: Any, seed: int, axis: int
) -> None:
    rng = np.random.default_rng(seed)
    # Multiples of half a step, beyond both ends.
    x = (rng.integers(-700, 700, (3, 4, 2)) / 4).astype(np.float32)
    limits = np.iinfo(dtype)
    for channels in ((), x.shape[axis]):
        scale = np.asarray(2.0 ** rng.integers(-2, 2, channels), np.float32)
        zero = np.asarray(rng.integers(limits.min, limits.max + 1, channels), dtype)
        if not channels:
            (steps,) = agrees("QuantizeLinear", x, scale, zero, opset=19)
            assert steps.dtype == dtype
        agrees("DequantizeLinear", steps, scale, zero, axis=axis, opset=19)


def test_a_bias_of_32_bits_is_restored(agrees: Agrees) -> None:
    bias = np.array([-(2**31), 2**31 - 1, 12345], np.int32)
    scale = np.array([2**-20, 2**-21, 0.75], np.float32)
    zero = np.zeros(3, np.int32)
    agrees("DequantizeLinear", bias, scale, zero, axis=0, opset=19)
    agrees("DequantizeLinear", bias, scale, axis=0, opset=19)
