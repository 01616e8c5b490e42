"""MNN: its converter, then its interpreter.

The converter is called as a function: the script around it runs pip when it is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def read(model: Path, feeds: Mapping[str, Any], folder: Path, variant: str) -> tuple[Any, str]:
    """Convert a model and run it."""
    import _tools
    import MNN
    import numpy as np

    converted = folder / "model.mnn"
    _tools.mnnconvert(
        ["mnnconvert", "-f", "ONNX", "--modelFile", str(model), "--MNNModel", str(converted),
         "--bizCode", "lama"]
    )  # fmt: skip
    if not converted.exists():
        raise RuntimeError("MNN's converter wrote nothing")
    net = MNN.nn.load_module_from_file(str(converted), ["image", "mask"], ["inpainted"])
    inputs = []
    for name in ("image", "mask"):
        value = np.ascontiguousarray(feeds[name])
        kind = MNN.numpy.uint8 if value.dtype == np.uint8 else MNN.numpy.float32
        inputs.append(MNN.expr.const(value, list(value.shape), MNN.expr.NCHW, kind))
    (output,) = net.forward(inputs)
    output = MNN.expr.convert(output, MNN.expr.NCHW)
    return np.array(output.read()), ""
