"""Conversion in a process of its own: what a failed one leaves registered ends with it.

coremltools keeps its symbols and names in globals, and a conversion's memory comes back at once
when its process ends. Graphs travel as files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lama_edge.errors import needs_extra
from lama_edge.exporters.formats.coreml.options import by_function
from lama_edge.manifest import Manifest
from lama_edge.process import run_isolated

_TASK = "lama_edge.exporters.formats.coreml.conversion:convert_task"


def convert_in_fresh_process(
    graphs: Sequence[Path],
    manifests: Sequence[Manifest],
    output: Path,
    progress: Callable[[str], None] = lambda step: None,
) -> None:
    """Convert deploy graphs to one package and wait until it is written.

    Args:
        graphs: an ONNX file for each size, see `sizes.deploy_graphs`.
        manifests: what the package says of each; form, size, precision and the target under
            ``format`` decide the conversion.
        output: the package to write, ending in ``.mlpackage``; what is there is replaced.
        progress: called with what begins, such as ``512x768`` or ``merge``.

    Raises:
        ModelError: when a graph cannot be converted.
        CrashError: when the process died.
        MissingBackendError: when coremltools is not installed.
    """
    job = {
        "graphs": [str(path.resolve()) for path in graphs],
        "manifests": [manifest.to_json() for manifest in manifests],
        "output": str(output.resolve()),
    }
    run_isolated(_TASK, job, progress=progress)


def convert_task(payload: Mapping[str, Any], progress: Callable[[str], None]) -> dict[str, Any]:
    """Do what `convert_in_fresh_process` asks for, in that process."""
    with needs_extra("coreml"):
        import onnx_ir as ir

        from lama_edge.exporters.formats.coreml import package

    described = by_function([Manifest.from_json(text) for text in payload["manifests"]])
    models = {}
    for path, (name, manifest) in zip(payload["graphs"], described.items(), strict=True):
        progress(str(manifest.size.fixed or "any size"))
        models[name] = package.build_package(
            ir.load(path),
            manifest.io,
            manifest.size,
            precision=manifest.precision,
            target=str(manifest.format["target"]),
        )
    if len(models) > 1:
        progress("merge")
    package.write_package(models, described, Path(payload["output"]))
    return {}
