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


@given(seed=seeds, dtype=dtypes, sizes=st.sampled_from([None, [1, 5], [4, 2]]))
@few
def test_split_into_equal_parts_or_given_ones(
    run_program: Run, seed: int, dtype: Any, sizes: list[int] | None
) -> None:
    x = _numbers(seed, (2, 6, 3), dtype)
    how: dict[str, Any] = {"num_splits": 2} if sizes is None else {"split_sizes": sizes}

    def build(x: Any) -> dict[str, Any]:
        first, second = mb.split(x=x, axis=1, **how)
        return {"first": first, "second": second}

    ours = run_program(build, {"x": x})
    for name, wanted in zip(
        ("first", "second"), torch.split(torch.from_numpy(x), sizes or 3, 1), strict=True
    ):
        assert np.array_equal(ours[name], wanted.numpy())


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate"])
@given(seed=seeds, dtype=dtypes, pads=st.lists(st.integers(0, 3), min_size=4, max_size=4))
@few
def test_pad(run_program: Run, mode: str, seed: int, dtype: Any, pads: list[int]) -> None:
    x = _numbers(seed, (1, 2, 4, 5), dtype)
    top, bottom, left, right = pads
    # Of the padded tensor's type even where it is ignored, as the documentation wants it.
    options: dict[str, Any] = {"constant_val": dtype(1.5)}
    tensor = torch.from_numpy(x)
    fill = {"value": 1.5} if mode == "constant" else {}
    wanted = F.pad(tensor, (left, right, top, bottom), mode, **fill)
    _check(run_program, lambda x: mb.pad(x=x, pad=pads, mode=mode, **options), x, wanted)
    whole = [0, 0, 0, 0, *pads]
    _check(run_program, lambda x: mb.pad(x=x, pad=whole, mode=mode, **options), x, wanted)


@given(seed=seeds, dtype=dtypes, reps=st.lists(st.integers(1, 3), min_size=3, max_size=3))
@few
def test_tile(run_program: Run, seed: int, dtype: Any, reps: list[int]) -> None:
    x = _numbers(seed, (2, 1, 3), dtype)
    _check(run_program, lambda x: mb.tile(x=x, reps=reps), x, torch.from_numpy(x).repeat(reps))


@given(sides=st.lists(st.integers(1, 4), min_size=1, max_size=4))
@few
def test_shape_and_fill(run_program: Run, sides: list[int]) -> None:
    x = np.ones(sides, np.float16)

    def build(x: Any) -> dict[str, Any]:
        return {"sides": mb.shape(x=x), "full": mb.fill(shape=sides, value=np.float16(0.5))}

    ours = run_program(build, {"x": x})
    assert ours["sides"].dtype == np.int32
    assert ours["sides"].tolist() == list(torch.from_numpy(x).shape)
    assert np.array_equal(ours["full"], torch.full(sides, 0.5, dtype=torch.float16).numpy())


@given(
    dtype=st.sampled_from([np.float32, np.float16, np.int32]),
    start=st.integers(-9, 9),
    count=st.integers(1, 20),
    step=st.integers(1, 4),
    down=st.booleans(),
)
@few
def test_range_1d(
    run_program: Run, dtype: Any, start: int, count: int, step: int, down: bool
) -> None:
    # The last step may fall short of the end.
    stride = -step if down else step
    bounds = np.array([start, start + (count - 1) * stride + (-1 if down else 1), stride], dtype)
    wanted = torch.arange(*(float(bound) for bound in bounds)).numpy().astype(dtype)

    def build(bounds: Any) -> dict[str, Any]:
        first, last, by = (mb.squeeze(x=each) for each in mb.split(x=bounds, num_splits=3, axis=0))
        return {"y": mb.range_1d(start=first, end=last, step=by)}

    assert np.array_equal(run_program(build, {"bounds": bounds})["y"], wanted)


@given(seed=seeds, dtype=dtypes, perm=st.permutations([0, 1, 2, 3]))
@few
def test_transpose(run_program: Run, seed: int, dtype: Any, perm: list[int]) -> None:
    x = _numbers(seed, (1, 2, 3, 4), dtype)
    wanted = torch.from_numpy(x).permute(perm)
    _check(run_program, lambda x: mb.transpose(x=x, perm=perm), x, wanted)


@given(seed=seeds, dtype=dtypes, shape=st.sampled_from([[4, 6], [-1, 3], [0, 0, -1], [2, -1, 2]]))
@few
def test_reshape(run_program: Run, seed: int, dtype: Any, shape: list[int]) -> None:
    x = _numbers(seed, (2, 3, 4), dtype)
    sides = [x.shape[axis] if side == 0 else side for axis, side in enumerate(shape)]
    _check(run_program, lambda x: mb.reshape(x=x, shape=shape), x, x.reshape(sides))


def test_reshape_of_ios17_counts_zeros_from_the_right(run_program: Run) -> None:
    x = _numbers(0, (2, 50), np.float32)
    # The documentation's own example.
    _check(
        run_program,
        lambda x: mb.reshape(x=x, shape=[1, 0, -1, 0]),
        x,
        x.reshape(1, 1, 2, 50),
        target="iOS17",
    )


@given(seed=seeds, dtype=dtypes, axes=st.sampled_from([[0], [-1], [1, 3], [-2, 0]]))
@few
def test_expand_dims_and_squeeze(run_program: Run, seed: int, dtype: Any, axes: list[int]) -> None:
    x = _numbers(seed, (2, 3), dtype)
    rank = x.ndim + len(axes)
    wanted = np.expand_dims(x, tuple(axis % rank for axis in axes))
    _check(run_program, lambda x: mb.expand_dims(x=x, axes=axes), x, wanted)
    _check(run_program, lambda x: mb.squeeze(x=x, axes=axes), wanted, x)
    _check(run_program, lambda x: mb.squeeze(x=x), wanted, x)


