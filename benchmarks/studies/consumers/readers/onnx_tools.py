"""What rewrites ONNX files, its result run in ONNX Runtime; and ONNX's own reference evaluator."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

_OPSET = 21


def read(model: Path, feeds: Mapping[str, Any], folder: Path, variant: str) -> tuple[Any, str]:
    """Read a model with `onnxsim`, the `version-converter` or the `reference-evaluator`."""
    import onnx

    proto = onnx.load(model)
    if variant == "reference-evaluator":
        from onnx.reference import ReferenceEvaluator

        evaluator: Any = ReferenceEvaluator(proto)
        return evaluator.run(None, dict(feeds))[0], ""
    if variant == "onnxsim":
        import onnxsim

        before = len(proto.graph.node)
        proto, checked = onnxsim.simplify(proto)
        if not checked:
            raise RuntimeError("onnxsim's own check of the result failed")
        note = f"{before} nodes to {len(proto.graph.node)}"
    else:
        from onnx import version_converter

        proto = version_converter.convert_version(proto, _OPSET)
        note = f"to opset {_OPSET}"
    onnx.checker.check_model(proto, full_check=True)
    import onnxruntime as ort

    session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, dict(feeds))[0], note
