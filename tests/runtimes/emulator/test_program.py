"""Reading graphs, running them, observing them, and refusing what the emulator does not have."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from lama_edge.errors import ModelError
from lama_edge.runtimes.emulator.operators import OPERATORS
from lama_edge.runtimes.emulator.program import Program

HALF, FLOAT = TensorProto.FLOAT16, TensorProto.FLOAT


def _model(
    nodes: Sequence[NodeProto],
    *,
    outputs: Sequence[str] = ("y",),
    element: int = FLOAT,
    shape: Any = (2, 2),
    opset: int = 17,
    **constants: Any,
) -> onnx.ModelProto:
    dtype = helper.tensor_dtype_to_np_dtype(element)
    return helper.make_model(
        helper.make_graph(
            list(nodes),
            "graph",
            [helper.make_tensor_value_info("x", element, shape)],
            [helper.make_tensor_value_info(name, element, None) for name in outputs],
            [
                numpy_helper.from_array(np.asarray(value, dtype), name)
                for name, value in constants.items()
            ],
        ),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=10,
    )


def _node(op: str, inputs: str, output: str, **attributes: Any) -> NodeProto:
    return helper.make_node(op, inputs.split(), [output], name=f"at {output}", **attributes)


def _x(dtype: Any = np.float32) -> np.ndarray:
    return np.array([[1, -2], [3, 4]], dtype)


def test_every_float_is_observed_in_the_graphs_order_and_as_it_was_rounded() -> None:
    nodes = [
        _node("Mul", "x third", "a"),
        _node("Shape", "a", "sides"),
        _node("Greater", "a third", "large"),
        _node("Relu", "a", "b"),
        _node("Add", "b third", "y"),
    ]
    seen: list[tuple[str, str]] = []
    values = {}

    def observe(name: str, op: str, value: np.ndarray) -> None:
        seen.append((name, op))
        values[name] = value

    program = Program.load(_model(nodes, element=HALF, third=1 / 3))
    output = program.run({"x": _x(np.float16)}, observe=observe)["y"]
    assert seen == [("a", "Mul"), ("b", "Relu"), ("y", "Add")]
    assert {value.dtype for value in values.values()} == {np.dtype(np.float16)}
    third = np.float16(1 / 3)
    assert np.array_equal(values["a"], _x(np.float16) * third)
    assert np.array_equal(output, np.maximum(values["a"], 0) + third)


def test_a_value_is_gone_after_its_last_use() -> None:
    nodes = [
        _node("Sigmoid", "x", "a"),
        _node("Sigmoid", "a", "unused"),
        _node("Sigmoid", "a", "b"),
        _node("Add", "b a", "c"),
        _node("Sigmoid", "c", "d"),
        _node("Sigmoid", "d", "y"),
    ]
    alive: dict[str, weakref.ref[np.ndarray]] = {}
    seen: dict[str, set[str]] = {}

    def observe(name: str, op: str, value: np.ndarray) -> None:
        alive[name] = weakref.ref(value)
        seen[name] = {other for other, value in alive.items() if value() is not None}

    Program.load(_model(nodes, element=HALF)).run({"x": _x(np.float16)}, observe=observe)
    assert seen["b"] == {"a", "b"}
    assert seen["c"] == {"c"}
    assert seen["d"] == {"d"}
    assert seen["y"] == {"y"}


def test_a_wide_copy_takes_the_place_of_a_value_that_nothing_else_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alive: dict[str, weakref.ref[np.ndarray]] = {}
    freed = []

    def observe(name: str, op: str, value: np.ndarray) -> None:
        alive[name] = weakref.ref(value)

    def watching(x: np.ndarray) -> np.ndarray:
        freed.append(alive["a"]() is None)
        return np.cos(x)

    monkeypatch.setitem(OPERATORS, "Cos", replace(OPERATORS["Cos"], kernel=watching))
    nodes = [_node("Sigmoid", "x", "a"), _node("Cos", "a", "y")]
    Program.load(_model(nodes, element=HALF)).run({"x": _x(np.float16)}, observe=observe)
    assert freed == [True]


def _loop(nodes: Sequence[NodeProto], *, inputs: str = "x", taken: int = 1) -> NodeProto:
    """Return a loop over its inputs, whose body takes `row` and gives `out`."""
    body = helper.make_graph(
        list(nodes),
        "body",
        [helper.make_tensor_value_info("row", FLOAT, None)],
        [helper.make_tensor_value_info("out", FLOAT, None)],
        [numpy_helper.from_array(np.float32(10), "ten")],
    )
    return _node("Scan", inputs, "y", body=body, num_scan_inputs=taken)


def test_a_loop_reads_what_is_around_it_and_shows_what_it_gives_as_a_whole() -> None:
    body = [_node("Mul", "row ten", "tens"), _node("Add", "tens around", "out")]
    model = _model([_node("Neg", "x", "around"), _loop(body)])
    seen = {}

    def observe(name: str, op: str, value: np.ndarray) -> None:
        seen[name, op] = value

    output = Program.load(model).run({"x": _x()}, observe=observe)["y"]
    assert output.tolist() == [[[9, -18], [7, -24]], [[29, 42], [27, 36]]]
    assert list(seen) == [("around", "Neg"), ("y", "Scan")]
    assert np.array_equal(seen["y", "Scan"], output)


def test_a_loop_over_numbers_and_one_over_nothing() -> None:
    body = [_node("Mul", "row ten", "out")]
    program = Program.load(_model([_loop(body)], shape=("n",)))
    numbers = np.array([1, -2], np.float32)
    assert program.run({"x": numbers})["y"].tolist() == [10, -20]
    with pytest.raises(ModelError, match=r"'at y' \(Scan\) gives 0 values"):
        program.run({"x": numbers[:0]})


@pytest.mark.parametrize(
    ("loop", "message"),
    [
        (_loop([_node("Relu", "nothing", "out")]), r"'at out' \(Relu\) reads 'nothing'"),
        (_loop([_node("Erf", "row", "out")]), r"'at out' \(Erf\) has an operator that"),
        (_loop([_node("Relu", "row", "x")]), r"'at x' \(Relu\) gives 'x', which exists"),
        (_loop([_node("Relu", "row", "other")]), r"'at y' \(Scan\) failed: .*out"),
        (_loop([_node("Relu", "row row", "out")]), r"'at out' \(Relu\) failed"),
        (_loop([], inputs="x x"), r"'at y' \(Scan\) carries values from one run"),
        (_loop([], taken=0), r"'at y' \(Scan\) carries values from one run"),
    ],
)
def test_what_a_loop_cannot_be_is_named(loop: NodeProto, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Program.load(_model([loop])).run({"x": _x()})


def test_inputs_and_constants_can_be_outputs_and_stay_as_they_are() -> None:
    program = Program.load(_model([], outputs=("x", "c"), c=_x()))
    x = _x()
    for _ in range(2):
        results = program.run({"x": x})
        assert np.array_equal(results["x"], _x())
        assert np.array_equal(results["c"], _x())
        results["x"] *= 2
        results["c"] *= 2
    assert np.array_equal(x, _x())


def test_a_constant_listed_among_the_inputs_is_no_input() -> None:
    model = _model([_node("Add", "x c", "y")], c=_x())
    model.graph.input.append(helper.make_tensor_value_info("c", FLOAT, (2, 2)))
    program = Program.load(model.SerializeToString())
    assert [value.name for value in (*program.input_types, *program.output_types)] == ["x", "y"]
    assert np.array_equal(program.run({"x": _x()})["y"], 2 * _x())


def test_files_are_read_from_paths_and_bytes(tmp_path: Path) -> None:
    model = _model([_node("Relu", "x", "y")])
    model.metadata_props.add(key="made by", value="hand")
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    for source in (path, str(path), path.read_bytes(), model):
        program = Program.load(source)
        assert program.run({"x": _x()})["y"].tolist() == [[1, 0], [3, 4]]
        assert program.metadata == {"made by": "hand"}


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (_node("Erf", "x", "y"), r"the node 'at y' \(Erf\) has an operator that"),
        (_node("Relu", "x", "y", domain="com.else"), r"\(Relu\) has an operator of 'com.else'"),
        (_node("Relu", "x", "y", alpha=1.0), r"'at y' \(Relu\) has the attribute 'alpha'"),
        (_node("Relu", "nothing", "y"), r"'at y' \(Relu\) reads 'nothing'"),
        (_node("Relu", "x", "x"), r"'at x' \(Relu\) gives 'x', which exists"),
        (_node("Relu", "x", "z"), "nothing gives the output 'y'"),
        (_node("Cast", "x", "y", to=TensorProto.BFLOAT16), r"'at y' \(Cast\).*BFLOAT16.*float16"),
        (_node("Cast", "x", "y", to=99), r"'at y' \(Cast\).*99"),
        (_node("Cast", "x", "y"), r"'at y' \(Cast\) failed.*to"),
        (_node("Reshape", "x x", "y"), r"'at y' \(Reshape\) failed"),
        (_node("Relu", "x x", "y"), r"'at y' \(Relu\) failed"),
        (_node("Conv", "x x", "y"), r"'at y' \(Conv\) failed.*cannot convolve"),
        (_node("MatMul", "x wide", "y"), r"'at y' \(MatMul\) failed"),
        (_node("Concat", "x", "y"), r"'at y' \(Concat\) failed"),
        (_node("Pad", "x x", "y", mode="mirror"), r"'at y' \(Pad\) failed.*'mirror'"),
        (
            _node("DepthToSpace", "x", "y", blocksize=2, mode="CRD"),
            r"'at y' \(DepthToSpace\) failed.*'CRD'",
        ),
        (_node("Cast", "x", "y", to=1.0), r"'at y' \(Cast\), attribute 'to', is of a kind"),
        (
            helper.make_node("Relu", ["x"], ["y", "z"], name="at y"),
            r"'at y' \(Relu\) gives 1 values, not 2",
        ),
    ],
)
def test_what_the_emulator_cannot_do_is_named_on_one_line(node: NodeProto, message: str) -> None:
    with pytest.raises(ModelError, match=message) as raised:
        Program.load(_model([node], wide=np.ones((3, 3)))).run({"x": _x()})
    assert "\n" not in str(raised.value)


def test_a_graph_that_mixes_element_types_is_refused() -> None:
    model = _model([_node("Add", "x c", "y")], element=HALF)
    model.graph.initializer.append(numpy_helper.from_array(_x(), "c"))
    with pytest.raises(ModelError, match=r"'at y' \(Add\) mixes float16 and float32"):
        Program.load(model).run({"x": _x(np.float16)})


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x00" * 50])
def test_what_is_no_onnx_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    for source in (content, path):
        with pytest.raises(ModelError, match="ONNX"):
            Program.load(source)


def test_a_missing_file_and_a_cut_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"missing\.onnx.*cannot be read"):
        Program.load(tmp_path / "missing.onnx")
    whole = _model([_node("Add", "x c", "y")], c=_x()).SerializeToString()
    with pytest.raises(ModelError, match="ONNX"):
        Program.load(whole[: len(whole) // 2])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.opset_import.pop(), "opset is none; the emulator has 17 to 23"),
        (lambda m: setattr(m.opset_import[0], "version", 9), "opset is 9"),
        (
            lambda m: setattr(m.graph.initializer[0], "data_type", TensorProto.COMPLEX64),
            "the constant 'c' has the element type COMPLEX64",
        ),
        (lambda m: setattr(m.graph.initializer[0], "raw_data", b"123"), "'c' cannot be read"),
        (
            lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", 0),
            "'x' has the element type UNDEFINED",
        ),
    ],
)
def test_a_damaged_graph_is_refused(
    change: Callable[[onnx.ModelProto], object], message: str
) -> None:
    model = _model([_node("Add", "x c", "y")], c=_x())
    change(model)
    with pytest.raises(ModelError, match=message):
        Program.load(model)


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({}, "takes x, not nothing"),
        ({"x": _x(), "z": _x()}, "takes x, not x, z"),
        ({"x": _x(np.float16)}, "x has dtype float16; the model takes float32"),
        ({"x": _x()[0]}, r"x has shape \(2,\); the model takes \[any,2\]"),
        ({"x": np.ones((2, 3), np.float32)}, r"x has shape \(2, 3\)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(feeds: dict[str, np.ndarray], message: str) -> None:
    program = Program.load(_model([_node("Relu", "x", "y")], shape=("n", 2)))
    with pytest.raises(ModelError, match=message):
        program.run(feeds)