@st.composite
def _slices(draw: st.DrawFn) -> dict[str, list[Any]]:
    slices: dict[str, list[Any]] = {name: [] for name in ("begin", "end", "stride")}
    masks: dict[str, list[Any]] = {name: [] for name in ("begin_mask", "end_mask", "squeeze_mask")}
    for side in (4, 5, 6):
        first = draw(st.integers(0, side - 1))
        last = draw(st.integers(first + 1, side))
        backwards = draw(st.booleans())
        start, stop, step = (last - 1, first - 1, -1) if backwards else (first, last, 1)
        to_end = draw(st.booleans()) or stop < 0
        slices["begin"].append(start - side if draw(st.booleans()) else start)
        slices["end"].append(0 if to_end else stop)
        slices["stride"].append(step * draw(st.integers(1, 2)))
        masks["begin_mask"].append(draw(st.booleans()))
        masks["end_mask"].append(to_end)
        masks["squeeze_mask"].append(draw(st.integers(0, 3)) == 0)
    return {**slices, **masks}


@given(seed=seeds, dtype=dtypes, slices=_slices())
@settings(few, max_examples=15)
def test_slice_by_index_slices_as_numpy_does(
    run_program: Run, seed: int, dtype: Any, slices: dict[str, list[Any]]
) -> None:
    x = _numbers(seed, (4, 5, 6), dtype)
    index = tuple(
        begin if squeezed else slice(None if from_start else begin, None if to_end else end, step)
        for begin, end, step, from_start, to_end, squeezed in zip(*slices.values(), strict=True)
    )
    wanted = x[index]
    if wanted.size == 0 or wanted.ndim == 0:
        return
    # The first begin of an axis to drop is the place, whatever the mask of begins says.
    slices["begin_mask"] = [
        kept and not gone
        for kept, gone in zip(slices["begin_mask"], slices["squeeze_mask"], strict=True)
    ]
    _check(run_program, lambda x: mb.slice_by_index(x=x, **slices), x, wanted)


@given(seed=seeds, dtype=dtypes, begin=st.tuples(st.integers(0, 2), st.integers(0, 3)))
@few
def test_slice_by_size(run_program: Run, seed: int, dtype: Any, begin: tuple[int, int]) -> None:
    x = _numbers(seed, (4, 5), dtype)
    wanted = torch.from_numpy(x)[begin[0] : begin[0] + 2, begin[1] :]
    _check(run_program, lambda x: mb.slice_by_size(x=x, begin=begin, size=[2, -1]), x, wanted)


@given(seed=seeds, dtype=dtypes, axis=st.integers(-3, 2), indices=st.lists(st.integers(-2, 1)))
@few
def test_gather(run_program: Run, seed: int, dtype: Any, axis: int, indices: list[int]) -> None:
    x = _numbers(seed, (2, 3, 4), dtype)
    places = np.array([*indices, 0], np.int32)
    wanted = torch.from_numpy(x).index_select(axis, torch.from_numpy(places % x.shape[axis]))
    ours = run_program(
        lambda x, places: {"y": mb.gather(x=x, indices=places, axis=axis)},
        {"x": x, "places": places},
    )["y"]
    assert np.array_equal(ours, wanted.numpy())


@given(seed=seeds, dtype=dtypes, factor=st.integers(2, 3))
@few
def test_pixel_shuffle(run_program: Run, seed: int, dtype: Any, factor: int) -> None:
    x = _numbers(seed, (1, 2 * factor**2, 3, 4), dtype)
    wanted = F.pixel_shuffle(torch.from_numpy(x), factor)
    _check(run_program, lambda x: mb.pixel_shuffle(x=x, upscale_factor=factor), x, wanted)


@given(seed=seeds, dtype=dtypes, block=st.integers(2, 3))
@few
def test_depth_to_space_and_back(run_program: Run, seed: int, dtype: Any, block: int) -> None:
    x = _numbers(seed, (1, 2 * block**2, 3, 4), dtype)
    # Places outermost among the channels: torch's order after a transposition.
    inner = torch.from_numpy(x).reshape(block**2, 2, 3, 4).transpose(0, 1)
    wanted = F.pixel_shuffle(inner.reshape(1, -1, 3, 4), block).numpy()
    _check(run_program, lambda x: mb.depth_to_space(x=x, block_size=block), x, wanted)
    _check(run_program, lambda x: mb.space_to_depth(x=x, block_size=block), wanted, x)


@given(seed=seeds, dtype=dtypes, sides=st.lists(st.integers(0, 2), min_size=4, max_size=4))
@few
def test_crop(run_program: Run, seed: int, dtype: Any, sides: list[int]) -> None:
    x = _numbers(seed, (1, 2, 6, 7), dtype)
    top, bottom, left, right = sides
    wanted = F.pad(torch.from_numpy(x), (-left, -right, -top, -bottom))
    _check(
        run_program,
        lambda x: mb.crop(x=x, crop_height=[top, bottom], crop_width=[left, right]),
        x,
        wanted,
    )


@given(seed=seeds, dtype=dtypes, factors=st.tuples(st.integers(1, 3), st.integers(1, 3)))
@few
def test_upsample_nearest_neighbor(
    run_program: Run, seed: int, dtype: Any, factors: tuple[int, int]
) -> None:
    x = _numbers(seed, (1, 2, 3, 4), dtype)
    high, broad = factors
    wanted = F.interpolate(torch.from_numpy(x), scale_factor=factors, mode="nearest")
    _check(
        run_program,
        lambda x: mb.upsample_nearest_neighbor(
            x=x, scale_factor_height=high, scale_factor_width=broad
        ),
        x,
        wanted,
    )
