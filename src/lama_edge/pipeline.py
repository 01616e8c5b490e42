"""What needs both sides: export to a temporary file, open it, judge it, and only then keep it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import LamaEdgeError, NotFiniteError, ParityError, UsageError
from lama_edge.export.deploy_graph import (
    Dft,
    GraphOptions,
    gains_by_winograd,
    has_winograd,
    kernels_of,
)
from lama_edge.export.onnx_format import build_onnx, finish, tool_versions, write_onnx
from lama_edge.export.precision.build import NEED_RANGES, build_at, check_precision
from lama_edge.files import atomic_output, check_output
from lama_edge.judging.cases import ParityCase, seeded_cases
from lama_edge.manifest import Manifest, ParityFigures
from lama_edge.models.checkpoint import Checkpoint, load_checkpoint
from lama_edge.models.config import GeneratorConfig
from lama_edge.ranges import Ranges
from lama_edge.runtimes.base import Runner
from lama_edge.runtimes.forms import to_model
from lama_edge.runtimes.parity import judge, raw_outputs, require_parity
from lama_edge.runtimes.registry import tolerance_of
from lama_edge.runtimes.torch_runner import TorchRunner
from lama_edge.spec import (
    Convolutions,
    IoForm,
    IoSpec,
    Precision,
    Progress,
    Size,
    SizePolicy,
    io_spec,
    require_tensor_form,
)

EXPORT_STAGES = ("checkpoint", "ranges", "reference", "graph", "write", "parity", "save")

# The exponents of fp16 leave room for what larger pictures do, so a small one shows enough.
_FP16_CALIBRATION_SIDE = 256
_ADVICE: dict[Precision, str] = {
    "fp32": "",
    "fp16": "see where with: lama-edge inspect CHECKPOINT --ranges; or use --precision fp32",
    "w8": "use --precision fp16 or fp32",
    "int8": "try --calibrate with a folder of pictures like yours, or --precision w8, fp16 or fp32",
}


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
        precision: the number format.
        calibrate: a folder of pictures to measure ranges on; None draws some.
        keep_failed: whether to keep a file that is out of tolerance; its manifest says so.
        convolutions: ``direct``, ``winograd`` (the 3 x 3 convolutions of a Fourier generator with
            a quarter of the products, in loops over bands; fp32, for processors), or ``auto``,
            the faster of the two in ONNX Runtime on a processor.
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
    precision: Precision = "fp32"
    calibrate: Path | None = None
    keep_failed: bool = False
    convolutions: Convolutions = "auto"


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
    _check(job)
    progress("checkpoint")
    checkpoint = load_checkpoint(job.checkpoint)
    config = checkpoint.config
    check_precision(job.precision, config, job.dft)
    convolutions = _convolutions(job, config)
    options = GraphOptions(
        io=io_spec(job.io, composite=job.composite),
        size=SizePolicy(job.size, config.size_multiple, config.min_size),
        dft=job.dft,
        opset=job.opset,
        kernels=kernels_of(convolutions),
    )
    progress("ranges")
    ranges = None
    if job.precision in NEED_RANGES:
        ranges = measured_ranges(checkpoint, options.size, job.precision, job.calibrate)
    progress("reference")
    cases = seeded_cases(options.size) if job.check_parity else []
    with TorchRunner(checkpoint, composite=False) as reference:
        source, torch_version = reference.manifest.source, reference.manifest.tools
        wanted = raw_outputs(reference, cases)
    progress("graph")
    graph = build_at(job.precision, config, checkpoint.tensors, options, ranges)
    model = finish(graph.model)
    del checkpoint
    manifest = Manifest(
        format=_format(job, convolutions),
        io=options.io,
        size=options.size,
        precision=job.precision,
        dft=options.dft if config.has_fourier_units else None,
        source=source,
        tools={**tool_versions(), **torch_version},
        numerics=graph.numerics,
    )
    with atomic_output(job.output, overwrite=job.overwrite) as temporary:
        progress("write")
        write_onnx(model, manifest, temporary)
        if job.check_parity:
            progress("parity")
            manifest = manifest.with_parity(_judged(job, temporary, cases, wanted))
            progress("save")
            write_onnx(model, manifest, temporary)
    return ExportResult(job.output, job.output.stat().st_size, manifest)


def _check(job: OnnxExport) -> None:
    """Refuse what cannot work before any long work is done."""
    if job.output.suffix.lower() != ".onnx":
        raise UsageError(f"the output {str(job.output)!r} must end in .onnx: runtimes go by that")
    require_tensor_form(job.io)
    check_output(job.output, overwrite=job.overwrite)
    if job.calibrate is not None and job.precision not in NEED_RANGES:
        precisions = " or ".join(sorted(NEED_RANGES))
        raise UsageError(
            f"--calibrate is of no use for {job.precision}: leave it out, or add --precision "
            f"{precisions}"
        )
    if job.convolutions == "winograd" and job.precision != "fp32":
        raise UsageError(
            f"--convolutions winograd is for fp32: the form would cost {job.precision} digits; "
            "leave one of the two out"
        )


def _convolutions(job: OnnxExport, config: GeneratorConfig) -> Convolutions:
    """Return the form that the job's convolutions get.

    Raises:
        UsageError: when Winograd's form is asked for and the generator cannot have it.
    """
    possible = has_winograd(config, job.dft)
    if job.convolutions == "auto":
        fits = possible and job.precision == "fp32" and gains_by_winograd(config)
        return "winograd" if fits else "direct"
    if job.convolutions == "winograd" and not possible:
        what = "the DFT as an operator" if config.has_fourier_units else f"a {config.kind}"
        raise UsageError(
            f"--convolutions winograd is for generators with Fourier units and the DFT as matrix "
            f"products, and this is {what}: leave it out"
        )
    return job.convolutions


def _format(job: OnnxExport, convolutions: Convolutions) -> dict[str, str | int]:
    about: dict[str, str | int] = {"name": "onnx", "opset": job.opset}
    if convolutions != "direct":
        about["convolutions"] = convolutions
    return about


def measured_ranges(
    checkpoint: Checkpoint, size: SizePolicy, precision: Precision, folder: Path | None
) -> Ranges:
    """Measure the plain fp32 graph's ranges on the calibration pictures.

    Args:
        checkpoint: the model's.
        size: the pictures that the model takes.
        precision: what the ranges are for; int8 wants them at the model's own size.
        folder: of pictures; None draws some.

    Raises:
        UsageError: when the folder holds no picture.
        PictureError: when a picture cannot be read.
    """
    # Imported here because fp32 needs neither the emulator nor the drawing of pictures.
    from lama_edge.pictures.calibration import calibration_cases
    from lama_edge.runtimes.ranges import measure_ranges

    any_size = replace(size, fixed=None)
    sizes = [] if size.fixed is None else [size.fixed]
    if precision == "fp16":
        step = size.multiple
        side = -(-max(_FP16_CALIBRATION_SIDE, size.min_size) // step) * step
        sizes = [Size(side, side)]
    plain = GraphOptions(io=io_spec("float", composite=False), size=any_size)
    model = build_onnx(checkpoint.config, checkpoint.tensors, plain)
    return measure_ranges(model, plain.io, calibration_cases(any_size, folder=folder, sizes=sizes))


def _judged(
    job: OnnxExport, path: Path, cases: list[ParityCase], wanted: list[NDArray[np.float32]]
) -> ParityFigures:
    """Judge the file.

    Raises:
        ParityError: when it is out of tolerance and must not be kept, or returns values that are
            not finite.
    """
    figures = None
    try:
        figures = _judge_onnx(path, job.precision, cases, wanted)
        require_parity(figures, advice=_ADVICE[job.precision])
    except ParityError as error:
        culprit = _first_not_finite(path, io_spec(job.io), cases)
        if culprit is not None:
            raise NotFiniteError(f"{error}; {culprit}") from error
        if figures is None or not job.keep_failed:
            raise
        return replace(figures, forced=True)
    return figures


def _judge_onnx(
    path: Path,
    precision: Precision,
    cases: list[ParityCase],
    wanted: list[NDArray[np.float32]],
) -> ParityFigures:
    with _open_judge(path, precision) as model:
        return judge(
            model,
            cases,
            wanted,
            reference_name="torch-fp32",
            tolerance=tolerance_of(model.runtime.name, model.manifest.precision),
        )


def _open_judge(path: Path, precision: Precision) -> Runner:
    """Open a file with the runtime that is to judge it.

    ONNX Runtime's CPU kernels compute fp16 graphs wide and prove nothing about fp16.
    """
    # Imported here because an export without its parity check needs no runtime.
    if precision == "fp16":
        from lama_edge.runtimes.emulated_runner import EmulatedRunner

        return EmulatedRunner(path)
    from lama_edge.runtimes.onnxruntime_runner import OnnxRuntimeRunner

    return OnnxRuntimeRunner(path, provider="cpu")


def _first_not_finite(path: Path, io: IoSpec, cases: list[ParityCase]) -> str | None:
    """Name the first value that is not finite, when there is one and it can be found."""
    from lama_edge.runtimes.emulator.program import Program
    from lama_edge.runtimes.emulator.survey import first_not_finite

    try:
        program = Program.load(path)
        for case in cases:
            image, mask = to_model(io, case.image, case.hole)
            found = first_not_finite(program, {io.image.name: image, io.mask.name: mask})
            if found is not None:
                return f"{found.name} ({found.op}) is the first value that is not finite"
    except LamaEdgeError:
        return None
    return None
