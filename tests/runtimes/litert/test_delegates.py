"""What delegates take: all of every export, and of files made to break a rule all but that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")

from lama_edge.exporters.formats.litert import LITERT
from lama_edge.exporters.formats.litert.flatbuffer import OPERATORS, GraphWriter, Scale, schema
from lama_edge.runtimes.litert.delegates import DelegateReport, delegate_reports
from lama_edge.runtimes.litert.facts import file_facts, file_support
from lama_edge.runtimes.litert.structure import read_structure

Export = Callable[..., Path]
SHAPE = [1, 8, 8, 4]


def _reports(path: Path) -> dict[str, DelegateReport]:
    return {one.name: one for one in delegate_reports(read_structure(path))}


@pytest.mark.parametrize("io", LITERT.io_forms)
@pytest.mark.parametrize("precision", LITERT.precisions)
def test_the_gpu_takes_every_operator_of_every_precision(
    litert_file: Export, precision: str, io: str
) -> None:
    report = _reports(litert_file(precision=precision, io=io))["gpu"]
    assert (report.refused, report.taken) == ((), report.operators)
    assert report.operators > 100


@pytest.mark.parametrize("family", ["fourier", "regular", "dilated"])
@pytest.mark.parametrize("composite", [True, False], ids=["composite", "raw"])
def test_the_gpu_takes_every_operator_of_every_family(
    litert_file: Export, family: str, composite: bool
) -> None:
    assert _reports(litert_file(family, composite=composite))["gpu"].refused == ()


def test_what_npus_leave_is_named(litert_file: Export) -> None:
    reports = _reports(litert_file(precision="fp32"))
    assert reports["qualcomm"].refused == ()
    assert {(one.operator, one.reason) for one in reports["mediatek"].refused} == {
        ("DEPTH_TO_SPACE", "it is not on the list")
    }


def test_support_says_what_each_takes_and_by_which_list(litert_file: Export) -> None:
    path = litert_file(precision="fp32")
    facts, support = file_facts(path, None, "auto"), file_support(path, None, "auto")
    count = sum(facts.data["operators"].values())
    assert dict(facts.rows)["operators"].startswith(f"{count}: CONV_2D ")
    rows = dict(support.pieces[0])
    assert rows["GPU delegate"] == (
        "takes all, by tflite/delegates/gpu/common/model_builder.cc at 34ec5bad"
    )
    assert rows["MediaTek NPU"].startswith(f"takes {count - 4} of {count}, by litert/vendors/")
    table = support.pieces[-1]
    assert [*table[1][:3]] == ["MediaTek NPU", "DEPTH_TO_SPACE", "4"]
    assert [one["name"] for one in support.data["delegates"]] == ["gpu", "qualcomm", "mediatek"]


class _Model:
    """A graph of one input under construction, every value of float32 [1,8,8,4] unless said."""

    def __init__(self) -> None:
        self.writer = GraphWriter()
        self.image = self.writer.tensor("image", SHAPE)
        self._names = 0

    def __call__(
        self,
        name: str,
        inputs: Sequence[Any],
        shape: Sequence[int] = SHAPE,
        options: Any = None,
        *,
        dtype: Any = np.float32,
        version: int = 1,
        scale: Scale | None = None,
    ) -> int:
        """Add an operator; arrays among its inputs become constants."""
        self._names += 1
        indices = [
            one if isinstance(one, int) else self.writer.constant(f"c{self._names}_{at}", one)
            for at, one in enumerate(inputs)
        ]
        output = self.writer.tensor(f"v{self._names}", shape, dtype, scale)
        code = getattr(OPERATORS, name)
        return self.writer.operator(code, indices, output, options, version=version)

    def hole(self) -> int:
        return self("GREATER", [self.image, _floats(1)], dtype=np.bool_)

    def save(self, path: Path, output: int) -> Path:
        names = {"inputs": {"image": self.image}, "outputs": {"result": output}}
        self.writer.write(path, **names, description="", manifest="{}")
        return path


def _floats(*shape: int) -> np.ndarray:
    return np.linspace(0.1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)


def _ints(*values: Any) -> np.ndarray:
    return np.array(values, np.int32)


def _options(kind: str, **values: Any) -> Any:
    made = getattr(schema, f"{kind}OptionsT")()
    for name, value in values.items():
        setattr(made, name, value)
    return made


def _cast(model: _Model, truths: int) -> int:
    kinds = schema.TensorType
    options = _options("Cast", inDataType=kinds.BOOL, outDataType=kinds.FLOAT32)
    return model("CAST", [truths], options=options)


def _convolution(**values: Any) -> Any:
    steps = dict.fromkeys(("strideH", "strideW", "dilationHFactor", "dilationWFactor"), 1)
    return _options("Conv2D", **{**steps, **values})


def _convolved(
    model: _Model, weights: Any = None, bias: Any = None, version: int = 1, **values: Any
) -> int:
    inputs = [model.image, _floats(4, 1, 1, 4) if weights is None else weights]
    inputs.append(_floats(4) if bias is None else bias)
    return model("CONV_2D", inputs, options=_convolution(**values), version=version)


def _widened(model: _Model, constant: np.ndarray) -> int:
    """Return a constant behind a DEQUANTIZE."""
    scale = Scale.one(0.01) if constant.dtype == np.int8 else None
    stored = model.writer.constant("stored", constant, scale)
    return model("DEQUANTIZE", [stored], constant.shape, _options("Dequantize"), version=2)


def _product(model: _Model, left: Any, right: Any, **values: Any) -> int:
    return model("BATCH_MATMUL", [left, right], options=_options("BatchMatMul", **values))


def _truths_twice(model: _Model) -> int:
    truths = model.hole()
    return model("ADD", [_cast(model, truths), _cast(model, truths)], options=_options("Add"))


def _cast_twice(model: _Model) -> int:
    numbers = _cast(model, model.hole())
    less = model("SUB", [_floats(1), numbers], options=_options("Sub"))
    return model("MUL", [less, numbers], options=_options("Mul"))


def _cast_of_bytes(model: _Model) -> int:
    quantised = model("QUANTIZE", [model.image], dtype=np.uint8, scale=Scale.one(1.0))
    return model("CAST", [quantised], options=_options("Cast"))


def _in_five_axes(model: _Model) -> int:
    apart = model("RESHAPE", [model.image, _ints(1, 8, 4, 2, 4)], [1, 8, 4, 2, 4])
    return model("RESHAPE", [apart, _ints(*SHAPE)])


def _scales_of_channels(model: _Model) -> int:
    scale = Scale(np.full(4, 0.1, np.float32), np.zeros(4, np.int64), axis=3)
    quantised = model("QUANTIZE", [model.image], dtype=np.int8, scale=scale)
    return model("DEQUANTIZE", [quantised], options=_options("Dequantize"), version=2)


def _mirrored(model: _Model, mode: int) -> int:
    paddings = _ints([0, 0], [1, 1], [1, 1], [0, 0])
    options = _options("MirrorPad", mode=mode)
    return model("MIRROR_PAD", [model.image, paddings], [1, 10, 10, 4], options)


def _chosen(model: _Model, fill: np.ndarray) -> int:
    inputs = [model.hole(), model.image, fill]
    return model("SELECT_V2", inputs, options=_options("SelectV2"))


def _backwards(model: _Model) -> int:
    inputs = [model.image, _ints(0, 7, 0, 0), _ints(1, -9, 8, 4), _ints(1, -1, 1, 1)]
    return model("STRIDED_SLICE", inputs, options=_options("StridedSlice"))


# Each with the operator that is refused, and a part of the reason.
VIOLATIONS: dict[str, tuple[Callable[[_Model], int], str, str]] = {
    "an operator of no list": (
        lambda m: m("GATHER_ND", [m.image, _ints([[0]])], [1, 1, *SHAPE[1:]]),
        *("GATHER_ND", "not on the list"),
    ),
    "a newer version": (lambda m: _convolved(m, version=7), "CONV_2D", "of version 7, and 6"),
    "truths taken twice": (_truths_twice, "GREATER", "taken by 2"),
    "truths that are the result": (lambda m: m.hole(), "GREATER", "taken by 0"),
    "truths counted": (
        lambda m: m("LOGICAL_NOT", [m.hole()], dtype=np.bool_),
        *("GREATER", "a CAST or a SELECT alone"),
    ),
    "a cast taken twice": (_cast_twice, "CAST", "taken by 2"),
    "a cast of bytes": (_cast_of_bytes, "CAST", "float32 of uint8"),
    "five axes": (_in_five_axes, "RESHAPE", "more than 4 axes"),
    "scales of channels": (_scales_of_channels, "QUANTIZE", "4 scales"),
    "integers": (
        lambda m: m("ADD", [m.image, _ints(1)], options=_options("Add"), dtype=np.int32),
        *("ADD", "is int32"),
    ),
    "a constant left operand": (
        lambda m: _product(m, _floats(8, 8), m.image),
        *("BATCH_MATMUL", "left operand is constant"),
    ),
    "a right operand of three axes": (
        lambda m: _product(m, m.image, _floats(1, 4, 4)),
        *("BATCH_MATMUL", "more than two axes"),
    ),
    "a right operand transposed": (
        lambda m: _product(m, m.image, _floats(4, 4), adjY=True),
        *("BATCH_MATMUL", "transposes"),
    ),
    "a matrix behind a DEQUANTIZE": (
        lambda m: _product(m, m.image, _widened(m, np.ones((4, 4), np.int8))),
        *("DEQUANTIZE", "2 axes and not 4"),
    ),
    "a bias behind a DEQUANTIZE": (
        lambda m: _convolved(m, bias=_widened(m, np.ones(4, np.int8))),
        *("CONV_2D", "bias is computed"),
    ),
    "an activation of signs": (
        lambda m: _convolved(m, fusedActivationFunction=5),
        *("CONV_2D", "SIGN_BIT"),
    ),
    "no stride": (lambda m: _convolved(m, strideH=0), "CONV_2D", "below 1"),
    "shuffled weights": (
        lambda m: m(
            "FULLY_CONNECTED",
            [m.image, _floats(4, 4)],
            options=_options("FullyConnected", weightsFormat=1, keepNumDims=True),
        ),
        *("FULLY_CONNECTED", "shuffled"),
    ),
    "a block of one": (
        lambda m: m("DEPTH_TO_SPACE", [m.image], options=_options("DepthToSpace", blockSize=1)),
        *("DEPTH_TO_SPACE", "block is 1"),
    ),
    "a mirror with its border": (lambda m: _mirrored(m, 1), "MIRROR_PAD", "REFLECT alone"),
    "a choice of a colour": (lambda m: _chosen(m, _floats(1, 1, 1, 4)), "SELECT_V2", "no number"),
    "a slice backwards": (_backwards, "STRIDED_SLICE", "backwards"),
    "a sum of other extents": (
        lambda m: m("ADD", [m.image, _floats(3, 4)], options=_options("Add")),
        *("ADD", "do not broadcast"),
    ),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_a_broken_rule_is_found(name: str, tmp_path: Path) -> None:
    make, operator, reason = VIOLATIONS[name]
    model = _Model()
    report = _reports(model.save(tmp_path / "broken.tflite", make(model)))["gpu"]
    assert operator in {one.operator for one in report.refused if reason in one.reason}, report


KEPT: dict[str, Callable[[_Model], int]] = {
    "a cast taken once": lambda m: m(
        "SUB", [_floats(1), _cast(m, m.hole())], options=_options("Sub")
    ),
    "a constant right operand": lambda m: _product(m, m.image, _floats(4, 4)),
    "halves behind a DEQUANTIZE": lambda m: _convolved(
        m, _widened(m, np.ones((4, 1, 1, 4), np.float16))
    ),
    "weights of 8 bits behind a DEQUANTIZE": lambda m: _convolved(
        m, _widened(m, np.ones((4, 1, 1, 4), np.int8))
    ),
    "a matrix of halves": lambda m: _product(m, m.image, _widened(m, np.ones((4, 4), np.float16))),
    "a reflecting mirror": lambda m: _mirrored(m, 0),
    "a choice of a number": lambda m: _chosen(m, _floats(1)),
    "a sum with channels": lambda m: m("ADD", [m.image, _floats(4)], options=_options("Add")),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_keeps_the_rules_is_taken(name: str, tmp_path: Path) -> None:
    model = _Model()
    assert _reports(model.save(tmp_path / "kept.tflite", KEPT[name](model)))["gpu"].refused == ()
