"""OpenVINO on the CPU, by itself or as an execution provider of ONNX Runtime."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Without it OpenVINO computes float32 files in bfloat16 on processors that have it.
_FLOAT32 = {"INFERENCE_PRECISION_HINT": "f32"}


def read(model: Path, feeds: Mapping[str, Any], folder: Path, variant: str) -> tuple[Any, str]:
    """Read a model in one of the variants.

    They are `plain`, in float32 (`f32`), that and with all sizes fixed before it is compiled
    (`reshaped`), and by lama-edge's own runner and the execution provider (`provider`).
    """
    if variant == "provider":
        from lama_edge.runtimes.onnxruntime.runner import OnnxRuntimeRunner

        with OnnxRuntimeRunner(model, provider="openvino") as runner:
            return runner.run(feeds["image"], feeds["mask"]), ""
    # It would keep a number of the user in the home, and send what is imported.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino

    core = openvino.Core()
    net = core.read_model(str(model))
    if variant == "reshaped":
        net.reshape({name: list(value.shape) for name, value in feeds.items()})
    compiled = core.compile_model(net, "CPU", {} if variant == "plain" else _FLOAT32)
    output = compiled.create_infer_request().infer(dict(feeds), share_outputs=False)[0]
    computed = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    return output, "" if computed == "f32" else f"computed in {computed}"
