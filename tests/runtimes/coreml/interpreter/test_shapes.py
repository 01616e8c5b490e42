"""The interpreter's ops that move elements, against torch and numpy, in saved packages."""

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
F = torch.nn.functional


def _numbers(seed: int, shape: tuple[int, ...], dtype: Any) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def _check(run: Run, build: Callable[[Any], Any], x: Array, wanted: Any, **options: Any) -> None:
    """Expect the same elements, bit for bit, of the same type."""
    ours = run(lambda x: {"y": build(x)}, {"x": x}, **options)["y"]
    assert ours.dtype == x.dtype
    assert np.array_equal(ours, np.asarray(wanted))


@given(seed=seeds, dtype=dtypes, axis=st.integers(-3, 2), interleave=st.booleans())
@few
def test_concat_joins_or_takes_turns(
    run_program: Run, seed: int, dtype: Any, axis: int, interleave: bool
) -> None:
    x = _numbers(seed, (2, 3, 4), dtype)
    y = x * dtype(2)
    along = axis % 3
    wanted = (
        np.stack([x, y], along + 1).reshape([s * (1 + (a == along)) for a, s in enumerate(x.shape)])
        if interleave
        else torch.cat([torch.from_numpy(x), torch.from_numpy(y)], axis).numpy()
    )
    ours = run_program(
        lambda x, y: {"z": mb.concat(values=[x, y], axis=axis, interleave=interleave)},
        {"x": x, "y": y},
    )["z"]
    assert np.array_equal(ours, wanted)


@given(seed=seeds, dtype=dtypes, pads=st.lists(st.integers(0, 3), min_size=4, max_size=4))
@few
def test_pad_reflects(run_program: Run, seed: int, dtype: Any, pads: list[int]) -> None:
    x = _numbers(seed, (1, 2, 4, 5), dtype)
    top, bottom, left, right = pads
    # Of the padded tensor's type even where it is ignored, as the documentation wants it.
    options: dict[str, Any] = {"mode": "reflect", "constant_val": dtype(0)}
    wanted = F.pad(torch.from_numpy(x), (left, right, top, bottom), "reflect")
    _check(run_program, lambda x: mb.pad(x=x, pad=pads, **options), x, wanted)


def test_shape(run_program: Run) -> None:
    x = np.ones((2, 1, 3), np.float16)
    ours = run_program(lambda x: {"sides": mb.shape(x=x)}, {"x": x})["sides"]
    assert ours.dtype == np.int32
    assert ours.tolist() == [2, 1, 3]


@given(start=st.integers(-9, 9), length=st.integers(1, 20), step=st.integers(1, 4))
@few
def test_range_1d(run_program: Run, start: int, length: int, step: int) -> None:
    bounds = np.array([start, start + length, step], np.int32)

    def build(bounds: Any) -> dict[str, Any]:
        first, last, by = (
            mb.squeeze(x=mb.slice_by_index(x=bounds, begin=[place], end=[place + 1]))
            for place in range(3)
        )
        return {"y": mb.range_1d(start=first, end=last, step=by)}

    ours = run_program(build, {"bounds": bounds})["y"]
    assert ours.dtype == np.int32
    assert ours.tolist() == list(range(start, start + length, step))


@given(seed=seeds, dtype=dtypes, perm=st.permutations([0, 1, 2, 3]))
@few
def test_transpose(run_program: Run, seed: int, dtype: Any, perm: list[int]) -> None:
    x = _numbers(seed, (1, 2, 3, 4), dtype)
    wanted = torch.from_numpy(x).permute(perm)
    _check(run_program, lambda x: mb.transpose(x=x, perm=perm), x, wanted)


@given(seed=seeds, dtype=dtypes, shape=st.sampled_from([[4, 6], [-1, 3], [2, -1, 2]]))
@few
def test_reshape(run_program: Run, seed: int, dtype: Any, shape: list[int]) -> None:
    x = _numbers(seed, (2, 3, 4), dtype)
    _check(run_program, lambda x: mb.reshape(x=x, shape=shape), x, x.reshape(shape))


@given(seed=seeds, dtype=dtypes, axes=st.sampled_from([[0], [-1], [1, 3], [-2, 0]]))
@few
def test_expand_dims_and_squeeze(run_program: Run, seed: int, dtype: Any, axes: list[int]) -> None:
    x = _numbers(seed, (2, 3), dtype)
    rank = x.ndim + len(axes)
    wanted = np.expand_dims(x, tuple(axis % rank for axis in axes))
    _check(run_program, lambda x: mb.expand_dims(x=x, axes=axes), x, wanted)
    _check(run_program, lambda x: mb.squeeze(x=x), wanted, x)


@given(seed=seeds, dtype=dtypes, data=st.data())
@few
def test_slice_by_index_slices_as_numpy_does(
    run_program: Run, seed: int, dtype: Any, data: st.DataObject
) -> None:
    x = _numbers(seed, (4, 5, 6), dtype)
    begin = [data.draw(st.integers(0, side - 1)) for side in x.shape]
    end = [
        data.draw(st.integers(first + 1, side)) for first, side in zip(begin, x.shape, strict=True)
    ]
    end_mask = data.draw(st.lists(st.booleans(), min_size=3, max_size=3))
    wanted = x[
        tuple(
            slice(first, None if rest else last)
            for first, last, rest in zip(begin, end, end_mask, strict=True)
        )
    ]
    _check(
        run_program,
        lambda x: mb.slice_by_index(x=x, begin=begin, end=end, end_mask=end_mask),
        x,
        wanted,
    )


@given(seed=seeds, dtype=dtypes, factor=st.integers(2, 3))
@few
def test_pixel_shuffle(run_program: Run, seed: int, dtype: Any, factor: int) -> None:
    x = _numbers(seed, (1, 2 * factor**2, 3, 4), dtype)
    wanted = F.pixel_shuffle(torch.from_numpy(x), factor)
    _check(run_program, lambda x: mb.pixel_shuffle(x=x, upscale_factor=factor), x, wanted)
