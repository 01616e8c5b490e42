"""Measured ranges: against the graph's values computed by ONNX Runtime, and what gets a mark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from lama_edge.errors import UsageError
from lama_edge.exporters.formats.onnx.file import build_onnx
from lama_edge.exporters.graph.deploy_graph import GraphOptions
from lama_edge.forms import to_model
from lama_edge.judging.cases import ParityCase
from lama_edge.judging.ranges import PERCENTILES, Ranges, ValueRange
from lama_edge.models.checkpoint import Checkpoint
from lama_edge.pictures.calibration import calibration_cases
from lama_edge.runtimes.emulator.ranges import measure_ranges
from lama_edge.spec import Size, SizePolicy, io_spec

IO = io_spec("float")
# ONNX Runtime sums in another order: extremes differ by at most 2.1e-6 of the value's largest.
EXTREME_TOLERANCE = 2e-5
# A bin is 1/32 of its octave wide, so at most 1/32 of the value.
PERCENTILE_TOLERANCE = 1 / 32
# Of values with more than 32768 elements a part is counted: of six pictures at least so many.
LEAST_COUNTED = 6 * 6500
STANDARD_ERRORS = 4
HOT_GAIN = 1e5


def _model(checkpoint: Checkpoint) -> onnx.ModelProto:
    config = checkpoint.config
    size = SizePolicy(None, config.size_multiple, config.min_size)
    return build_onnx(config, checkpoint.tensors, GraphOptions(io=IO, size=size))


def _cases(*sizes: Size) -> list[ParityCase]:
    return calibration_cases(SizePolicy(None, 8, 16), sizes=sizes)


def _feeds(case: ParityCase) -> dict[str, NDArray[Any]]:
    image, mask = to_model(IO, case.image, case.hole)
    return {"image": image, "mask": mask}


def _observe(values: NDArray[np.float32]) -> ValueRange:
    """Measure an array, which a graph adds to a black picture."""
    _, _, height, width = values.shape
    black = np.zeros((height, width, 3), dtype=np.uint8)
    graph = helper.make_graph(
        [helper.make_node("Add", ["image", "values"], ["sum"])],
        "sum",
        [
            helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, height, width]),
            helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1, 1, height, width]),
        ],
        [helper.make_tensor_value_info("sum", TensorProto.FLOAT, [1, 3, height, width])],
        [numpy_helper.from_array(values, "values")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    ranges = measure_ranges(model, IO, [ParityCase(black, black[..., 0] == 0)])
    return ranges.values["sum"]


@pytest.fixture(scope="module")
def model(golden_checkpoint: Checkpoint) -> onnx.ModelProto:
    return _model(golden_checkpoint)


@pytest.fixture(scope="module")
def cases() -> list[ParityCase]:
    return _cases(Size(64, 64), Size(40, 72))[-6:]


@pytest.fixture(scope="module")
def ranges(model: onnx.ModelProto, cases: list[ParityCase]) -> Ranges:
    return measure_ranges(model, IO, cases)


@pytest.fixture(scope="module")
def expected(
    model: onnx.ModelProto, cases: list[ParityCase], ranges: Ranges
) -> list[Mapping[str, NDArray[Any]]]:
    """Every value of the graph on every picture, by ONNX Runtime."""
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    names = list(ranges.values)
    given = {output.name for output in model.graph.output}
    exposed.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names if n not in given)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(exposed.SerializeToString(), options)
    return [dict(zip(names, session.run(names, _feeds(c)), strict=True)) for c in cases]


def test_every_floating_point_value_of_the_graph_is_there(
    ranges: Ranges, model: onnx.ModelProto, cases: list[ParityCase]
) -> None:
    integral = {v.name for v in model.graph.value_info if v.type.tensor_type.elem_type != 1}
    named = [name for node in model.graph.node for name in node.output if name not in integral]
    assert [name for name in ranges.values if name in named] == named
    assert ranges.pictures == len(cases)


def test_extremes_are_those_of_each_channel_over_all_pictures(
    ranges: Ranges, expected: list[Mapping[str, NDArray[Any]]]
) -> None:
    for name, value in ranges.values.items():
        arrays = [one[name] for one in expected]
        if arrays[0].ndim == 4:
            low = np.min([a.min(axis=(0, 2, 3)) for a in arrays], axis=0)
            high = np.max([a.max(axis=(0, 2, 3)) for a in arrays], axis=0)
        else:
            low = np.array([min(a.min() for a in arrays)])
            high = np.array([max(a.max() for a in arrays)])
        scale = max(float(abs(low).max()), float(abs(high).max()), 1e-6)
        assert value.low.shape == low.shape, name
        assert value.low == pytest.approx(low, abs=EXTREME_TOLERANCE * scale), name
        assert value.high == pytest.approx(high, abs=EXTREME_TOLERANCE * scale), name
        assert value.largest == pytest.approx(scale, rel=EXTREME_TOLERANCE, abs=1e-6), name


def test_percentiles_are_of_the_magnitudes_of_all_pictures(
    ranges: Ranges, expected: list[Mapping[str, NDArray[Any]]]
) -> None:
    for name, value in ranges.values.items():
        magnitudes = np.concatenate([np.abs(one[name]).reshape(-1) for one in expected])
        for percent, found in zip(PERCENTILES, value.percentiles, strict=True):
            share = percent / 100
            slack = STANDARD_ERRORS * np.sqrt(share * (1 - share) / LEAST_COUNTED)
            low, high = found * (1 - PERCENTILE_TOLERANCE), found * (1 + PERCENTILE_TOLERANCE)
            assert (magnitudes < low).mean() <= share + slack, (name, percent)
            assert (magnitudes <= high).mean() >= share - slack, (name, percent)
        assert list(value.percentiles) == sorted(value.percentiles)
        assert value.percentiles[-1] <= value.largest


def test_each_size_has_its_own_largest(
    ranges: Ranges, cases: list[ParityCase], expected: list[Mapping[str, NDArray[Any]]]
) -> None:
    name = "block00.conv1.spectral.columns_re"
    for size in ("64x64", "40x72"):
        own = [one[name] for one, c in zip(expected, cases, strict=True) if str(c.size) == size]
        wanted = max(float(np.abs(array).max()) for array in own)
        assert ranges.values[name].by_size[size] == pytest.approx(wanted, rel=EXTREME_TOLERANCE)


def test_a_large_value_is_counted_in_part_and_its_extremes_are_whole() -> None:
    values = np.linspace(-3, 1, 512 * 512 * 3, dtype=np.float32).reshape(1, 3, 512, 512)
    values[0, 2, 511, 509] = 77
    found = _observe(values)
    assert found.largest == 77
    assert found.high[2] == 77
    for percent, value in zip(PERCENTILES, found.percentiles, strict=True):
        wanted = np.percentile(np.abs(values), percent)
        assert value == pytest.approx(wanted, rel=PERCENTILE_TOLERANCE)


def test_what_is_not_finite_is_counted_and_left_out() -> None:
    values = np.full((1, 3, 16, 16), 1.0, dtype=np.float32)
    values[0, 2, 7, 7] = 2
    values[0, 0] = np.inf
    values[0, 1, 3, 4:6] = np.nan
    values[0, 2, 0, 0] = -np.inf
    found = _observe(values)
    assert found.not_finite == 16 * 16 + 2 + 1
    assert found.low.tolist() == [0, 1, 1]
    assert found.high.tolist() == [0, 1, 2]
    assert found.percentiles[:2] == pytest.approx((1, 1), rel=PERCENTILE_TOLERANCE)
    assert found.marks == ("not finite",)


def test_a_hot_stem_is_marked_and_a_natural_one_is_not(
    golden_checkpoint: Checkpoint, ranges: Ranges, cases: list[ParityCase]
) -> None:
    gain = "model.1.bn_l.weight"
    tensors = {**golden_checkpoint.tensors, gain: golden_checkpoint.tensors[gain] * HOT_GAIN}
    hot = measure_ranges(_model(replace(golden_checkpoint, tensors=tensors)), IO, cases)
    assert not any(value.marks for value in ranges.values.values())
    assert hot.values["stem.conv"].marks == ("over fp16",)
    ratio = hot.values["stem.conv"].largest / ranges.values["stem.conv"].largest
    assert ratio == pytest.approx(HOT_GAIN, rel=0.2)
    assert hot.values["input.known"].marks == ()


def test_measuring_twice_gives_the_same(
    model: onnx.ModelProto, cases: list[ParityCase], ranges: Ranges
) -> None:
    names: list[str] = []
    again = measure_ranges(model, IO, cases, names.append)
    assert [v.to_dict() for v in again.values.values()] == [
        v.to_dict() for v in ranges.values.values()
    ]
    assert names == [case.name for case in cases]


def test_no_picture_is_refused(model: onnx.ModelProto) -> None:
    with pytest.raises(UsageError, match="at least one"):
        measure_ranges(model, IO, [])
