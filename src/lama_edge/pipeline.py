"""What needs both sides: export to a temporary file, open it, judge it, and only then keep it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import UsageError
from lama_edge.export.deploy_graph import Dft, GraphOptions
from lama_edge.export.onnx_format import build_onnx, tool_versions, write_onnx
from lama_edge.files import atomic_output, check_output
from lama_edge.manifest import Manifest, ParityFigures
from lama_edge.models.checkpoint import load_checkpoint
from lama_edge.runtimes.parity import judge, raw_outputs, require_parity, tolerance_of
from lama_edge.runtimes.parity_cases import ParityCase, seeded_cases
from lama_edge.runtimes.torch_runner import TorchRunner
from lama_edge.spec import IoForm, Size, SizePolicy, io_spec

Progress = Callable[[str], None]
EXPORT_STAGES = ("checkpoint", "reference", "graph", "write", "parity", "save")


@dataclass(frozen=True)
class OnnxExport:
    """What `export_onnx` shall do.

    Attributes:
        checkpoint: a checkpoint's path or name; None is the embedded lama-tiny.
        output: the ``.onnx`` file to write.
        size: one fixed size; None for any.
        io: form of the inputs and the output.
        composite: whether known pixels come back unchanged; otherwise the raw fill.
        dft: ``matmul`` or ``op``.
        opset: version of ONNX's default operator set.
        overwrite: whether an existing output may be replaced.
        check_parity: whether to judge the file against torch before it is kept.
    """

    checkpoint: str | Path | None
    output: Path
    size: Size | None = None
    io: IoForm = "float"
    composite: bool = True
    dft: Dft = "matmul"
    opset: int = 17
    overwrite: bool = False
    check_parity: bool = True


@dataclass(frozen=True)
class ExportResult:
    """A finished export: where it is, how large, and what it says of itself."""

    path: Path
    size_bytes: int
    manifest: Manifest


def export_onnx(job: OnnxExport, progress: Progress = lambda stage: None) -> ExportResult:
    """Export a checkpoint to an ONNX file that carries its manifest and parity figures.

    Args:
        job: what to do.
        progress: called with the name of each stage of `EXPORT_STAGES` as it begins.

    Raises:
        UsageError: when the options cannot be used together, or the output cannot be written.
        CheckpointError: when the checkpoint cannot be used.
        ParityError: when the result is out of tolerance; nothing is written then.
        MissingBackendError: when ONNX Runtime is not installed.
    """
    if job.output.suffix.lower() != ".onnx":
        raise UsageError(f"the output {str(job.output)!r} must end in .onnx: runtimes go by that")
    check_output(job.output, overwrite=job.overwrite)
    progress("checkpoint")
    checkpoint = load_checkpoint(job.checkpoint)
    config = checkpoint.config
    options = GraphOptions(
        io=io_spec(job.io, composite=job.composite),
        size=SizePolicy(job.size, config.size_multiple, config.min_size),
        dft=job.dft,
        opset=job.opset,
    )
    progress("reference")
    cases = seeded_cases(options.size) if job.check_parity else []
    with TorchRunner(checkpoint, composite=False) as reference:
        source, torch_version = reference.manifest.source, reference.manifest.tools
        wanted = raw_outputs(reference, cases)
    progress("graph")
    model = build_onnx(config, checkpoint.tensors, options)
    del checkpoint
    manifest = Manifest(
        format={"name": "onnx", "opset": options.opset},
        io=options.io,
        size=options.size,
        precision="fp32",
        dft=options.dft if config.has_fourier_units else None,
        source=source,
        tools={**tool_versions(), **torch_version},
    )
    with atomic_output(job.output, overwrite=job.overwrite) as temporary:
        progress("write")
        write_onnx(model, manifest, temporary)
        if job.check_parity:
            progress("parity")
            figures = _judge_onnx(temporary, cases, wanted)
            require_parity(figures)
            manifest = manifest.with_parity(figures)
            progress("save")
            write_onnx(model, manifest, temporary)
    return ExportResult(job.output, job.output.stat().st_size, manifest)


def _judge_onnx(
    path: Path, cases: list[ParityCase], wanted: list[NDArray[np.float32]]
) -> ParityFigures:
    # Imported here because an export without its parity check needs no ONNX Runtime.
    from lama_edge.runtimes.onnxruntime_runner import OnnxRuntimeRunner

    with OnnxRuntimeRunner(path, provider="cpu") as model:
        return judge(
            model,
            cases,
            wanted,
            reference_name="torch-fp32",
            tolerance=tolerance_of(model.version, model.manifest.precision),
        )
