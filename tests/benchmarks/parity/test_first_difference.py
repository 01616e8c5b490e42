"""A fault in a graph fails parity, and the first differing tensor is at the fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from lama_edge.benchmarks.documents.arrays import save_arrays
from lama_edge.benchmarks.parity import first_difference as module
from lama_edge.benchmarks.parity.first_difference import first_difference
from lama_edge.benchmarks.parity.rows import Side, judged_row
from lama_edge.errors import NotFiniteError
from lama_edge.judging.cases import ParityCase, seeded_cases
from lama_edge.judging.judge import raw_outputs, run_case
from lama_edge.runtimes.base import open_runner
from lama_edge.runtimes.registry import tolerance_of
from lama_edge.runtimes.torch.runner import TorchRunner
from lama_edge.spec import Size, SizePolicy

SIZE = Size(64, 72)
TOLERANCE = tolerance_of("onnxruntime", "fp32")


def _node(model: onnx.ModelProto, name: str) -> onnx.NodeProto:
    (node,) = [node for node in model.graph.node if node.name == name]
    return node


def _change(
    model: onnx.ModelProto, name: str, change: Callable[[np.ndarray], np.ndarray | None]
) -> None:
    """Edit a copy of a weight, or put another in its place."""
    (tensor,) = [tensor for tensor in model.graph.initializer if tensor.name == name]
    array = numpy_helper.to_array(tensor).copy()
    changed = change(array)
    array = array if changed is None else np.ascontiguousarray(changed)
    tensor.CopyFrom(numpy_helper.from_array(array, name))


def _set(node: onnx.NodeProto, **attributes: object) -> None:
    kept = [attribute for attribute in node.attribute if attribute.name not in attributes]
    del node.attribute[:]
    node.attribute.extend(kept)
    node.attribute.extend(helper.make_attribute(*pair) for pair in attributes.items())


def _append(model: onnx.ModelProto, op: str, value: str, factor: float) -> None:
    """Put one more operator behind the node that gives `value`."""
    (node,) = [node for node in model.graph.node if value in node.output]
    node.output[0] = f"{value}.before_{op}"
    constant = f"{value}.{op}_factor"
    model.graph.initializer.append(numpy_helper.from_array(np.array(factor, np.float32), constant))
    place = list(model.graph.node).index(node) + 1
    model.graph.node.insert(place, helper.make_node(op, [node.output[0], constant], [value]))


def _edge_pad(model: onnx.ModelProto) -> None:
    _set(_node(model, "head.pad"), mode="edge")


def _zero_pad(model: onnx.ModelProto) -> None:
    _set(_node(model, "head.pad"), mode="constant")


def _crop_side(model: onnx.ModelProto) -> None:
    """An upsampling's last phase looks at the row below and the column to the right."""
    _set(_node(model, "up1.conv11"), pads=[1, 1, 0, 0])


def _one_weight(model: onnx.ModelProto) -> None:
    def add(weight: np.ndarray) -> None:
        weight[0, 0, 1, 1] += 0.1

    _change(model, "block01.conv2.local_to_local.weight", add)


def _mask_polarity(model: onnx.ModelProto) -> None:
    _node(model, "input.hole").op_type = "Equal"


def _known_polarity(model: onnx.ModelProto) -> None:
    node = _node(model, "input.known")
    node.input[1], node.input[2] = node.input[2], node.input[1]


def _composite_polarity(model: onnx.ModelProto) -> None:
    node = _node(model, "output.composite")
    node.input[1], node.input[2] = node.input[2], node.input[1]


def _known_replaced(model: onnx.ModelProto) -> None:
    """The hole is as it should be, but the fill covers the known pixels too."""
    node = _node(model, "output.composite")
    node.input[2] = node.input[1]


def _channel_order_out(model: onnx.ModelProto) -> None:
    def reverse(values: np.ndarray) -> np.ndarray:
        """The last convolution gives the 3 channels of 16 pixels at a time."""
        return values.reshape(-1, 3, *values.shape[1:])[:, ::-1].reshape(values.shape)

    _change(model, "head.conv.weight", reverse)
    _change(model, "head.conv.bias", reverse)


