"""onnxruntime-web's wasm build, in Node."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def read(model: Path, feeds: Mapping[str, Any], folder: Path, variant: str) -> tuple[Any, str]:
    """Run a model in Node, whose packages lie in this interpreter's environment."""
    package = Path(sys.prefix, "node_modules", "onnxruntime-web", "dist", "ort.wasm.bundle.min.mjs")
    inputs = {}
    for name, value in feeds.items():
        path = folder / name
        path.write_bytes(value.tobytes())
        inputs[name] = {"path": str(path), "shape": value.shape, "dtype": value.dtype.name}
    request = folder / "request.json"
    reply, raw = folder / "reply.json", folder / "output"
    request.write_text(
        json.dumps(
            {"package": package.as_uri(), "model": str(model), "inputs": inputs,
             "output": str(raw), "reply": str(reply)}
        ),
        encoding="utf-8",
    )  # fmt: skip
    script = Path(__file__).resolve().with_name("wasm.mjs")
    done = subprocess.run(
        ["node", str(script), str(request)],  # noqa: S607
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if not reply.exists():
        raise RuntimeError(done.stderr.strip() or f"node ended with {done.returncode}")
    found = json.loads(reply.read_text(encoding="utf-8"))
    return np.frombuffer(raw.read_bytes(), found["dtype"]).reshape(found["shape"]), ""
