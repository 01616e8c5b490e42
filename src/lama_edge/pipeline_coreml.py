"""Export to a Core ML package: convert beside the target, judge it op by op, then keep it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import ParityError, UsageError, needs_extra
from lama_edge.export.coreml.conversion import convert_in_fresh_process
from lama_edge.export.coreml.options import (
    MAX_DYNAMIC_SIDE,
    MULTIFUNCTION_TARGET,
    TARGETS,
    PackagePrecision,
    Target,
    arithmetic_of,
    function_name,
    tool_versions,
)
from lama_edge.export.coreml.sizes import deploy_graphs
from lama_edge.export.precision.build import PreciseGraph
from lama_edge.folders import atomic_folder, check_folder_output
from lama_edge.judging.cases import ParityCase, seeded_cases
from lama_edge.manifest import Manifest, ParityFigures
from lama_edge.models.checkpoint import Checkpoint, load_checkpoint
from lama_edge.pipeline import ExportResult, measured_ranges
from lama_edge.ranges import Ranges
from lama_edge.runtimes.parity import judge, raw_outputs, require_parity
from lama_edge.runtimes.registry import tolerance_of
from lama_edge.runtimes.torch_runner import TorchRunner
from lama_edge.spec import COREML_IO_FORMS, IoForm, Progress, Size, SizePolicy, io_spec

COREML_STAGES = ("checkpoint", "ranges", "reference", "graphs", "convert", "parity", "save")
DEFAULT_SIZE = Size(512, 512)
SUFFIX = ".mlpackage"
_CONTENTS_FILE = "Manifest.json"
_REFERENCE = "torch-fp32"
_ADVICE: dict[PackagePrecision, str] = {
    "fp32": "",
    "fp16": "see where with: lama-edge inspect CHECKPOINT --ranges; or use --precision fp32",
    "w8": "use --precision fp16",
    "pal6": "use --precision w8 or fp16",
    "pal4": "use --precision pal6, w8 or fp16",
}


@dataclass(frozen=True)
class CoremlExport:
    """What `export_coreml` shall do.

    Attributes:
        checkpoint: a checkpoint's path or name; None is the embedded lama-tiny.
        output: the ``.mlpackage`` to write.
        sizes: fixed sizes, the default one first; with more than one each is a function of its
            own and they share their weights. None stands for any size, and stands alone.
        io: form of the inputs and the output, ``float`` or ``image``.
        composite: whether known pixels come back unchanged; otherwise the raw fill.
        precision: number format and storage of the weights.
        target: the oldest system that runs the package; None is the oldest that can.
        calibrate: a folder of pictures to measure ranges on; None draws some.
        overwrite: whether an existing package may be replaced.
        check_parity: whether to judge the package against torch before it is kept.
        keep_failed: whether to keep one that is out of tolerance; its manifest says so.
    """

    checkpoint: str | Path | None
    output: Path
    sizes: tuple[Size | None, ...] = (DEFAULT_SIZE,)
    io: IoForm = "float"
    composite: bool = True
    precision: PackagePrecision = "fp16"
    target: Target | None = None
    calibrate: Path | None = None
    overwrite: bool = False
    check_parity: bool = True
    keep_failed: bool = False

    @property
    def oldest_target(self) -> Target:
        """The oldest system that runs the package."""
        return self.target or (MULTIFUNCTION_TARGET if len(self.sizes) > 1 else TARGETS[0])


def export_coreml(job: CoremlExport, progress: Progress = lambda stage: None) -> ExportResult:
    """Export a checkpoint to a Core ML package that carries its manifest and parity figures.

    The conversion runs in a process of its own. The judge is the interpreter, which rounds every
    op's result as the package declares, on any machine.

    Args:
        job: what to do.
        progress: called with the name of each stage of `COREML_STAGES` as it begins, and during
            ``convert`` with each size.

    Returns:
        Where the package is, how large, and the manifest of its default function.

    Raises:
        UsageError: when the options cannot be used together, or the output cannot be written.
        CheckpointError: when the checkpoint cannot be used.
        ModelError: when the conversion fails.
        ParityError: when the result is out of tolerance; nothing is written then.
        MissingBackendError: when coremltools is not installed.
    """
    _check(job)
    tool_versions()
    progress("checkpoint")
    checkpoint = load_checkpoint(job.checkpoint)
    config = checkpoint.config
    policies = [
        SizePolicy(
            size, config.size_multiple, config.min_size, MAX_DYNAMIC_SIDE if size is None else None
        )
        for size in job.sizes
    ]
    progress("ranges")
    ranges = None
    if arithmetic_of(job.precision) != "fp32":
        ranges = measured_ranges(checkpoint, policies[0], "fp16", job.calibrate)
    progress("reference")
    cases = [seeded_cases(policy) if job.check_parity else [] for policy in policies]
    with TorchRunner(checkpoint, composite=False) as reference:
        described = reference.manifest
        wanted = [raw_outputs(reference, some) for some in cases]
    with atomic_folder(job.output) as package, TemporaryDirectory(prefix="lama-edge-") as folder:
        progress("graphs")
        graphs, manifests = _write_graphs(
            job, checkpoint, policies, ranges, described, Path(folder)
        )
        del checkpoint
        progress("convert")
        convert_in_fresh_process(graphs, manifests, package, progress)
        if job.check_parity:
            progress("parity")
            manifests = [
                manifest.with_parity(_judged(job, package, manifest, some, reference_outputs))
                for manifest, some, reference_outputs in zip(manifests, cases, wanted, strict=True)
            ]
            progress("save")
            _write_manifests(job, manifests, package)
    size_bytes = sum(path.stat().st_size for path in job.output.rglob("*") if path.is_file())
    return ExportResult(job.output, size_bytes, manifests[0])


def _check(job: CoremlExport) -> None:
    """Refuse what cannot work before any long work is done."""
    if job.output.suffix.lower() != SUFFIX:
        raise UsageError(
            f"the output {str(job.output)!r} must end in {SUFFIX}: runtimes go by that"
        )
    check_folder_output(job.output, overwrite=job.overwrite, contents=_CONTENTS_FILE)
    if job.io not in COREML_IO_FORMS:
        raise UsageError(f"--io {job.io} is no form of a Core ML package: use --io image")
    if job.calibrate is not None and arithmetic_of(job.precision) == "fp32":
        raise UsageError("--calibrate is of no use for fp32: leave it out, or use --precision fp16")
    _check_sizes(job)


def _check_sizes(job: CoremlExport) -> None:
    if len(job.sizes) > 1 and None in job.sizes:
        raise UsageError("--size dynamic stands alone: leave the other sizes out")
    if len(set(job.sizes)) != len(job.sizes) or not job.sizes:
        raise UsageError("give every --size once")
    if len(job.sizes) > 1 and job.oldest_target != MULTIFUNCTION_TARGET:
        raise UsageError(
            f"a package for {job.oldest_target} holds one size and {len(job.sizes)} were given: "
            f"use --target {MULTIFUNCTION_TARGET}, or export one package a size"
        )


def _manifest(
    job: CoremlExport, size: SizePolicy, graph: PreciseGraph, dft: str | None, reference: Manifest
) -> Manifest:
    about: dict[str, str | int] = {"name": "coreml", "target": job.oldest_target}
    if len(job.sizes) > 1:
        about["functions"] = " ".join(map(str, job.sizes))
    return Manifest(
        format=about,
        io=io_spec(job.io, composite=job.composite),
        size=size,
        precision=job.precision,
        dft=dft,
        source=reference.source,
        tools={**tool_versions(), **reference.tools},
        numerics=graph.numerics,
    )


def _write_graphs(
    job: CoremlExport,
    checkpoint: Checkpoint,
    sizes: Sequence[SizePolicy],
    ranges: Ranges | None,
    reference: Manifest,
    folder: Path,
) -> tuple[list[Path], list[Manifest]]:
    """Write each size's deploy graph, one in memory at a time; return them and the manifests."""
    with needs_extra("export"):
        import onnx_ir as ir
    config, io = checkpoint.config, io_spec(job.io, composite=job.composite)
    dft = "matmul" if config.has_fourier_units else None
    graphs = deploy_graphs(config, checkpoint.tensors, io, sizes, job.precision, ranges)
    paths, manifests = [], []
    for index, (size, graph) in enumerate(zip(sizes, graphs, strict=True)):
        paths.append(folder / f"{index}.onnx")
        ir.save(graph.model, paths[-1])
        manifests.append(_manifest(job, size, graph, dft, reference))
    return paths, manifests


