"""The emulator's operators that move elements against ONNX's reference evaluator."""

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

TYPES = (np.float32, np.float16, np.int8, np.uint8, np.int64)
few = settings(max_examples=10, deadline=None, derandomize=True)
shapes = st.lists(st.integers(1, 5), min_size=1, max_size=4)


def _counted(shape: Any, dtype: Any = np.float32) -> Array:
    """Return a tensor whose elements tell where they came from; small enough for int8."""
    return (np.arange(np.prod(shape, dtype=int)) % 127).reshape(shape).astype(dtype)


def _ints(*values: int) -> Array:
    return np.array(values, dtype=np.int64)


@pytest.mark.parametrize("dtype", TYPES)
@given(shape=shapes, data=st.data())
@few
def test_transposition_and_concatenation_take_any_type(
    agrees: Agrees, dtype: Any, shape: list[int], data: st.DataObject
) -> None:
    x = _counted(shape, dtype)
    agrees("Transpose", x, perm=data.draw(st.permutations(range(len(shape)))))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    longer = np.concatenate([x, x], axis)
    agrees("Concat", x, longer, x, axis=axis)


@given(shape=shapes, data=st.data())
@few
def test_reshape_knows_zero_and_minus_one(
    agrees: Agrees, shape: list[int], data: st.DataObject
) -> None:
    x = _counted(shape)
    kept = data.draw(st.integers(0, len(shape)))
    agrees("Reshape", x, _ints(*[0] * kept, -1))
    agrees("Reshape", x, _ints(*reversed(shape)))


@given(shape=shapes, data=st.data())
@few
def test_axes_come_and_go(agrees: Agrees, shape: list[int], data: st.DataObject) -> None:
    rank = len(shape) + 2
    axes = data.draw(st.lists(st.integers(0, rank - 1), min_size=2, max_size=2, unique=True))
    signed = [axis - rank if data.draw(st.booleans()) else axis for axis in axes]
    (more,) = agrees("Unsqueeze", _counted(shape), _ints(*signed))
    agrees("Squeeze", more, _ints(*signed))
    agrees("Squeeze", more)


@given(shape=shapes, data=st.data())
@few
def test_shape_has_a_start_and_an_end(
    agrees: Agrees, shape: list[int], data: st.DataObject
) -> None:
    bounds = st.integers(-5, 5)
    agrees("Shape", _counted(shape), start=data.draw(bounds), end=data.draw(bounds))
    agrees("Shape", _counted(shape))


@given(shape=shapes, data=st.data())
@few
def test_slices_have_negative_bounds_and_bounds_beyond_the_ends(
    agrees: Agrees, shape: list[int], data: st.DataObject
) -> None:
    rank = len(shape)
    axes = data.draw(st.lists(st.integers(0, rank - 1), min_size=1, unique=True))
    count = len(axes)
    bounds = st.lists(st.integers(-8, 8), min_size=count, max_size=count)
    signed = [axis - rank if data.draw(st.booleans()) else axis for axis in axes]
    agrees(
        "Slice",
        _counted(shape),
        *(_ints(*data.draw(values)) for values in (bounds, bounds)),
        _ints(*signed),
    )


def test_a_slice_may_leave_axes_out(agrees: Agrees) -> None:
    agrees("Slice", _counted([4, 5]), _ints(1, -3), _ints(2**62, -1))


@given(shape=shapes, indices=st.lists(st.just(0), max_size=3), data=st.data())
@few
def test_gather_takes_indices_of_any_rank(
    agrees: Agrees, shape: list[int], indices: list[int], data: st.DataObject
) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = _counted(shape)
    agrees("Gather", x, _ints(*indices), axis=axis)
    agrees("Gather", x, np.array([indices, indices], dtype=np.int64), axis=axis)
    agrees("Gather", x, np.array(0, dtype=np.int64), axis=axis)


def test_the_first_of_the_least_elements_is_found(agrees: Agrees) -> None:
    x = np.array([[4, 1, 1], [2, 3, 1]], np.float32)
    agrees("ArgMin", x, axis=0)
    agrees("ArgMin", x, axis=1)
    agrees("ArgMin", x[0])


@given(start=st.integers(-9, 9), length=st.integers(0, 9), step=st.integers(1, 3))
@few
def test_ranges(agrees: Agrees, start: int, length: int, step: int) -> None:
    for dtype in (np.int64, np.int32):
        agrees("Range", *(np.array(value, dtype) for value in (start, start + length, step)))


@pytest.mark.parametrize("dtype", TYPES)
@given(sides=st.lists(st.integers(1, 3), min_size=4, max_size=4), block=st.integers(1, 3))
@few
def test_depth_goes_to_space(agrees: Agrees, dtype: Any, sides: list[int], block: int) -> None:
    n, channels, height, width = sides
    x = _counted([n, channels * block * block, height, width], dtype)
    agrees("DepthToSpace", x, blocksize=block, mode="DCR")


@pytest.mark.parametrize("dtype", TYPES)
@given(data=st.data(), sides=st.lists(st.integers(2, 4), min_size=1, max_size=4))
@few
def test_reflection_takes_any_type_and_axis(
    agrees: Agrees, dtype: Any, data: st.DataObject, sides: list[int]
) -> None:
    amounts = [data.draw(st.integers(0, side - 1)) for side in sides * 2]
    agrees("Pad", _counted(sides, dtype), _ints(*amounts), mode="reflect")