def _channel_order_in(model: onnx.ModelProto) -> None:
    _change(model, "stem.conv.weight", lambda weight: weight[:, [2, 1, 0, 3]])


def _range_255(model: onnx.ModelProto) -> None:
    _append(model, "Mul", "inpainted", 255)


def _range_minus_one(model: onnx.ModelProto) -> None:
    """As a generator that ends in tanh gives it: from -1 to 1."""
    _append(model, "Mul", "head.sigmoid", 2)
    _append(model, "Sub", "head.sigmoid", 1)


FAULTS = [
    (_edge_pad, "head.pad", "Pad"),
    (_zero_pad, "head.pad", "Pad"),
    (_crop_side, "up1.conv11", "Conv"),
    (_one_weight, "block01.conv2.local_to_local", "Conv"),
    (_mask_polarity, "input.hole", "Equal"),
    (_known_polarity, "input.known", "Where"),
    (_composite_polarity, "inpainted", "Where"),
    (_known_replaced, "inpainted", "Where"),
    (_channel_order_out, "head.conv", "Conv"),
    (_channel_order_in, "stem.conv", "Conv"),
    (_range_255, "inpainted", "Mul"),
    (_range_minus_one, "head.sigmoid", "Sub"),
]


@pytest.fixture(scope="module")
def healthy(exported: Callable[..., Path]) -> Path:
    return exported("fourier", SIZE)


@pytest.fixture(scope="module")
def cases() -> list[ParityCase]:
    return seeded_cases(SizePolicy(SIZE, 8, 16))


