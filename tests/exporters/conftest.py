"""What the tests of layers share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import pytest

from lama_edge.exporters.graph.builder import GraphBuilder

Write = Callable[[GraphBuilder, ir.Value], ir.Value]
RunLayer = Callable[[Write, np.ndarray], np.ndarray]


@pytest.fixture(scope="session")
def run_layer() -> RunLayer:
    """Write a layer into a graph of its own and run it on float32 [N,C,H,W]."""
    return _run_layer


def _run_layer(write: Write, x: np.ndarray) -> np.ndarray:
    b = GraphBuilder(17)
    value = ir.val("x", ir.DataType.FLOAT, x.shape)
    y = write(b, value)
    y.name, y.type = "y", ir.TensorType(ir.DataType.FLOAT)
    y.shape = ir.Shape(["n", "c", "h", "w"])
    proto = ir.to_proto(b.build([value], y, name="layer", ir_version=9))
    onnx.checker.check_model(proto, full_check=True)
    session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    (result,) = session.run(None, {"x": x})
    return np.asarray(result)
