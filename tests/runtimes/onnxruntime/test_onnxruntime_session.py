"""Sessions as every model is opened: what they compute does not depend on the processor."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper

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