def _judged(
    job: CoremlExport,
    package: Path,
    manifest: Manifest,
    cases: Sequence[ParityCase],
    wanted: Sequence[NDArray[np.float32]],
) -> ParityFigures:
    """Judge one function.

    Raises:
        ParityError: when it is out of tolerance and must not be kept, or returns values that are
            not finite.
    """
    # Imported here because an export without its parity check needs no interpreter.
    from lama_edge.runtimes.coreml_emulated_runner import CoremlEmulatedRunner

    size = manifest.size.fixed
    function = None if size is None or len(job.sizes) == 1 else function_name(size)
    with CoremlEmulatedRunner(package, part=function) as runner:
        tolerance = tolerance_of(runner.runtime.name, job.precision)
        figures = judge(runner, cases, wanted, reference_name=_REFERENCE, tolerance=tolerance)
    try:
        require_parity(figures, advice=_ADVICE[job.precision])
    except ParityError:
        if not job.keep_failed:
            raise
        return replace(figures, forced=True)
    return figures


def _write_manifests(job: CoremlExport, manifests: Sequence[Manifest], package: Path) -> None:
    # Imported here because it brings coremltools with it.
    from lama_edge.export.coreml.package import write_manifest

    named = {
        "main" if size is None else function_name(size): manifest
        for size, manifest in zip(job.sizes, manifests, strict=True)
    }
    write_manifest(named, package)
