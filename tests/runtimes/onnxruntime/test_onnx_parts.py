"""Cutting parts out of ONNX files."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from lama_edge.errors import ModelError
from lama_edge.runtimes.onnxruntime.parts import OnnxParts, _message

RNG = np.random.default_rng(0)
FIRST = RNG.standard_normal((4, 3, 3, 3)).astype(np.float32)
SECOND = RNG.standard_normal((2, 4, 1, 1)).astype(np.float32)


def _model() -> onnx.ModelProto:
    """image -> Conv -> middle -> Relu -> Conv -> out; and sizes, the shape of middle."""
    shape: list[str | int | None] = ["batch", 3, "height", "width"]
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "first"], ["middle"], name="a", pads=[1] * 4),
            helper.make_node("Relu", ["middle"], ["positive"], name="b"),
            helper.make_node("Conv", ["positive", "second"], ["out"], name="c"),
            helper.make_node("Shape", ["middle"], ["sizes"], name="d"),
            helper.make_node("Clip", ["out", "", "limit"], ["clipped"], name="e"),
        ],
        "g",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("clipped", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(FIRST, "first"),
            numpy_helper.from_array(SECOND, "second"),
            numpy_helper.from_array(np.float32(0.5), "limit"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    model.metadata_props.add(key="about", value="a graph")
    return onnx.shape_inference.infer_shapes(model)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("parts") / "model.onnx"
    onnx.save(_model(), path)
    return path


def _run(model: bytes, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    return list(session.run(None, feeds))


def test_parts_one_after_the_other_give_what_the_whole_gives(path: Path) -> None:
    image = RNG.random((2, 3, 6, 7), dtype=np.float32)
    parts = OnnxParts(path)
    (middle,) = _run(parts.cut(["image"], ["middle"]), {"image": image})
    (result,) = _run(parts.cut(["middle"], ["clipped"]), {"middle": middle})
    (whole,) = _run(path.read_bytes(), {"image": image})
    np.testing.assert_array_equal(result, whole)


def test_a_part_is_a_valid_model_of_only_what_leads_to_its_outputs(path: Path) -> None:
    part = onnx.load_model_from_string(OnnxParts(path).cut(["middle", "image"], ["out"]))
    onnx.checker.check_model(part, full_check=True)
    assert [node.name for node in part.graph.node] == ["b", "c"]
    assert [tensor.name for tensor in part.graph.initializer] == ["second"]
    assert [value.name for value in part.graph.input] == ["middle"]
    whole = _model()
    assert part.graph.node[1] == whole.graph.node[2]
    assert part.graph.initializer[0] == whole.graph.initializer[1]
    assert (part.ir_version, part.opset_import) == (whole.ir_version, whole.opset_import)
    assert not part.metadata_props


def test_a_part_with_a_loop_gets_what_its_body_takes_from_around(tmp_path: Path) -> None:
    """Rows of x times `weights`, plus the sums of all rows, which the body takes from outside."""
    unknown = None
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["row", "weights"], ["turned"]),
            helper.make_node("Add", ["turned", "sums"], ["added"]),
        ],
        "body",
        [helper.make_tensor_value_info("row", TensorProto.FLOAT, unknown)],
        [helper.make_tensor_value_info("added", TensorProto.FLOAT, unknown)],
    )
    rows: list[str | int | None] = ["rows", 3]
    graph = helper.make_graph(
        [
            helper.make_node("Relu", ["image"], ["x"]),
            helper.make_node("ReduceSum", ["x", "axes"], ["sums"], keepdims=0),
            helper.make_node("Scan", ["x"], ["out"], body=body, num_scan_inputs=1),
            helper.make_node("Neg", ["unused"], ["other"]),
        ],
        "g",
        [
            helper.make_tensor_value_info("image", TensorProto.FLOAT, rows),
            helper.make_tensor_value_info("unused", TensorProto.FLOAT, rows),
        ],
        [
            helper.make_tensor_value_info("out", TensorProto.FLOAT, rows),
            helper.make_tensor_value_info("other", TensorProto.FLOAT, rows),
        ],
        [
            numpy_helper.from_array(FIRST[0, 0], "weights"),
            numpy_helper.from_array(np.array([0]), "axes"),
        ],
        value_info=[helper.make_tensor_value_info("x", TensorProto.FLOAT, rows)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "loop.onnx")
    part = OnnxParts(tmp_path / "loop.onnx").cut(["x"], ["out"])
    read = onnx.load_model_from_string(part)
    assert [node.op_type for node in read.graph.node] == ["ReduceSum", "Scan"]
    assert [value.name for value in read.graph.input] == ["x"]
    x = RNG.standard_normal((5, 3)).astype(np.float32)
    (out,) = _run(part, {"x": x})
    np.testing.assert_allclose(out, x @ FIRST[0, 0] + x.sum(0), rtol=1e-5, atol=1e-6)


def test_a_body_keeps_to_itself_what_it_takes_and_makes_in_loops_of_loops(tmp_path: Path) -> None:
    """A loop over rows with one over their elements, which takes a tensor from outside both.

    The bodies' own values have the names of nothing around them, so a part that asked for one of
    them would be refused.
    """
    scalar: list[int] = []
    inner = helper.make_graph(
        [
            helper.make_node("Mul", ["element", "own"], ["doubled"]),
            helper.make_node("Add", ["doubled", "outermost"], ["moved"]),
            helper.make_node("Mul", ["moved", "of_row"], ["scaled"]),
        ],
        "inner",
        [helper.make_tensor_value_info("element", TensorProto.FLOAT, scalar)],
        [helper.make_tensor_value_info("scaled", TensorProto.FLOAT, scalar)],
        [numpy_helper.from_array(np.float32(2), "own")],
    )
    outer = helper.make_graph(
        [
            helper.make_node("ReduceMax", ["row"], ["of_row"], keepdims=0),
            helper.make_node("Scan", ["row"], ["elements"], body=inner, num_scan_inputs=1),
        ],
        "outer",
        [helper.make_tensor_value_info("row", TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info("elements", TensorProto.FLOAT, None)],
    )
    rows: list[str | int | None] = ["rows", 3]
    graph = helper.make_graph(
        [
            helper.make_node("Relu", ["image"], ["x"]),
            helper.make_node("Neg", ["single"], ["outermost"]),
            helper.make_node("Scan", ["x"], ["out"], body=outer, num_scan_inputs=1),
        ],
        "g",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, rows)],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, rows)],
        [
            numpy_helper.from_array(np.float32(0.5), "single"),
            numpy_helper.from_array(np.float32(7), "unused"),
        ],
        value_info=[helper.make_tensor_value_info("x", TensorProto.FLOAT, rows)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "loops.onnx")
    part = OnnxParts(tmp_path / "loops.onnx").cut(["x"], ["out"])
    read = onnx.load_model_from_string(part)
    assert [node.op_type for node in read.graph.node] == ["Neg", "Scan"]
    assert [tensor.name for tensor in read.graph.initializer] == ["single"]
    x = RNG.standard_normal((5, 3)).astype(np.float32)
    (out,) = _run(part, {"x": x})
    np.testing.assert_allclose(out, (2 * x - 0.5) * x.max(1, keepdims=True), rtol=1e-6)


def test_values_keep_their_types_and_leave_their_extents_open(path: Path) -> None:
    part = onnx.load_model_from_string(OnnxParts(path).cut(["image"], ["middle", "sizes"]))
    types = {
        value.name: value.type.tensor_type for value in [*part.graph.input, *part.graph.output]
    }
    assert types["image"].elem_type == types["middle"].elem_type == TensorProto.FLOAT
    assert types["sizes"].elem_type == TensorProto.INT64
    for kind, rank in (("image", 4), ("middle", 4), ("sizes", 1)):
        dims = types[kind].shape.dim
        assert len(dims) == rank
        assert not any(dim.HasField("dim_value") or dim.HasField("dim_param") for dim in dims)


def test_the_metadata_can_be_read(path: Path) -> None:
    assert OnnxParts(path).metadata == {"about": "a graph"}


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        (["middle"], ["nothing"], "needs 'nothing'"),
        (["out"], ["middle"], "gives middle needs 'image', which is not among its inputs"),
    ],
)
def test_a_cut_that_the_graph_does_not_allow_is_refused(
    path: Path, inputs: list[str], outputs: list[str], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        OnnxParts(path).cut(inputs, outputs)


def test_a_value_of_unknown_type_is_refused(tmp_path: Path) -> None:
    model = _model()
    del model.graph.value_info[:]
    onnx.save(model, tmp_path / "untyped.onnx")
    with pytest.raises(ModelError, match="no value 'middle' of known type"):
        OnnxParts(tmp_path / "untyped.onnx").cut(["image"], ["middle"])


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x08", b"\xff" * 40, b"\x3a\x7f\x0a"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"other\.onnx"):
        OnnxParts(tmp_path / "other.onnx")


@settings(max_examples=200, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_cut_but_never_crashes(
    path: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(1, len(content))) :]
    damaged = tmp_path_factory.getbasetemp() / "damaged.onnx"
    damaged.write_bytes(content)
    with suppress(ModelError):
        OnnxParts(damaged).cut(["image"], ["clipped"])


def test_loops_in_loops_without_end_are_refused(tmp_path: Path) -> None:
    graph = b""
    for _ in range(1500):
        attribute = _message(6, graph)  # a node's attribute that is a graph, whose node has one
        graph = _message(1, _message(5, attribute))
    path = tmp_path / "deep.onnx"
    path.write_bytes(_message(7, graph))
    with pytest.raises(ModelError, match="damaged, or no ONNX file"):
        OnnxParts(path)


def test_of_a_file_that_gives_no_tensors_the_names_are_read_and_no_part_is_cut(
    tmp_path: Path,
) -> None:
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1])
    several = helper.make_tensor_sequence_value_info("several", TensorProto.FLOAT, None)
    nodes = [helper.make_node("SequenceConstruct", ["image"], ["several"])]
    weights = numpy_helper.from_array(FIRST, "first")
    onnx.external_data_helper.set_external_data(weights, "weights.bin")
    graph = helper.make_graph(nodes, "g", [image], [several], [weights])
    path = tmp_path / "several.onnx"
    path.write_bytes(helper.make_model(graph).SerializeToString())
    parts = OnnxParts(path)
    assert parts.external_files == {"weights.bin"}
    with pytest.raises(ModelError, match="no value 'several' of known type"):
        parts.cut(["image"], ["several"])
