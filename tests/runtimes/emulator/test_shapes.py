"""The emulator's operators that move elements against ONNX's reference evaluator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import numpy_helper

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
    agrees("Transpose", x)
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
    agrees("Flatten", x, axis=data.draw(st.integers(0, len(shape))))


def test_reshape_takes_zero_literally_when_told_to(agrees: Agrees) -> None:
    agrees("Reshape", _counted([0, 3]), _ints(3, 0), allowzero=1)


@given(shape=shapes, data=st.data())
@few
def test_axes_come_and_go(agrees: Agrees, shape: list[int], data: st.DataObject) -> None:
    rank = len(shape) + 2
    axes = data.draw(st.lists(st.integers(0, rank - 1), min_size=2, max_size=2, unique=True))
    signed = [axis - rank if data.draw(st.booleans()) else axis for axis in axes]
    (more,) = agrees("Unsqueeze", _counted(shape), _ints(*signed))
    (back,) = agrees("Squeeze", more, _ints(*signed))
    assert list(back.shape) == shape
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
def test_slices_have_negative_steps_and_bounds_beyond_the_ends(
    agrees: Agrees, shape: list[int], data: st.DataObject
) -> None:
    rank = len(shape)
    axes = data.draw(st.lists(st.integers(0, rank - 1), min_size=1, unique=True))
    count = len(axes)
    bounds = st.lists(st.integers(-8, 8), min_size=count, max_size=count)
    steps = st.lists(st.sampled_from([-3, -2, -1, 1, 2, 3]), min_size=count, max_size=count)
    signed = [axis - rank if data.draw(st.booleans()) else axis for axis in axes]
    agrees(
        "Slice",
        _counted(shape),
        *(_ints(*data.draw(values)) for values in (bounds, bounds)),
        _ints(*signed),
        _ints(*data.draw(steps)),
    )


def test_a_slice_may_leave_axes_and_steps_out(agrees: Agrees) -> None:
    agrees("Slice", _counted([4, 5]), _ints(1, -3), _ints(2**62, -1))


@given(sizes=st.lists(st.integers(0, 4), min_size=1, max_size=4), axis=st.integers(-3, 2))
@few
def test_splits_have_given_sizes(agrees: Agrees, sizes: list[int], axis: int) -> None:
    shape = [2, 3, 2]
    shape[axis] = sum(sizes)
    agrees("Split", _counted(shape), _ints(*sizes), axis=axis, outputs=len(sizes))


def test_a_split_into_so_many_leaves_a_smaller_rest(agrees: Agrees) -> None:
    agrees("Split", _counted([2, 7]), axis=1, num_outputs=3, outputs=3, opset=18)


@given(shape=shapes, indices=st.lists(st.integers(-1, 0), max_size=3), data=st.data())
@few
def test_gather_takes_negative_indices_and_scalars(
    agrees: Agrees, shape: list[int], indices: list[int], data: st.DataObject
) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = _counted(shape)
    agrees("Gather", x, _ints(*indices), axis=axis)
    agrees("Gather", x, np.array([indices, indices], dtype=np.int64), axis=axis)
    agrees("Gather", x, np.array(-1, dtype=np.int64), axis=axis)


def test_the_first_of_the_least_elements_is_found(agrees: Agrees) -> None:
    x = np.array([[4, 1, 1], [2, 3, 1]], np.float32)
    agrees("ArgMin", x, axis=0)
    agrees("ArgMin", x, axis=1)
    agrees("ArgMin", x[0])


@given(shape=shapes)
@few
def test_expand_broadcasts_in_both_directions(agrees: Agrees, shape: list[int]) -> None:
    ones = [1 if index % 2 else side for index, side in enumerate(shape)]
    agrees("Expand", _counted(ones), _ints(3, *shape))
    agrees("Expand", _counted(shape), _ints(1))


def test_constants_are_made(agrees: Agrees) -> None:
    half = numpy_helper.from_array(np.array([2.5], np.float16))
    agrees("ConstantOfShape", _ints(2, 3), value=half)
    agrees("ConstantOfShape", _ints(2, 3))
    agrees("Constant", value=half)
    agrees("Constant", value_ints=[1, 2])
    agrees("Constant", value_float=2.5)
    agrees("Constant", value_floats=[2.5])
    agrees("Constant", value_int=3)


@given(start=st.integers(-9, 9), limit=st.integers(-9, 9), step=st.integers(-3, 3).filter(bool))
@few
def test_ranges(agrees: Agrees, start: int, limit: int, step: int) -> None:
    for dtype in (np.int64, np.int32):
        agrees("Range", *(np.array(value, dtype) for value in (start, limit, step)))
    agrees("Range", *(np.array(value / 2, np.float32) for value in (start, limit, step)))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("mode", ["DCR", "CRD"])
@given(sides=st.lists(st.integers(1, 3), min_size=4, max_size=4), block=st.integers(1, 3))
@few
def test_depth_goes_to_space_and_back(
    agrees: Agrees, dtype: Any, mode: str, sides: list[int], block: int
) -> None:
    n, channels, height, width = sides
    x = _counted([n, channels * block * block, height, width], dtype)
    (spread,) = agrees("DepthToSpace", x, blocksize=block, mode=mode)
    if mode == "DCR":
        (back,) = agrees("SpaceToDepth", spread, blocksize=block)
        assert np.array_equal(back, x)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
@given(data=st.data(), sides=st.lists(st.integers(2, 4), min_size=1, max_size=4))
@few
def test_padding_takes_any_type_axis_and_mode(
    agrees: Agrees, dtype: Any, mode: str, data: st.DataObject, sides: list[int]
) -> None:
    # Up to two reflections.
    amounts = data.draw(
        st.lists(st.integers(0, 5), min_size=2 * len(sides), max_size=2 * len(sides))
    )
    x = _counted(sides, dtype)
    agrees("Pad", x, _ints(*amounts), mode=mode, opset=19)
    last = _ints(amounts[0], amounts[1])
    agrees("Pad", x, last, None, _ints(-1), mode=mode, opset=19)


def test_padding_with_a_value(agrees: Agrees) -> None:
    for dtype in TYPES:
        agrees("Pad", _counted([2, 3], dtype), _ints(1, 0, 2, 1), np.array(7, dtype))
