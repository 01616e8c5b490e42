"""Lowering in a process of its own: what its imports say and its passes take ends with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lama_edge.containers.executorch import texts_to_fill
from lama_edge.errors import ModelError, needs_extra, one_line
from lama_edge.files import output_room
from lama_edge.manifest import Manifest
from lama_edge.process import run_isolated

_TASK = "lama_edge.exporters.formats.executorch.lowering:lower_task"


def lower_in_fresh_process(
    source: Path,
    manifest: Manifest,
    target: Path,
    output: Path,
    progress: Callable[[str], None] = lambda step: None,
) -> dict[str, str | int]:
    """Lower a deploy graph to an ExecuTorch program and wait until it is written.

    Args:
        source: the graph as an ONNX file, of one size.
        manifest: what the program says of itself; its ``format`` names the backend.
        target: the ``.pte`` file to write, without a manifest yet: see `containers.executorch`.
        output: where the program shall stand in the end; errors name it.
        progress: called with what begins.

    Returns:
        What a manifest's ``format`` says of where it runs: ``delegates``, how many parts the
        backend took, and ``outside``, the operators that run without it, with their number.

    Raises:
        ModelError: when the graph cannot be lowered.
        UsageError: when the program cannot be written.
        CrashError: when the process died.
        MissingBackendError: when executorch or torch is not installed.
    """
    job = {
        "source": str(source.resolve()),
        "manifest": manifest.to_json(),
        "target": str(target.resolve()),
        "output": str(output),
    }
    return run_isolated(_TASK, job, progress=progress)


def lower_task(payload: Mapping[str, Any], progress: Callable[[str], None]) -> dict[str, Any]:
    """Do what `lower_in_fresh_process` asks for, in that process."""
    with needs_extra("executorch"):
        import onnx_ir as ir
        import torch
        from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower

    from lama_edge.exporters.formats.executorch.backends import partitioner_of
    from lama_edge.exporters.torch_module.translation import torch_module

    manifest = Manifest.from_json(payload["manifest"])
    io, size = manifest.io, manifest.size.fixed
    assert size is not None
    module = torch_module(ir.load(payload["source"]))
    inputs = tuple(
        torch.zeros(spec.shape(size.height, size.width), dtype=getattr(torch, spec.dtype))
        for spec in (io.image, io.mask)
    )
    try:
        progress("trace")
        program = torch.export.export(module, inputs)
        del module
        progress("lower")
        lowered = to_edge_transform_and_lower(
            program,
            partitioner=[partitioner_of(str(manifest.format["backend"]))],
            constant_methods=texts_to_fill(payload["manifest"]),
            # A seventh of the time; what is wrong shows in parity.
            compile_config=EdgeCompileConfig(_check_ir_validity=False),
        )
        del program
        placed = _placed(lowered.exported_program().graph)
        progress("write")
        finished = lowered.to_executorch()
    except (RuntimeError, NotImplementedError, AssertionError) as error:
        raise ModelError(f"ExecuTorch cannot lower the graph: {one_line(error)}") from error
    with output_room(Path(payload["output"])), Path(payload["target"]).open("wb") as file:
        finished.write_to_file(file)
    return placed


def _placed(graph: Any) -> dict[str, str | int]:
    """Count a lowered graph's calls of delegates, and its other operators by name."""
    names = Counter(
        str(getattr(node.target, "__name__", node.target))
        for node in graph.nodes
        if node.op == "call_function"
    )
    delegates = names.pop("executorch_call_delegate", 0)
    names.pop("getitem", None)
    others = ", ".join(f"{name} {count}" for name, count in sorted(names.items()))
    return {"delegates": delegates, "outside": others or "nothing"}
