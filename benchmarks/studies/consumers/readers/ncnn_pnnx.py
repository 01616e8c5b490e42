"""ncnn: pnnx converts, ncnn's Python binding runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def read(model: Path, feeds: Mapping[str, Any], folder: Path, variant: str) -> tuple[Any, str]:
    """Convert a model and run it."""
    import ncnn
    import numpy as np

    copy = folder / "model.onnx"
    shutil.copy(model, copy)
    shapes = ",".join(
        f"[{','.join(map(str, value.shape))}]{'u8' if value.dtype == np.uint8 else 'f32'}"
        for value in feeds.values()
    )
    done = subprocess.run(
        [str(Path(sys.executable).with_name("pnnx")), copy.name, f"inputshape={shapes}", "fp16=0"],
        capture_output=True, text=True, check=False, cwd=folder,
    )  # fmt: skip
    param = folder / "model.ncnn.param"
    if not param.exists():
        raise RuntimeError(f"pnnx wrote nothing and ended with {done.returncode}")
    net = ncnn.Net()
    if net.load_param(str(param)) or net.load_model(str(param.with_suffix(".bin"))):
        layers = {line.split()[0] for line in param.read_text().splitlines()[2:]}
        foreign = sorted(layer for layer in layers if not layer[0].isupper() or "." in layer)
        raise RuntimeError(f"ncnn has no layer {', '.join(foreign) or 'of a kind in the file'}")
    extractor = net.create_extractor()
    for index, value in enumerate(feeds.values()):
        mat = ncnn.Mat(value.shape[3], value.shape[2], value.shape[1])
        np.array(mat, copy=False)[:] = value[0]
        extractor.input(f"in{index}", mat)
    code, output = extractor.extract("out0")
    if code:
        raise RuntimeError(f"ncnn's extract gave {code}")
    return np.array(output)[None], ""
