"""What an op cannot compute is refused, before it takes memory, by a message that names it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("coremltools")
from lama_edge.errors import ModelError
from lama_edge.runtimes.coreml.interpreter.elements import (
    BOOL,
    FP16,
    FP32,
    INT32,
    Element,
    TensorType,
)
from lama_edge.runtimes.coreml.interpreter.function import computed
from lama_edge.runtimes.coreml.interpreter.operators import OPERATORS
from lama_edge.runtimes.coreml.interpreter.registry import Operation

X = np.ones((1, 2, 4, 6), np.float32)
LARGE = np.broadcast_to(X[0, 0, 0, 0], (100,) * 4)


def ints(*values: int) -> Any:
    return np.array(values, np.int32)


def _refused(op: str, declared: TensorType, message: str, arguments: dict[str, Any]) -> None:
    operation = Operation("it", op, {name: (name,) for name in arguments}, declared)
    with pytest.raises(ModelError, match=rf"'it' \({op}\) failed: .*{message}") as caught:
        computed(operation, arguments)
    assert "\n" not in str(caught.value)


FLAGS = {"transpose_x": np.array(False), "transpose_y": np.array(False)}
CONV = {
    "x": X,
    "weight": np.ones((3, 2, 3, 3), np.float32),
    "strides": ints(1, 1),
    "dilations": ints(1, 1),
    "groups": ints(1),
    "pad_type": "custom",
    "pad": ints(0, 0, 0, 0),
}
REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "types": ("add", {"x": X, "y": ints(1)}, "no form for float32 and int64"),
    "compared types": ("equal", {"x": X, "y": ints(1)}, "no form for float32 and int32"),
    "matrices of types": (
        "matmul",
        {"x": X, "y": ints(1), **FLAGS},
        "no form for float32 and int64",
    ),
    "kernels of a type": (
        "conv",
        {**CONV, "weight": np.ones((3, 2, 3, 3), "?")},
        "cannot convolve",
    ),
    "truths": ("mul", {"x": X > 0, "y": X > 0}, "no form for bool"),
    "whole numbers": ("sin", {"x": ints(1)}, "no form for int64"),
    "division by zero": ("floor_div", {"x": ints(1), "y": ints(0)}, "division by zero"),
    "remainder of zero": ("mod", {"x": ints(1), "y": ints(0)}, "division by zero"),
    "shapes": ("add", {"x": X, "y": X[..., :5]}, "broadcast"),
    "a product too large": ("mul", {"x": X[0, 0, 0], "y": np.ones((2**27, 1), "?")}, "too large"),
    "a condition": ("select", {"cond": ints(1), "a": X, "b": X}, "no form for int32"),
    "a choice too large": (
        "select",
        {"cond": np.ones((2**27, 1, 1, 1, 1), "?"), "a": X, "b": X},
        "too large",
    ),
    "other elements": ("reshape", {"x": X, "shape": ints(5, -1)}, "cannot reshape"),
    "two open sides": ("reshape", {"x": X, "shape": ints(-1, -1)}, "one unknown"),
    "a negative side": ("reshape", {"x": X, "shape": ints(2, -3)}, "no shape"),
    "an axis twice": ("expand_dims", {"x": X, "axes": ints(1, 1)}, "repeated"),
    "an axis too many": ("transpose", {"x": X, "perm": ints(0, 1, 2, 4)}, "out of bounds"),
    "an axis missing": ("transpose", {"x": X, "perm": ints(0, 1)}, "match"),
    "bounds": ("slice_by_index", {"x": X, "begin": ints(0, 0), "end": ints(1)}, "shorter"),
    "parts": (
        "concat",
        {"values": [X, X[..., :5]], "axis": ints(1), "interleave": np.array(False)},
        "dimension",
    ),
    "parts too large": (
        "concat",
        {"values": [LARGE] * 6, "axis": ints(0), "interleave": np.array(False)},
        "too large",
    ),
    "a border below zero": (
        "pad",
        {"x": X, "pad": ints(-1, 2), "mode": "reflect", "constant_val": X},
        "cannot reflect",
    ),
    "a border too large": (
        "pad",
        {"x": LARGE, "pad": ints(*[99] * 8), "mode": "reflect", "constant_val": X},
        "too large",
    ),
    "channels": ("pixel_shuffle", {"x": X, "upscale_factor": ints(3)}, "cannot reshape"),
    "matrices": ("matmul", {"x": X, "y": X, **FLAGS}, "matmul"),
    "a vector": ("matmul", {"x": X[0, 0, 0], "y": X, **FLAGS}, ""),
    "a matrix too large": (
        "matmul",
        {"x": np.ones((2**15, 1)), "y": np.ones((1, 2**15)), **FLAGS},
        "too large",
    ),
    "groups": ("conv", {**CONV, "groups": ints(2)}, "groups"),
    "no groups": ("conv", {**CONV, "groups": ints(0)}, ""),
    "a bias": ("conv", {**CONV, "bias": X[0, 0, 0, :1]}, r"a bias float32\(1,\)"),
    "a window": ("conv", {**CONV, "dilations": ints(2, 2)}, "larger than the map"),
    "negative pads": ("conv", {**CONV, "pad": ints(0, 0, -1, 0)}, "pads of"),
    "pads": ("conv", {**CONV, "pad": ints(*[2**20] * 4)}, "too large"),
    "pads and strides": (
        "conv",
        {**CONV, "pad": ints(*[2**20] * 4), "strides": ints(2**20, 2**20)},
        "too large",
    ),
    "a step": ("range_1d", {"start": ints(0), "end": ints(9), "step": ints(0)}, "zero"),
    "a place beyond the palette": (
        "constexpr_lut_to_dense",
        {"indices": ints(9), "lut": X[0, 0, 0].reshape(1, 1, 6, 1)},
        "out of bounds",
    ),
    "scales": (
        "constexpr_affine_dequantize",
        {
            "quantized_data": np.ones((2**15, 1), np.int8),
            "scale": np.ones(2**15, np.float32),
            "zero_point": np.int8(0),
            "axis": ints(1),
        },
        "do not fit",
    ),
    "an axis of scales": (
        "constexpr_affine_dequantize",
        {"quantized_data": ints(1), "scale": X[0, 0, 0], "zero_point": ints(0), "axis": ints(4)},
        "range",
    ),
    "a text": ("relu", {"x": "fp32"}, ""),
}
# Of the results, where it is not 4.
RANKS = {
    "division by zero": 1,
    "remainder of zero": 1,
    "a product too large": 2,
    "a choice too large": 5,
    "a matrix too large": 2,
    "scales": 2,
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_computed_is_refused(what: str) -> None:
    op, arguments, message = REFUSED[what]
    declared = TensorType(FP32, (None,) * RANKS.get(what, 4))
    _refused(op, declared, message, dict(arguments))


def test_results_of_another_shape_than_declared_are_refused() -> None:
    declared = TensorType(FP32, (1, 2, 4, 5))
    _refused("relu", declared, "the program declares", {"x": X})
    _refused("conv", declared, "the program declares", dict(CONV))


def _operation(op: str, declared: TensorType) -> Operation:
    return Operation("it", op, {"x": ("x",), "y": ("y",)}, declared)


def test_floats_of_two_types_are_refused() -> None:
    operation = _operation("add", TensorType(FP32, (None,)))
    with pytest.raises(ModelError, match=r"'it' \(add\) mixes fp16 and fp32; it wants one type"):
        OPERATORS["add"].check(operation, {"x": FP32, "y": FP16})


@pytest.mark.parametrize(
    ("op", "given", "gives"), [("add", FP16, FP16), ("add", INT32, INT32), ("equal", INT32, BOOL)]
)
def test_values_without_axes_stay_arrays_of_the_declared_type(
    op: str, given: Element, gives: Element
) -> None:
    """NumPy's functions give numbers of its own, of other types in places."""
    one = np.array(1, given.storage)
    ours = computed(_operation(op, TensorType(gives, ())), {"x": one, "y": one})
    assert isinstance(ours, np.ndarray)
    assert ours.dtype == gives.storage


@pytest.mark.filterwarnings("error")
def test_weights_that_pass_their_type_are_infinite_without_a_warning() -> None:
    """Weights are unfolded while a package is loaded, outside of any run."""
    data = {"quantized_data": np.int8([100]), "zero_point": np.int8(0), "axis": ints(0)}
    operation = Operation("it", "constexpr_affine_dequantize", {}, TensorType(FP16, (1,)))
    assert np.isinf(computed(operation, {**data, "scale": np.float16([6e4])}))
