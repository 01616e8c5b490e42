"""What ONNX has no operator for is refused, also where NumPy would compute something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lama_edge.errors import ModelError

Array = NDArray[Any]

FLOATS, HALVES = np.ones((2, 3), np.float32), np.ones((2, 3), np.float16)
INTEGERS, BOOLEANS = np.ones((2, 3), np.int64), np.ones((2, 3), np.bool_)


def _ints(*values: int) -> Array:
    return np.array(values, np.int64)


@pytest.mark.parametrize(
    ("op", "arguments", "attributes", "message"),
    [
        # A result's place, to NumPy.
        ("Neg", (FLOATS, FLOATS), {}, "takes 1 values, not 2"),
        ("Add", (FLOATS, FLOATS, FLOATS), {}, "takes 2 values, not 3"),
        ("Equal", (FLOATS, None), {}, "NoneType"),
        ("Where", (BOOLEANS, FLOATS, None), {}, "NoneType"),
        ("Slice", (FLOATS, None, None), {}, "NoneType"),
        # Types that NumPy would widen, or has.
        ("Max", (FLOATS, INTEGERS), {}, "float32 and int64"),
        ("Mul", (FLOATS, INTEGERS), {}, "float32 and int64"),
        ("Where", (BOOLEANS, FLOATS, INTEGERS), {}, "float32 and int64"),
        ("Where", (INTEGERS, FLOATS, FLOATS), {}, "int64"),
        ("Concat", (INTEGERS, BOOLEANS), {"axis": 0}, "bool and int64"),
        ("Sub", (BOOLEANS, BOOLEANS), {}, "bool"),
        ("MatMul", (BOOLEANS, BOOLEANS.T), {}, "bool"),
        ("Sqrt", (INTEGERS,), {}, "int64"),
        ("Mod", (HALVES, HALVES), {}, "float"),
        ("DFT", (INTEGERS[..., :1],), {"axis": 0}, "int64"),
        ("Conv", (INTEGERS[:, :, None, None],) * 2, {}, "cannot convolve int64"),
        ("DequantizeLinear", (FLOATS, FLOATS[0, 0]), {}, "float32"),
        ("DequantizeLinear", (INTEGERS, FLOATS[0, 0]), {}, "int64"),
        ("DequantizeLinear", (BOOLEANS, FLOATS[0, 0]), {}, "bool"),
        ("Gather", (FLOATS, BOOLEANS), {}, "count from 0"),
        # Indices and shapes that mean something else to NumPy, or nothing.
        ("Gather", (FLOATS, _ints(-1)), {}, "count from 0"),
        ("Gather", (FLOATS, _ints(2)), {}, "out of bounds"),
        ("Reshape", (FLOATS, _ints(3, -2)), {}, "no shape"),
        ("Squeeze", (FLOATS, _ints(0)), {}, "not equal to one"),
        ("Unsqueeze", (FLOATS, _ints(3)), {}, "out of bounds"),
        ("Transpose", (FLOATS,), {"perm": [0]}, "axes"),
        ("ArgMin", (FLOATS,), {"axis": 2}, "out of bounds"),
        ("Slice", (FLOATS, _ints(0), _ints(1), _ints(2)), {}, "out of bounds"),
        ("Add", (FLOATS, FLOATS.T), {}, "broadcast"),
        ("DFT", (FLOATS,), {"axis": 0}, "real or complex"),
        ("DFT", (FLOATS[..., :2],), {"axis": 0, "onesided": 1}, "real ones"),
        ("DFT", (FLOATS[..., :1],), {"axis": 1}, "out of range"),
        # Divisors and steps of zero.
        ("Div", (INTEGERS, 0 * INTEGERS), {}, "zero"),
        ("Mod", (INTEGERS, 0 * INTEGERS), {}, "zero"),
        ("Range", (np.array(0), np.array(1), np.array(0)), {}, "zero"),
        # More than there is memory for, or an address.
        ("Range", (np.array(0), np.array(2**50), np.array(1)), {}, "Unable to allocate"),
    ],
)
def test_what_onnx_has_no_operator_for_is_refused_and_the_node_named(
    emulate: Callable[..., Array],
    op: str,
    arguments: tuple[Array | None, ...],
    attributes: dict[str, Any],
    message: str,
) -> None:
    with pytest.raises(ModelError, match=rf"the node 'only' \({op}\) failed: .*{message}"):
        emulate(op, *arguments, **attributes)
