"""onnx2tf, and its .tflite file in LiteRT's interpreter."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

_CHANNELS_LAST = (0, 2, 3, 1)


def read(model: Path, feeds: Mapping[str, Any], folder: Path, variant: str) -> tuple[Any, str]:
    """Convert a model and run it; float inputs and outputs are channels-last in the result.

    onnx2tf takes every input of four axes for channels-first unless it is told otherwise.
    """
    command = [str(Path(sys.executable).with_name("onnx2tf")), "-i", str(model), "-o", str(folder)]
    if feeds["image"].dtype == np.uint8:
        command += ["-kat", *feeds]
    done = subprocess.run([*command, "--non_verbose"], capture_output=True, text=True, check=False)
    converted = folder / f"{model.stem}_float32.tflite"
    if not converted.exists():
        if done.returncode < 0:
            raise RuntimeError(f"onnx2tf died of {signal.Signals(-done.returncode).name}")
        lines = [line for line in (done.stdout + done.stderr).splitlines() if "Error" in line]
        last = lines[-1].strip() if lines else ""
        raise RuntimeError(f"onnx2tf ended with {done.returncode}: {last}")
    from ai_edge_litert.interpreter import Interpreter

    net = Interpreter(str(converted))
    inputs = net.get_input_details()
    for about in inputs:
        value = _value(about, feeds)
        net.resize_tensor_input(about["index"], value.shape)
    net.allocate_tensors()
    for about in inputs:
        net.set_tensor(about["index"], _value(about, feeds))
    net.invoke()
    output = net.get_tensor(net.get_output_details()[0]["index"])
    is_float = feeds["image"].dtype == np.float32
    return np.transpose(output, np.argsort(_CHANNELS_LAST)) if is_float else output, ""


def _value(about: Mapping[str, Any], feeds: Mapping[str, Any]) -> Any:
    name = "mask" if "mask" in about["name"] else "image"
    value = feeds[name]
    return np.transpose(value, _CHANNELS_LAST) if value.dtype == np.float32 else value
