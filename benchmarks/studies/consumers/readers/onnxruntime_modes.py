"""ONNX Runtime: as it is, not optimised, saved optimised, in its own format, its mobile checker."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_COUNTS = re.compile(r"a total of (\d+/\d+) nodes can be handled by the (.+?) EP\.")
# Without it processors without VNNI add int8 products in 16 bits; lama-edge sets it there.
_EXACT_INT8 = ("session.x64quantprecision", "1")


def read(model: Path, feeds: Mapping[str, Any], folder: Path, variant: str) -> tuple[Any, str]:
    """Read a model in the mode that `variant` names; `mobile` gives counts and no output."""
    if variant == "mobile":
        return None, _mobile_counts(model)
    if variant == "saved":
        saved = folder / "saved.onnx"
        _session(model, optimized_model_filepath=str(saved))
        model = saved
    if variant == "ort-format":
        model = _in_ort_format(model, folder)
    return run(_session(model, unoptimised=variant == "unoptimised"), feeds), ""


def run(session: Any, feeds: Mapping[str, Any]) -> Any:
    """Return a session's only output."""
    return session.run(None, dict(feeds))[0]


def _session(
    model: Path, *, unoptimised: bool = False, optimized_model_filepath: str | None = None
) -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry(*_EXACT_INT8)
    if unoptimised:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    if optimized_model_filepath is not None:
        options.optimized_model_filepath = optimized_model_filepath
    return ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def _in_ort_format(model: Path, folder: Path) -> Path:
    copy = folder / "model.onnx"
    shutil.copy(model, copy)
    _tool("convert_onnx_models_to_ort", str(folder), "--optimization_style", "Fixed")
    return copy.with_suffix(".ort")


def _mobile_counts(model: Path) -> str:
    """Return how many nodes each mobile provider takes, of the file as it is."""
    counts: dict[str, str] = {}
    for count, provider in _COUNTS.findall(_tool("check_onnx_model_mobile_usability", str(model))):
        counts.setdefault(provider, count)
    return ", ".join(f"{provider} {count}" for provider, count in counts.items())


def _tool(name: str, *arguments: str) -> str:
    command = [sys.executable, "-m", f"onnxruntime.tools.{name}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError((done.stderr or done.stdout).strip().splitlines()[-1])
    return done.stdout + done.stderr
