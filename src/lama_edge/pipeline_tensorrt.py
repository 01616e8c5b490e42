"""Export to a TensorRT engine: from a checkpoint, or from one of our ONNX files.

What an ONNX file becomes needs TensorRT alone: a Jetson builds its engines without torch or onnx.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from lama_edge.engines import (
    ENGINE_SUFFIX,
    FORMAT_NAME,
    EngineBuild,
    Library,
    load_library,
    manifest_path,
)
from lama_edge.errors import MissingBackendError, ParityError, UsageError
from lama_edge.export.tensorrt.build import build_engine, knows_gpu, target_gpus
from lama_edge.export.tensorrt.options import (
    DEFAULT_PRECISION,
    TF32,
    check_options,
    engine_size,
)
from lama_edge.export.tensorrt.pair import atomic_pair, check_pair
from lama_edge.manifest import Manifest, ParityFigures
from lama_edge.nvidia import current_gpu
from lama_edge.pipeline_tensorrt_sources import (
    EngineSource,
    Reference,
    TensorrtExport,
    checkpoint_source,
    onnx_source,
)
from lama_edge.runtimes.base import open_runner
from lama_edge.runtimes.parity import judge, require_parity
from lama_edge.runtimes.registry import tolerance_of
from lama_edge.spec import require_tensor_form

_log = logging.getLogger(__name__)

CHECKPOINT_STAGES = ("source", "ranges", "reference", "graph", "parity", "build", "engine")
ONNX_STAGES = ("source", "build", "engine")
ENGINE_JUDGED, SOURCE_JUDGED = "engine", "source graph"

_ADVICE: dict[str, str] = {
    "fp32": "",
    TF32: "leave --tf32 out",
    "fp16": "see where with: lama-edge inspect CHECKPOINT --ranges; or use --precision fp32",
    "int8": "try --calibrate with a folder of pictures like yours, or --precision fp16",
}


@dataclass(frozen=True)
class EngineExport:
    """A finished export: where the engine is, how large, and what its manifest says."""

    path: Path
    size_bytes: int
    manifest: Manifest


def export_tensorrt(
    job: TensorrtExport,
    progress: Callable[[str], None] = lambda stage: None,
    build_progress: Callable[[str, float], None] = lambda phase, done: None,
) -> EngineExport:
    """Export a checkpoint or an ONNX file to an engine with its manifest and parity figures.

    Where a GPU is that runs the engine, the engine is judged; elsewhere the graph that it is built
    from, and the manifest says that the engine was not run.

    Args:
        job: what to do.
        progress: called with the name of each stage as it begins: those of `CHECKPOINT_STAGES`, or
            of `ONNX_STAGES`.
        build_progress: called during ``build`` with the builder's phase, and how much is done.

    Raises:
        UsageError: when the options cannot be used together, or the output cannot be written.
        CheckpointError: when the checkpoint cannot be used.
        ModelError: when the ONNX file cannot be used, or TensorRT refuses the graph.
        ParityError: when the result is out of tolerance; nothing is written then.
        MissingBackendError: when TensorRT is not installed, or needs a GPU and there is none.
    """
    _check(job)
    library = load_library(job.build.flavor)
    check_options(job.build, library)
    gpus = target_gpus(library, job.build)
    runs_here = job.check_parity and _runs_here(library, gpus)
    with TemporaryDirectory(prefix="lama-edge-") as folder:
        source = _source(job, Path(folder), progress, judge_graph=not runs_here)
        with atomic_pair(job.output) as engine:
            progress("build")
            record = build_engine(
                library,
                source.path,
                engine,
                io=source.manifest.io,
                precision=source.manifest.precision,
                profiles=source.profiles,
                gpus=gpus,
                options=job.build,
                progress=build_progress,
            )
            manifest = _manifest(library, source, record)
            _write(manifest, engine)
            progress("engine")
            reference = _reference(job, source) if runs_here else None
            if reference is not None:
                figures = _judged_engine(engine, manifest, reference)
                manifest = replace(
                    manifest.with_parity(_required(job, manifest, figures)),
                    engine=replace(record, judged=ENGINE_JUDGED),
                )
                _write(manifest, engine)
    return EngineExport(job.output, record.engine_bytes, manifest)


def _check(job: TensorrtExport) -> None:
    """Refuse what cannot work before any long work is done."""
    if job.output.suffix.lower() != ENGINE_SUFFIX:
        raise UsageError(
            f"the output {str(job.output)!r} must end in {ENGINE_SUFFIX}: runtimes go by that"
        )
    check_pair(job.output, overwrite=job.overwrite)
    if job.io is not None:
        require_tensor_form(job.io)
    precision = job.precision or DEFAULT_PRECISION
    if job.build.tf32 and precision != "fp32" and not job.from_onnx:
        raise UsageError(
            f"--tf32 is of no use for {precision}: leave it out, or use --precision fp32"
        )
    if job.calibrate is not None and job.precision == "fp32":
        raise UsageError(
            "--calibrate is of no use for fp32: leave it out, or use --precision fp16 or int8"
        )
    if job.from_onnx:
        for name, given in (
            ("precision", job.precision is not None),
            ("io", job.io is not None),
            ("no-composite", not job.composite),
            ("calibrate", job.calibrate is not None),
        ):
            if given:
                raise UsageError(
                    f"--{name} is settled in an ONNX file: leave it out, or give the checkpoint"
                )


def _source(
    job: TensorrtExport, folder: Path, progress: Callable[[str], None], *, judge_graph: bool
) -> EngineSource:
    progress("source")
    if job.from_onnx:
        return onnx_source(job)
    source = checkpoint_source(job, folder, progress, judge_graph=judge_graph)
    if source.manifest.parity is None:
        return source
    figures = _required(job, source.manifest, source.manifest.parity)
    return replace(source, manifest=source.manifest.with_parity(figures))


def _reference(job: TensorrtExport, source: EngineSource) -> Reference | None:
    """Return what to judge an engine by; None where an ONNX file cannot be run."""
    try:
        return source.reference()
    except MissingBackendError as error:
        if not job.from_onnx:
            raise
        _log.warning("the engine is not judged, its manifest keeps the file's figures: %s", error)
        return None


def _runs_here(library: Library, gpus: Sequence[str]) -> bool:
    """Tell whether this machine has a GPU that an engine for these runs on."""
    gpu = current_gpu()
    if gpu is None:
        return False
    if gpus:
        return gpu.compute_capability in gpus
    return knows_gpu(library, gpu.compute_capability)


def _manifest(library: Library, source: EngineSource, record: EngineBuild) -> Manifest:
    of_source = source.manifest
    precision = TF32 if record.tf32 and of_source.precision == "fp32" else of_source.precision
    return replace(
        of_source,
        format={"name": FORMAT_NAME, "flavor": library.flavor},
        size=engine_size(source.profiles, of_source.size),
        precision=precision,
        tools={**of_source.tools, library.module.__name__: library.version},
        engine=replace(record, judged=None if of_source.parity is None else SOURCE_JUDGED),
    )


def _write(manifest: Manifest, engine: Path) -> None:
    manifest_path(engine).write_text(manifest.to_json() + "\n", encoding="utf-8")


def _judged_engine(engine: Path, manifest: Manifest, reference: Reference) -> ParityFigures:
    with open_runner(engine) as runner:
        return judge(
            runner,
            reference.cases,
            reference.wanted,
            reference_name=reference.name,
            tolerance=tolerance_of(runner.runtime.name, manifest.precision),
        )


def _required(job: TensorrtExport, manifest: Manifest, figures: ParityFigures) -> ParityFigures:
    """Refuse figures that are out of tolerance, unless such an engine is to be kept."""
    try:
        require_parity(figures, advice=_ADVICE[manifest.precision])
    except ParityError:
        if not job.keep_failed:
            raise
        return replace(figures, forced=True)
    return figures