@pytest.fixture(scope="module")
def picture_file(cases: list[ParityCase], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("picture") / "picture.npz"
    save_arrays(path, [cases[0].image, cases[0].hole])
    return path


@pytest.fixture(scope="module")
def wanted(golden_folder: Path, cases: list[ParityCase]) -> Side:
    with TorchRunner(golden_folder, composite=False) as reference:
        return Side(raw_outputs(reference, cases), rounded=False)


@pytest.fixture
def altered(healthy: Path, tmp_path: Path) -> Callable[[Callable[..., None]], Path]:
    def alter(fault: Callable[[onnx.ModelProto], None]) -> Path:
        model = onnx.load(healthy)
        fault(model)
        onnx.save(model, tmp_path / "altered.onnx")
        return tmp_path / "altered.onnx"

    return alter


def _passes(model: Path, cases: list[ParityCase], wanted: Side) -> bool:
    with open_runner(model, provider="cpu") as runner:
        outputs = [run_case(runner, case) for case in cases]
    side = Side([output.levels for output in outputs], rounded=False)
    changed = [output.known_changed for output in outputs]
    return judged_row(cases, wanted, side, changed, TOLERANCE)["passed"]


def _look(model: Path, reference: Path, picture_file: Path) -> dict:
    payload = {"model": str(model), "reference": str(reference), "picture": str(picture_file)}
    return first_difference(payload)


@pytest.mark.parametrize(
    ("fault", "tensor", "op"), FAULTS, ids=[fault.__name__ for fault, *_ in FAULTS]
)
def test_a_fault_fails_parity_and_is_found_where_it_is(
    fault,
    tensor: str,
    op: str,
    altered,
    golden_folder: Path,
    cases,
    picture_file: Path,
    wanted: Side,
) -> None:
    model = altered(fault)
    assert not _passes(model, cases, wanted)
    found = _look(model, golden_folder, picture_file)["first_difference"]
    assert (found["tensor"], found["op"]) == (tensor, op)
    assert found["max_abs_diff"] > TOLERANCE.max_abs_diff
    assert len(found["position"]) == 4


def test_a_healthy_model_passes_and_agrees_to_the_last_value(
    healthy: Path, golden_folder: Path, cases, picture_file: Path, wanted: Side
) -> None:
    assert _passes(healthy, cases, wanted)
    answer = _look(healthy, golden_folder, picture_file)
    assert answer["first_difference"] is None
    assert "values agree" in answer["reason"]


def test_what_a_loop_gives_is_compared(
    exported: Callable[..., Path], golden_folder: Path, picture_file: Path, tmp_path: Path
) -> None:
    path, sound = tmp_path / "loops.onnx", exported("fourier", SIZE, kernels="bands")
    assert "values agree" in _look(sound, golden_folder, picture_file)["reason"]
    model = onnx.load(sound)
    _change(model, "block01.conv2.local.bias", lambda bias: bias + 0.1)
    onnx.save(model, path)
    found = _look(path, golden_folder, picture_file)["first_difference"]
    assert (found["tensor"], found["op"]) == ("block01.conv2.rows.out0", "Scan")


def test_the_reference_may_be_an_onnx_model(altered, healthy: Path, picture_file: Path) -> None:
    answer = _look(altered(_one_weight), healthy, picture_file)
    assert answer["first_difference"]["tensor"] == "block01.conv2.local_to_local"


def test_two_forms_of_the_fourier_transform_are_no_difference(
    healthy: Path, exported: Callable[..., Path], picture_file: Path
) -> None:
    other = exported(dft="op")
    assert _look(healthy, other, picture_file)["first_difference"] is None
    assert _look(other, healthy, picture_file)["first_difference"] is None


def test_batches_of_one_value_find_the_same(
    altered, golden_folder: Path, picture_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = altered(_known_polarity)
    together = _look(model, golden_folder, picture_file)
    monkeypatch.setattr(module, "_FIRST_BATCH", 1)
    monkeypatch.setattr(module, "_BATCH_BYTES", 1)
    assert _look(model, golden_folder, picture_file) == together
    assert together["first_difference"]["checked"] == 2


def test_values_of_another_shape_are_a_difference(
    altered, golden_folder: Path, picture_file: Path
) -> None:
    def smaller_pad(model: onnx.ModelProto) -> None:
        pads = numpy_helper.from_array(np.array([0, 0, 2, 2, 0, 0, 2, 2]), "pads")
        model.graph.initializer.append(pads)
        _node(model, "head.pad").input[1] = "pads"
        _set(_node(model, "head.conv"), pads=[1, 1, 1, 1])

    found = _look(altered(smaller_pad), golden_folder, picture_file)["first_difference"]
    assert found["tensor"] == "head.pad"
    assert (found["max_abs_diff"], found["position"]) == (None, [])


def test_a_value_that_is_not_finite_is_the_first_difference(
    altered, golden_folder: Path, picture_file: Path, cases: list[ParityCase], wanted: Side
) -> None:
    def poison(bias: np.ndarray) -> None:
        bias[1] = np.nan

    model = altered(lambda model: _change(model, "up0.conv00.bias", poison))
    with pytest.raises(NotFiniteError, match="NaN or infinite values at 64x72"):
        _passes(model, cases, wanted)
    found = _look(model, golden_folder, picture_file)["first_difference"]
    assert (found["tensor"], found["max_abs_diff"]) == ("up0.conv00", None)
    assert found["position"] == [0, 1, 0, 0]


def test_a_graph_with_other_names_is_not_searched(
    altered, golden_folder: Path, picture_file: Path
) -> None:
    def rename(model: onnx.ModelProto) -> None:
        kept = {value.name for value in (*model.graph.input, *model.graph.output)}
        kept |= {tensor.name for tensor in model.graph.initializer}
        for node in model.graph.node:
            for names in (node.input, node.output):
                names[:] = [name if name in kept else f"v_{name}" for name in names]
        del model.graph.value_info[:]

    answer = _look(altered(rename), golden_folder, picture_file)
    assert answer["first_difference"] is None
    assert "only 1 of the model's 186 values are named in the reference too" in answer["reason"]
