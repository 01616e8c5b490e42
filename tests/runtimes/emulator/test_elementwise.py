"""The emulator's elementwise operators against ONNX's reference evaluator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from onnx import TensorProto

Array = NDArray[Any]
Agrees = Callable[..., list[Array]]

FLOATS = (np.float32, np.float16)
INTEGERS = (np.int64, np.int32, np.int8, np.uint8)
# Units in the last place; measured on 200,000 numbers from -8 to 8 in both types, the worse one:
# 2, 1 and 4. numpy rounds each of the sigmoid's steps to float16.
UNITS = {"Sin": 3, "Cos": 2, "Sigmoid": 5}
PLAIN = ("Sqrt", "Reciprocal", "Round", "Ceil", "Relu", "Neg", "Abs")
few = settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.filter_too_much],
)


def _elements(dtype: Any, **limits: Any) -> st.SearchStrategy[Any]:
    return hnp.from_dtype(np.dtype(dtype), allow_subnormal=False, **limits)


def _arrays(dtype: Any, shape: Any = None, **limits: Any) -> st.SearchStrategy[Array]:
    shape = hnp.array_shapes(max_dims=4, max_side=4) if shape is None else shape
    if np.dtype(dtype).kind != "f":
        return hnp.arrays(dtype, shape)
    return hnp.arrays(dtype, shape, elements=_elements(dtype, **limits))


@st.composite
def _pairs(draw: st.DrawFn, dtype: Any, **limits: Any) -> tuple[Array, Array]:
    shapes = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=4))
    first, second = (draw(_arrays(dtype, shape, **limits)) for shape in shapes.input_shapes)
    return first, second


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("op", PLAIN)
@given(data=st.data())
@few
def test_an_elementwise_operator_is_rounded_correctly(
    agrees: Agrees, op: str, dtype: Any, data: st.DataObject
) -> None:
    agrees(op, data.draw(_arrays(dtype)))


def test_every_float16_is_rectified_and_what_is_no_number_stays(agrees: Agrees) -> None:
    agrees("Relu", np.arange(2**16).astype(np.uint16).view(np.float16))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("op", UNITS)
@given(data=st.data())
@few
def test_a_transcendental_operator_is_a_few_units_off_at_most(
    agrees: Agrees, op: str, dtype: Any, data: st.DataObject
) -> None:
    agrees(op, data.draw(_arrays(dtype, min_value=-8, max_value=8)), units=UNITS[op])


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div", "Min", "Max"])
@given(data=st.data())
@few
def test_arithmetic_broadcasts_overflows_and_rounds_as_ieee_754_says(
    agrees: Agrees, op: str, dtype: Any, data: st.DataObject
) -> None:
    agrees(op, *data.draw(_pairs(dtype)))


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Min", "Max"])
@given(data=st.data())
@few
def test_integer_arithmetic_is_exact_and_wraps(
    agrees: Agrees, op: str, dtype: Any, data: st.DataObject
) -> None:
    agrees(op, *data.draw(_pairs(dtype)))


@pytest.mark.parametrize("dtype", INTEGERS)
@given(data=st.data())
@few
def test_integer_division_truncates_and_its_remainder_has_the_divisors_sign(
    agrees: Agrees, dtype: Any, data: st.DataObject
) -> None:
    x, y = data.draw(_pairs(dtype))
    y = np.where(y == 0, np.asarray(3, dtype), y).astype(dtype)
    agrees("Div", x, y)
    agrees("Mod", x, y)


def test_dividing_the_smallest_integer_by_minus_one_wraps(agrees: Agrees) -> None:
    smallest, minus_one = np.array([-(2**63)]), np.array([-1])
    for op in ("Div", "Mod"):
        agrees(op, smallest, minus_one)


@pytest.mark.parametrize("dtype", [*FLOATS, np.int64, np.uint8])
@pytest.mark.parametrize("op", ["Equal", "Greater"])
@given(data=st.data())
@few
def test_comparisons_give_booleans(
    agrees: Agrees, op: str, dtype: Any, data: st.DataObject
) -> None:
    agrees(op, *data.draw(_pairs(dtype)))


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS])
@given(data=st.data())
@few
def test_where_selects_and_never_rounds(agrees: Agrees, dtype: Any, data: st.DataObject) -> None:
    x, y = data.draw(_pairs(dtype))
    condition = data.draw(_arrays(np.bool_, np.broadcast_shapes(x.shape, y.shape)))
    agrees("Where", condition, x, y)


@given(
    x=hnp.arrays(
        np.float32,
        20,
        elements=st.one_of(
            st.floats(width=32),
            st.floats(65500, 65540, width=32),
            st.floats(0, 2**-13, width=32),
        ),
    )
)
@few
def test_rounding_to_float16_overflows_and_underflows_as_ieee_754_says(
    agrees: Agrees, x: Array
) -> None:
    (rounded,) = agrees("Cast", x, to=TensorProto.FLOAT16)
    agrees("Cast", rounded, to=TensorProto.FLOAT)


def test_float16_overflows_from_the_middle_between_its_largest_number_and_the_next(
    agrees: Agrees,
) -> None:
    below, middle = np.float32(65519.996), np.float32(65520)
    (rounded,) = agrees("Cast", np.array([below, middle, -middle]), to=TensorProto.FLOAT16)
    assert rounded.tolist() == [65504.0, float("inf"), float("-inf")]


@pytest.mark.parametrize("source", [*FLOATS, np.int64, np.int8, np.bool_])
@pytest.mark.parametrize(
    "to", [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8, TensorProto.BOOL]
)
@given(data=st.data())
@few
def test_casts(agrees: Agrees, source: Any, to: int, data: st.DataObject) -> None:
    # What does not fit an integer type is undefined.
    fits = {"min_value": 0, "max_value": 255} if to == TensorProto.UINT8 else {}
    agrees("Cast", data.draw(_arrays(source, **fits)), to=to)


def test_square_roots_are_rounded_correctly_at_any_magnitude(agrees: Agrees) -> None:
    magnitudes = np.exp2(np.random.default_rng(0).uniform(-30, 60, 4000))
    agrees("Sqrt", magnitudes.astype(np.float32))


def test_doubles_are_computed_as_doubles(emulate: Callable[..., Array]) -> None:
    """Angles of the Fourier transform, of which float32 would keep 7 of 16 digits."""
    x = np.random.default_rng(0).uniform(1, 9, 100)
    for op, wanted in (("Sin", np.sin(x)), ("Sqrt", np.sqrt(x)), ("Neg", -x)):
        assert np.abs(emulate(op, x) - wanted).max() <= 2**-52
    for op, wanted in (("Mul", x * np.pi), ("Div", x / np.pi)):
        assert np.array_equal(emulate(op, x, np.array(np.pi)), wanted)
    assert emulate("Cast", np.array([7]), to=TensorProto.DOUBLE).dtype == np.float64
