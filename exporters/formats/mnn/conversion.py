"""MNN's own converter, in a process of its own: it may end the one that it runs in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lama_edge.containers.mnn import quiet, seal
from lama_edge.errors import ModelError, needs_extra
from lama_edge.manifest import Manifest
from lama_edge.process import run_isolated

_TASK = "lama_edge.exporters.formats.mnn.conversion:convert_task"
# What the manifest takes the place of.
_NO_MANIFEST = "lama_edge"
_OPTIONS = {"fp16": ("--fp16",), "w8": ("--weightQuantBits", "8")}


def write_mnn(source: Path, manifest: Manifest, target: Path) -> None:
    """Write the MNN file of an ONNX file; the same file gives the same bytes.

    Args:
        source: the deploy graph, whose constants are at its precision already: the converter cuts
            digits off where it should round, see `graphs.source_graph` for w8.
        manifest: the model's.
        target: the ``.mnn`` file.

    Raises:
        ModelError: when the converter refuses the graph.
        MissingBackendError: when MNN is not installed.
    """
    options = _OPTIONS.get(manifest.precision, ())
    run_isolated(_TASK, {"source": str(source), "target": str(target), "options": list(options)})
    seal(target, manifest.to_json())


def convert_task(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Call the converter; the script that comes with it runs pip when it is imported."""
    with needs_extra("mnn"):
        import _tools
    target = Path(payload["target"])
    with quiet() as lines:
        _tools.mnnconvert(
            ["mnnconvert", "-f", "ONNX", "--modelFile", payload["source"], "--MNNModel",
             str(target), "--bizCode", _NO_MANIFEST, *payload["options"]]
        )  # fmt: skip
    if not target.is_file():
        said = lines[-1] if lines else "nothing"
        raise ModelError(f"MNN's converter wrote no file and said: {said}")
    return {}
