"""The interpreter's sums of products against torch, in saved packages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

pytest.importorskip("coremltools")
from coremltools.converters.mil import Builder as mb  # noqa: N813

Array = NDArray[Any]
Run = Callable[..., dict[str, Array]]

few = settings(max_examples=3, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
dtypes = st.sampled_from([np.float32, np.float16])
small = st.integers(1, 2)
F = torch.nn.functional


def _eighths(rng: np.random.Generator, shape: Any, dtype: Any) -> Array:
    """Return numbers whose products have sums that float32 holds exactly, in any order."""
    return np.asarray(rng.integers(-16, 17, shape) / 8, dtype)


def _wide(x: Array) -> torch.Tensor:
    return torch.from_numpy(x.astype(np.float64))


def _check(ours: Array, wanted: torch.Tensor, dtype: Any) -> None:
    """Expect what float64 gives, rounded once."""
    assert ours.dtype == dtype
    assert np.array_equal(ours, wanted.numpy().astype(dtype))


@st.composite
def _windows(draw: st.DrawFn) -> dict[str, Any]:
    pair = st.tuples(small, small)
    return {
        "kernel": draw(st.tuples(st.integers(1, 3), st.integers(1, 3))),
        "strides": draw(pair),
        "dilations": draw(pair),
        "groups": draw(small),
        "pad": draw(st.lists(st.integers(0, 2), min_size=4, max_size=4)),
    }


@given(window=_windows(), seed=seeds, dtype=dtypes, biased=st.booleans(), padded=st.booleans())
@settings(few, max_examples=12)
def test_conv(
    run_program: Run,
    window: dict[str, Any],
    seed: int,
    dtype: Any,
    biased: bool,
    padded: bool,
) -> None:
    rng = np.random.default_rng(seed)
    groups = window["groups"]
    x = _eighths(rng, (1, 2 * groups, 7, 6), dtype)
    weight = _eighths(rng, (2 * groups, 2, *window["kernel"]), dtype)
    bias = _eighths(rng, 2 * groups, dtype)
    options = {"bias": bias} if biased else {}
    if padded:
        options |= {"pad": window["pad"]}
    how = {name: window[name] for name in ("strides", "dilations", "groups")}
    pad_type = "custom" if padded else "valid"
    ours = run_program(
        lambda x: {"y": mb.conv(x=x, weight=weight, pad_type=pad_type, **how, **options)},
        {"x": x},
    )["y"]
    top, bottom, left, right = window["pad"] if padded else [0, 0, 0, 0]
    wanted = F.conv2d(
        F.pad(_wide(x), (left, right, top, bottom)),
        _wide(weight),
        _wide(bias) if biased else None,
        window["strides"],
        0,
        window["dilations"],
        groups,
    )
    _check(ours, wanted, dtype)


@given(
    seed=seeds,
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.integers(1, 3),
    lower=st.booleans(),
)
@settings(few, max_examples=8)
def test_conv_that_keeps_the_size_pads_as_tensorflow_does(
    run_program: Run, seed: int, kernel: tuple[int, int], stride: int, lower: bool
) -> None:
    rng = np.random.default_rng(seed)
    x, weight = _eighths(rng, (1, 2, 7, 8), np.float32), _eighths(rng, (2, 2, *kernel), np.float32)
    pad_type = "same_lower" if lower else "same"
    ours = run_program(
        lambda x: {"y": mb.conv(x=x, weight=weight, pad_type=pad_type, strides=[stride, stride])},
        {"x": x},
    )["y"]
    pads: list[int] = []
    for side, extent in zip((8, 7), kernel[::-1], strict=True):
        total = max(0, (-(-side // stride) - 1) * stride + extent - side)
        less, more = total // 2, total - total // 2
        pads += [more, less] if lower else [less, more]
    wanted = F.conv2d(F.pad(_wide(x), pads), _wide(weight), stride=stride)
    assert wanted.shape[2:] == (-(-7 // stride), -(-8 // stride))
    _check(ours, wanted, np.float32)


@given(window=_windows(), seed=seeds, dtype=dtypes, biased=st.booleans(), padded=st.booleans())
@settings(few, max_examples=10)
def test_conv_transpose(
    run_program: Run, window: dict[str, Any], seed: int, dtype: Any, biased: bool, padded: bool
) -> None:
    rng = np.random.default_rng(seed)
    groups = window["groups"]
    x = _eighths(rng, (1, 2 * groups, 5, 6), dtype)
    weight = _eighths(rng, (2 * groups, 2, *window["kernel"]), dtype)
    bias = _eighths(rng, 2 * groups, dtype)
    how = {name: window[name] for name in ("strides", "dilations", "groups")}
    options = {"bias": bias} if biased else {}
    pad = [min(amount, 1) for amount in window["pad"]] if padded else [0, 0, 0, 0]
    if padded:
        options |= {"pad": pad, "pad_type": "custom"}
    ours = run_program(
        lambda x: {"y": mb.conv_transpose(x=x, weight=weight, **how, **options)}, {"x": x}
    )["y"]
    top, bottom, left, right = pad
    full = F.conv_transpose2d(
        _wide(x),
        _wide(weight),
        _wide(bias) if biased else None,
        window["strides"],
        groups=groups,
        dilation=window["dilations"],
    )
    _check(ours, F.pad(full, (-left, -right, -top, -bottom)), dtype)


@given(seed=seeds, kernel=st.integers(1, 4), stride=st.integers(1, 3))
@settings(few, max_examples=6)
def test_conv_transpose_that_multiplies_the_size_by_its_stride(
    run_program: Run, seed: int, kernel: int, stride: int
) -> None:
    rng = np.random.default_rng(seed)
    x = _eighths(rng, (1, 2, 4, 5), np.float32)
    weight = _eighths(rng, (2, 3, kernel, kernel), np.float32)
    ours = run_program(
        lambda x: {
            "y": mb.conv_transpose(x=x, weight=weight, pad_type="same", strides=[stride, stride])
        },
        {"x": x},
    )["y"]
    full = F.conv_transpose2d(_wide(x), _wide(weight), stride=stride)
    cuts: list[int] = []
    for side in (5, 4):
        total = (side - 1) * stride + kernel - side * stride
        before = max(total, 0) // 2
        cuts += [-before, before - total]
    _check(ours, F.pad(full, cuts), np.float32)


@given(
    seed=seeds,
    dtype=dtypes,
    shapes=st.sampled_from([((2, 3), (3, 4)), ((2, 1, 2, 3), (3, 3, 4))]),
    transposed=st.tuples(st.booleans(), st.booleans()),
)
@settings(few, max_examples=8)
def test_matmul(
    run_program: Run, seed: int, dtype: Any, shapes: Any, transposed: tuple[bool, bool]
) -> None:
    rng = np.random.default_rng(seed)
    x, y = (_eighths(rng, shape, dtype) for shape in shapes)
    wanted = torch.matmul(_wide(x), _wide(y))
    left, right = transposed
    fed = {
        "x": np.ascontiguousarray(x.swapaxes(-1, -2)) if left else x,
        "y": np.ascontiguousarray(y.swapaxes(-1, -2)) if right else y,
    }
    ours = run_program(
        lambda x, y: {"z": mb.matmul(x=x, y=y, transpose_x=left, transpose_y=right)}, fed
    )["z"]
    _check(ours, wanted, dtype)


@given(seed=seeds, dtype=dtypes, biased=st.booleans())
@few
def test_linear(run_program: Run, seed: int, dtype: Any, biased: bool) -> None:
    rng = np.random.default_rng(seed)
    x, weight, bias = (_eighths(rng, shape, dtype) for shape in ((2, 5), (3, 5), (3,)))
    options = {"bias": bias} if biased else {}
    ours = run_program(lambda x: {"y": mb.linear(x=x, weight=weight, **options)}, {"x": x})["y"]
    _check(ours, F.linear(_wide(x), _wide(weight), _wide(bias) if biased else None), dtype)


@given(seed=seeds, dtype=dtypes, scaled=st.booleans())
@few
def test_batch_norm(run_program: Run, seed: int, dtype: Any, scaled: bool) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(1, 3, 4, 5)).astype(dtype)
    mean, gamma, beta = (rng.normal(size=3).astype(dtype) for _ in range(3))
    variance = rng.uniform(0.1, 2, 3).astype(dtype)
    options = {"gamma": gamma, "beta": beta} if scaled else {}
    epsilon = dtype(1e-3)
    ours = run_program(
        lambda x: {
            "y": mb.batch_norm(x=x, mean=mean, variance=variance, epsilon=epsilon, **options)
        },
        {"x": x},
    )["y"]
    wanted = F.batch_norm(
        _wide(x),
        _wide(mean),
        _wide(variance),
        _wide(gamma) if scaled else None,
        _wide(beta) if scaled else None,
        eps=float(epsilon),
    )
    # Half a unit of float16's last place at 4, and a few of float32's.
    np.testing.assert_allclose(ours, wanted, atol=2e-3 if dtype == np.float16 else 2e-6)


@pytest.mark.parametrize("op", ["reduce_sum", "reduce_mean", "reduce_max", "reduce_min"])
@given(
    seed=seeds,
    dtype=dtypes,
    axes=st.sampled_from([None, [0], [-1], [1, 2]]),
    keep=st.booleans(),
)
@few
def test_reductions(
    run_program: Run, op: str, seed: int, dtype: Any, axes: list[int] | None, keep: bool
) -> None:
    x = _eighths(np.random.default_rng(seed), (2, 4, 8), dtype)
    along = tuple(range(3)) if axes is None else tuple(axes)
    reference: dict[str, Callable[..., torch.Tensor]] = {
        "reduce_sum": torch.sum,
        "reduce_mean": torch.mean,
        "reduce_max": torch.amax,
        "reduce_min": torch.amin,
    }
    options = {} if axes is None else {"axes": axes}
    ours = run_program(lambda x: {"y": getattr(mb, op)(x=x, keep_dims=keep, **options)}, {"x": x})[
        "y"
    ]
    wanted = reference[op](_wide(x), along, keep)
    # Core ML has no outputs without axes: coremltools makes them of one.
    _check(ours.reshape(wanted.shape), wanted, dtype)


def test_weights_may_be_of_another_type_from_ios17_on(run_program: Run) -> None:
    rng = np.random.default_rng(0)
    x, weight = _eighths(rng, (1, 2, 4, 4), np.float32), _eighths(rng, (2, 2, 3, 3), np.float16)
    ours = run_program(
        lambda x: {"y": mb.conv(x=x, weight=weight, pad_type="valid")}, {"x": x}, target="iOS17"
    )["y"]
    _check(ours, F.conv2d(_wide(x), _wide(weight)), np.float32)
