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
