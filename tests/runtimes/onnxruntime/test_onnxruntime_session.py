"""Sessions as every model is opened: what they compute does not depend on the processor."""

from __future__ import annotations

import re

import numpy as np
import pytest
from places import ROOT

pytest.importorskip("onnx")

import onnx
from onnx import TensorProto, helper, numpy_helper

from lama_edge.runtimes.onnxruntime import int8_sums
from lama_edge.runtimes.onnxruntime.session import open_session, run_session

CHANNELS = 8
LARGEST_PRODUCT = 255 * 127
EXPECTED = 200


def _largest_sums() -> bytes:
    """Return an int8 convolution to one channel, of the weights 127 alone."""
    arrays = {
        "one": np.float32(1),
        "zero": np.uint8(0),
        "weight": np.full((1, CHANNELS, 1, 1), 127, np.int8),
        "weight_zero": np.int8(0),
        "scale": np.float32(CHANNELS * LARGEST_PRODUCT / EXPECTED),
    }
    inputs = ["x", "one", "zero", "weight", "one", "weight_zero", "scale", "zero"]
    graph = helper.make_graph(
        [helper.make_node("QLinearConv", inputs, ["y"], kernel_shape=[1, 1])],
        "sums",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [1, CHANNELS, 6, 6])],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, [1, 1, 6, 6])],
        [numpy_helper.from_array(np.asarray(each), name) for name, each in arrays.items()],
    )
    opsets = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())


def test_sums_of_int8_products_do_not_saturate() -> None:
    """By default they do on x86-64 without VNNI, and give 101 here: two products are 64770."""
    session = open_session(_largest_sums(), provider_names=["CPUExecutionProvider"], threads=1)
    x = np.full((1, CHANNELS, 6, 6), 255, np.uint8)
    (y,) = run_session(session, ["y"], {"x": x})
    np.testing.assert_array_equal(y, np.full((1, 1, 6, 6), EXPECTED))


def test_an_output_is_written_where_it_shall_be() -> None:
    session = open_session(_largest_sums(), provider_names=["CPUExecutionProvider"], threads=1)
    x = np.random.default_rng(0).integers(0, 256, (CHANNELS, 6, 6, 1), np.uint8)
    feeds = {"x": x.transpose(3, 0, 1, 2)}
    into = np.zeros((1, 1, 6, 6), np.uint8)
    (expected,) = run_session(session, ["y"], feeds)
    (y,) = run_session(session, ["y"], feeds, into=into)
    assert y is into
    np.testing.assert_array_equal(y, expected)
    assert y.any()


@pytest.mark.parametrize("saturate", [False, True])
def test_exact_kernels_are_asked_for_where_the_others_saturate(
    monkeypatch: pytest.MonkeyPatch, saturate: bool
) -> None:
    """With AMX or VNNI they are exact too and take three times as long."""
    monkeypatch.setattr("lama_edge.runtimes.onnxruntime.session.sums_saturate", lambda: saturate)
    opened = open_session(_largest_sums(), provider_names=["CPUExecutionProvider"], threads=1)
    key, value = int8_sums.EXACT_INT8
    if saturate:
        assert opened.get_session_options().get_session_config_entry(key) == value
    else:
        with pytest.raises(Exception, match=key):
            opened.get_session_options().get_session_config_entry(key)


def test_whether_sums_saturate_is_asked_of_the_largest_products(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An emulated Haswell gives 1048544 in the place of 2072640."""
    graph = onnx.load_from_string(int8_sums._PRODUCT).graph
    assert [node.op_type for node in graph.node] == ["Constant", "ConstantOfShape", "MatMulInteger"]
    (weight,) = onnx.numpy_helper.to_array(graph.node[1].attribute[0].t)
    assert (weight.dtype, weight) == (np.int8, 127)
    by_numpy = np.full((4, 64), 255) @ np.full((64, 16), 127)
    assert by_numpy[0, 0] == int8_sums._INNER * int8_sums._LARGEST * int8_sums._WEIGHT
    in_cpp = (ROOT / "runtimes" / "cpp" / "src" / "int8_sums.cpp").read_text()
    assert bytes(int(one, 16) for one in re.findall(r"0x(..)", in_cpp)) == int8_sums._PRODUCT
    monkeypatch.setattr(int8_sums, "_WEIGHT", 64)
    assert int8_sums.sums_saturate.__wrapped__()
