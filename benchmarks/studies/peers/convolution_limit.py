"""The convolution limit: the generator's arithmetic at the rate of its fastest convolution."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from lama_edge.benchmarks.studies.peers.convolutions import Convolution, convolutions
from lama_edge.benchmarks.targets.tasks.sensors import Watch, peak_memory_bytes
from lama_edge.benchmarks.targets.tasks.stopwatch import Policy, measure
from lama_edge.errors import needs_extra
from lama_edge.models.config import FfcResnetConfig, config_from_dict
from lama_edge.spec import Size

_OPSET, _IR_VERSION = 17, 8


def measure_limit(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Time each distinct convolution alone in ONNX Runtime, and derive the limit.

    Each is a model of one `Conv` node, so ONNX Runtime converts its input and output to and from
    its blocked layout; that time is part of the run. The rate of a convolution is its arithmetic
    over the shortest of its runs. Transposed convolutions are counted in the arithmetic and not
    timed: none of them is the fastest.

    Args:
        payload: `config` (as `to_dict` gives it), `size`, `threads`, and `policy`, how long each
            convolution is warmed up and sampled.

    Returns:
        A round as the bench documents have it whose one sample is the limit, and `limit`:
        `gflop`, `fastest`, `gflop_per_s` and `rates`, the rate of each convolution by its name.
    """
    config = config_from_dict(payload["config"])
    assert isinstance(config, FfcResnetConfig)
    every = convolutions(config, Size(*payload["size"]))
    policy = Policy(**payload["policy"])
    start = time.perf_counter_ns()
    with Watch() as watch:
        rates = {
            str(one): one.flop / 1e9 / shortest_run_s(one, payload["threads"], policy)
            for one in dict.fromkeys(every)
            if not one.transposed
        }
    fastest = max(rates, key=lambda name: rates[name])
    gflop = sum(one.flop for one in every) / 1e9
    return {
        "load_ms": 0.0,
        "first_run_ms": (time.perf_counter_ns() - start) / 1e6,
        "warmup_ms": [],
        "samples_ms": [gflop / rates[fastest] * 1e3],
        "peak_memory_bytes": peak_memory_bytes(),
        "other_load": watch.other_load,
        "sensors": {"before": watch.before, "after": watch.after},
        "limit": {
            "gflop": gflop,
            "fastest": fastest,
            "gflop_per_s": rates[fastest],
            "rates": rates,
        },
    }


def shortest_run_s(convolution: Convolution, threads: int, policy: Policy) -> float:
    """Return the shortest time of one convolution alone in ONNX Runtime, in seconds."""
    from lama_edge.runtimes.onnxruntime.library import ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(
        conv_model(convolution), options, providers=["CPUExecutionProvider"]
    )
    rng = np.random.default_rng(0)
    shape = session.get_inputs()[0].shape
    feeds = {"x": rng.standard_normal(shape, dtype=np.float32)}
    return min(measure(lambda: session.run(None, feeds), policy).samples_ms) / 1e3


def conv_model(convolution: Convolution) -> bytes:
    """Return an ONNX model of one convolution with random weights: `x` to `y`, float32 NCHW."""
    with needs_extra("export"):
        from onnx import helper, numpy_helper

    kernel, stride, out = convolution.kernel, convolution.stride, convolution.size
    rng = np.random.default_rng(1)
    weight = rng.standard_normal(
        (convolution.out_channels, convolution.in_channels, kernel, kernel), dtype=np.float32
    )
    sides = [(side - 1) * stride + kernel for side in (out.height, out.width)]
    node = helper.make_node(
        "Conv", ["x", "w"], ["y"], kernel_shape=[kernel] * 2, strides=[stride] * 2
    )
    graph = helper.make_graph(
        [node],
        "convolution",
        [_tensor("x", [1, convolution.in_channels, *sides])],
        [_tensor("y", [1, convolution.out_channels, out.height, out.width])],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
    )
    return bytes(model.SerializeToString())


def _tensor(name: str, shape: list[int]) -> Any:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
