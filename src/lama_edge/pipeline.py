"""The one way from a checkpoint to an artifact: draw, write, judge, and only then keep it.

What formats differ in is their record's, `lama_edge.exporters.formats.record`; this needs both
sides, since what exporters wrote is opened by runners.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lama_edge.errors import (
    LamaEdgeError,
    MissingBackendError,
    ModelError,
    NotFiniteError,
    ParityError,
    UsageError,
    parameter,
)
from lama_edge.exporters.formats.job import export_job, format_of, option_name
from lama_edge.exporters.formats.record import (
    Drawn,
    Export,
    Format,
    Judge,
    Part,
    Within,
    format_named,
    formats,
)
from lama_edge.files import atomic_artifact, check_artifact, output_room
from lama_edge.judging.cases import ParityCase, seeded_cases
from lama_edge.judging.judge import judge, raw_outputs, require_parity
from lama_edge.manifest import Manifest, ParityFigures
from lama_edge.models.checkpoint import Checkpoint, load_checkpoint
from lama_edge.process import WatchedFolder
from lama_edge.runtimes.base import changed_since_export, open_runner
from lama_edge.runtimes.registry import tolerance_of
from lama_edge.spec import (
    NEED_RANGES,
    IoForm,
    Precision,
    Progress,
    Size,
    SizePolicy,
    io_spec,
    untold,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lama_edge.judging.ranges import Ranges

STEPS = ("source", "ranges", "reference", "graph", "write", "parity", "save")
REFERENCE = "numpy-fp32"
_COMMON = ("size", "precision", "io", "composite", "calibrate", "ignore")

# The exponents of fp16 leave room for what larger pictures do, so a small one shows enough.
_FP16_CALIBRATION_SIDE = 256

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExportResult:
    """A finished export.

    Attributes:
        path: the artifact.
        size_bytes: its size.
        manifest: what it says of itself; of several models the first one's.
        kept_failed: whether it was kept although it is out of tolerance.
        judges: what to open to judge its first part again, where the scratch folder was kept.
    """

    path: Path
    size_bytes: int
    manifest: Manifest
    kept_failed: bool = False
    judges: tuple[Judge, ...] = ()


def export(
    checkpoint: str | Path,
    output: str | Path,
    *,
    format: str | None = None,
    size: int | str | Size | Sequence[int | str | Size] = (),
    precision: str | None = None,
    io: IoForm | None = None,
    composite: bool = True,
    calibrate: str | Path | None = None,
    ignore: str | Sequence[str] = (),
    overwrite: bool = False,
    parity: bool = True,
    keep_failed: bool = False,
    progress: Progress = untold,
    **options: Any,
) -> ExportResult:
    """Export a checkpoint for a runtime, judge the result, and write it with its manifest.

    ``export("big-lama/", "lama.onnx", size=512, for_="web")`` is what ``lama-edge export onnx
    big-lama/ -o lama.onnx --size 512 --for web`` is on the command line, whose help
    (``lama-edge export FORMAT --help``) says what each format takes.

    Args:
        checkpoint: a folder with ``config.yaml``, a ``.ckpt``, ``.pt`` or ``.safetensors`` file,
            or a name from ``lama-edge models list``, such as ``lama-tiny``, which comes with the
            package. ``FILE#NAME`` is one generator of several. For ``.engine`` also an ONNX file
            of ours.
        output: what to write. Its suffix says the format: ``.onnx``, ``.mlpackage`` (Core ML),
            ``.tflite`` (LiteRT), ``.engine`` (TensorRT), ``.pte`` (ExecuTorch), ``.xml``
            (OpenVINO), ``.param`` (ncnn) or ``.mnn``.
        format: the format's name, such as ``onnx``, where the suffix is several formats'.
        size: of the pictures, in pixels: ``512`` for a square, ``"512x768"`` (height x width), a
            `Size`, or ``"dynamic"`` for any; a list of these where a format takes several. Left
            out it is the format's default.
        precision: ``fp32``, ``fp16``, ``w8`` or ``int8``, as far as the format has it; None is
            its default.
        io: form of the inputs and the output: ``float`` (float32, 0 to 1), ``uint8`` (0 to 255)
            or ``image`` (Core ML's pictures); None is the format's first.
        composite: whether known pixels come back unchanged; otherwise the raw fill.
        calibrate: a folder of pictures to measure ranges on for reduced precisions; None draws
            some.
        ignore: parts or tensors of the checkpoint to leave out, see `load_checkpoint`.
        overwrite: whether an existing output may be replaced.
        parity: whether to judge the result against the checkpoint before it is kept.
        keep_failed: whether to keep one that is out of tolerance; its manifest says so.
        progress: called with the name of each step as it begins.
        options: the format's own, by their names, such as ``opset=17``; one that is a word of
            Python's, such as ``for``, with an underscore after it. None is the format's default.

    Returns:
        Where it was written, its size in bytes, its manifest and whether it failed and was kept.

    Raises:
        UsageError: when an option is unknown, cannot be used or not with another, or the output
            cannot be written.
        CheckpointError: when the checkpoint cannot be used.
        ModelError: when the format's own tool refuses the graph.
        ParityError: when the result is out of tolerance; nothing is written then.
        MissingBackendError: when what the format needs is not installed; says the extra.
    """
    job = export_job(
        checkpoint,
        output,
        form=format_of(Path(output), format),
        size=size,
        precision=precision,
        io=io,
        composite=composite,
        calibrate=calibrate,
        ignore=ignore,
        overwrite=overwrite,
        parity=parity,
        keep_failed=keep_failed,
        options={option_name(name): value for name, value in options.items()},
    )
    return export_model(job, progress)


def export_model(
    job: Export,
    progress: Progress = untold,
    within: Within = lambda what, done: None,
    *,
    scratch: Path | None = None,
) -> ExportResult:
    """Export a checkpoint, or a model that the format takes in its place.

    Args:
        job: what to do.
        progress: called with the name of each of `STEPS` as it begins.
        within: called during a step with what is done, and how much of it is, 0 to 1.
        scratch: a folder that keeps what is judged in the artifact's place; None keeps nothing.

    Raises:
        UsageError: when options cannot be used together, or the output cannot be written.
        CheckpointError: when the checkpoint cannot be used.
        ModelError: when a model cannot be used, or the format's own tool refuses the graph.
        ParityError: when the result is out of tolerance; nothing is written then.
        MissingBackendError: when what the format or its judge needs is not installed.
    """
    form = format_named(job.format)
    job = _complete(job, form)
    _check(job, form)
    with _kept_or_temporary(scratch) as folder:
        progress("source")
        make = _ModelSource if job.from_model else _CheckpointSource
        source = make(job, form, progress)
        with output_room(job.output), atomic_artifact(form.kind, job.output) as target:
            progress("graph")
            manifests = form.write(job, source.drawn(progress), target, folder, within)
            if job.check_parity:
                progress("parity")
                judged = [
                    _judged(job, form, one, source, target, folder)
                    for one in zip(source.parts, manifests, strict=True)
                ]
                progress("save")
                if judged != manifests:
                    form.stamp(judged, target)
                manifests = judged
    kept_failed = any(one.parity is not None and one.parity.forced for one in manifests)
    size_bytes = form.size_bytes(job.output)
    judges = () if scratch is None else form.judges(job, source.parts[0], job.output, scratch)
    return ExportResult(job.output, size_bytes, manifests[0], kept_failed, judges)


@contextlib.contextmanager
def _kept_or_temporary(scratch: Path | None) -> Iterator[Path]:
    if scratch is not None:
        yield scratch
        return
    with WatchedFolder() as watched:
        yield watched.path


def _complete(job: Export, form: Format) -> Export:
    """Fill in what the job leaves to the format; what a model settles stays open."""
    known = {option.name: option for option in form.options}
    options = {**{name: one.default for name, one in known.items()}, **job.options}
    # What retired flags mean may be no option of its own, such as `kernels`.
    meant: dict[str, list[object]] = {}
    for old in form.retired:
        for name, value in (one for given in old.values.values() for one in given.items()):
            meant.setdefault(name, []).append(value)
    for name, value in job.options.items():
        if name not in known.keys() | meant.keys():
            own = ", ".join(map(parameter, known)) or "none"
            raise UsageError(
                f"{form.title} has no option {name!r}; its own are: {own}; every format has: "
                f"{', '.join(map(parameter, _COMMON))}"
            )
        choices = known[name].choices if name in known else meant[name]
        if choices and value not in choices:
            raise UsageError(
                f"{parameter(name, value)} is not known; choose one of: "
                f"{', '.join(map(str, choices))}"
            )
    job = replace(job, options=options)
    if job.from_model:
        return job
    sizes = job.sizes or tuple(form.parse_size(word) for word in form.default_sizes(options))
    return replace(
        job,
        sizes=sizes,
        precision=job.precision or form.precision,
        io=job.io or form.io_forms[0],
    )


def _check(job: Export, form: Format) -> None:
    """Refuse what cannot work before any long work is done."""
    suffix = job.output.suffix
    # The tools that write two files at once know their own spelling alone.
    if (suffix if form.kind == "split" else suffix.lower()) != form.suffix:
        raise UsageError(
            f"the output {str(job.output)!r} must end in {form.suffix}: runtimes go by that"
        )
    check_artifact(
        form.kind,
        job.output,
        overwrite=job.overwrite,
        contents=form.contents,
        split_suffixes=[one.suffix for one in formats() if one.kind == "split"],
    )
    if job.io is not None and job.io not in form.io_forms:
        raise UsageError(
            f"{parameter('io', job.io)} is no form of {form.title}: use "
            f"{parameter('io', *form.io_forms)}"
        )
    if job.precision is not None and job.precision not in form.precisions:
        raise UsageError(
            f"{parameter('precision', job.precision)} is none of {form.title}'s; choose one of: "
            f"{', '.join(form.precisions)}"
        )
    if job.from_model:
        for settled, given in (
            (parameter("precision"), job.precision is not None),
            (parameter("io"), job.io is not None),
            (parameter("composite", False), not job.composite),
            (parameter("calibrate"), job.calibrate is not None),
            (parameter("ignore"), bool(job.ignore)),
        ):
            if given:
                raise UsageError(
                    f"{settled} is settled in an ONNX file: leave it out, or give the checkpoint"
                )
    elif job.calibrate is not None and form.arithmetic(str(job.precision)) not in NEED_RANGES:
        use = [one for one in form.precisions if form.arithmetic(one) in NEED_RANGES]
        raise UsageError(
            f"{parameter('calibrate')} is of no use for {job.precision}: leave it out, or add "
            f"{parameter('precision', *use)}"
        )
    if len(set(job.sizes)) != len(job.sizes):
        raise UsageError(f"give every {parameter('size')} once")
    form.check(job)


class _CheckpointSource:
    """A checkpoint under way: its graphs, and what the reference makes of the pictures."""

    reference_name = REFERENCE

    def __init__(self, job: Export, form: Format, progress: Progress) -> None:
        self._tools = form.tools()
        self._job, self._form = job, form
        checkpoint = load_checkpoint(job.source, ignore=job.ignore)
        self._checkpoint: Checkpoint | None = checkpoint
        config = checkpoint.config
        self.parts = form.parts(job, SizePolicy(None, config.size_multiple, config.min_size))
        for part in self.parts:
            form.graph_options(job, config, part)  # refuses what cannot be before any long work
        progress("ranges")
        arithmetic = form.arithmetic(str(job.precision))
        self._ranges: Ranges | None = None
        if arithmetic in NEED_RANGES:
            at = form.calibrated_at(self.parts[0], job)
            self._ranges = measured_ranges(checkpoint, at, arithmetic, job.calibrate)
        progress("reference")
        from lama_edge.runtimes.numpy.runner import NumpyRunner

        with NumpyRunner(checkpoint, composite=False) as reference:
            self._described = reference.manifest
            self._judged = {
                part: (cases, raw_outputs(reference, cases))
                for part in self.parts
                for cases in [_cases(part) if job.check_parity else []]
            }

    def reference(self, part: Part) -> tuple[list[ParityCase], list[NDArray[np.float32]]]:
        """Return a part's pictures, and the reference's raw output for each."""
        return self._judged[part]

    def drawn(self, progress: Progress) -> Iterator[Drawn]:
        """Give each part's graph, one in memory at a time; the checkpoint goes with the last."""
        job, form, checkpoint = self._job, self._form, self._checkpoint
        assert checkpoint is not None
        config = checkpoint.config
        self._checkpoint = None
        graphs = form.graphs(job, config, checkpoint.tensors, self.parts, self._ranges)
        del checkpoint
        dft = form.graph_options(job, config, self.parts[0]).dft
        for number, (part, graph) in enumerate(zip(self.parts, graphs, strict=True), start=1):
            manifest = Manifest(
                format=form.described(job, config),
                io=form.contract(job),
                size=part.size,
                precision=str(job.precision),
                dft=dft if config.has_fourier_units else None,
                source=self._described.source,
                tools={**self._tools, **self._described.tools},
                numerics=graph.numerics,
            )
            if number == len(self.parts):
                progress("write")
            yield Drawn(part, manifest, graph.model)


class _ModelSource:
    """A model that takes a checkpoint's place: its file, its manifest, and what it computes."""

    reference_name = ""

    def __init__(self, job: Export, form: Format, progress: Progress) -> None:
        self._path = Path(str(job.source))
        self._manifest = _manifest_of(self._path)
        form.check_model(job, self._manifest)
        self.parts = form.parts(job, self._manifest.size)

    def reference(self, part: Part) -> tuple[list[ParityCase], list[NDArray[np.float32]]]:
        """Run the file itself; its CPU kernels compute fp16 wide, which makes a better reference.

        Raises:
            MissingBackendError: where it cannot be run.
        """
        cases = _cases(part)
        with open_runner(self._path, provider="cpu") as runner:
            self.reference_name = f"{runner.title} of the ONNX file"
            return cases, raw_outputs(runner, cases)

    def drawn(self, progress: Progress) -> Iterator[Drawn]:
        """Give the file in the place of a graph."""
        progress("write")
        yield Drawn(self.parts[0], self._manifest, None, self._path)


def _manifest_of(path: Path) -> Manifest:
    """Read an ONNX file's manifest without a runtime: a board that builds engines has none."""
    from lama_edge.runtimes.onnxruntime.parts import read_manifest_of

    if not path.is_file():
        raise ModelError(f"the model {str(path)!r} does not exist; give an exported ONNX file")
    manifest = read_manifest_of(path)
    if manifest is None:
        raise ModelError(
            f"{str(path)!r} carries no lama-edge manifest; export it with: lama-edge export onnx"
        )
    if changed_since_export(manifest, path):
        _log.warning("%s was changed since export: its figures are not taken over", path)
        return replace(manifest, parity=None)
    return manifest


def _cases(part: Part) -> list[ParityCase]:
    """Return the pictures that a part is judged on."""
    if not part.judged_at:
        return seeded_cases(part.size)
    return [seeded_cases(replace(part.graph_size, fixed=size))[0] for size in part.judged_at]


def _judged(
    job: Export,
    form: Format,
    of: tuple[Part, Manifest],
    source: _CheckpointSource | _ModelSource,
    target: Path,
    scratch: Path,
) -> Manifest:
    """Judge a part; returns its manifest with the figures.

    Raises:
        ParityError: when it is out of tolerance and must not be kept, or returns values that are
            not finite.
    """
    part, manifest = of
    judges = form.judges(job, part, target, scratch)
    if not judges:
        return manifest
    try:
        cases, wanted = source.reference(part)
    except MissingBackendError as error:
        if not job.from_model:
            raise
        _log.warning("the engine is not judged, its manifest keeps the file's figures: %s", error)
        return manifest
    advice, judged = form.advice().get(manifest.precision, ""), []
    for chosen in judges:
        figures: ParityFigures | None = None
        try:
            with open_runner(chosen.model, provider=chosen.provider) as runner:
                tolerance = tolerance_of(runner.runtime.name, manifest.precision)
                name = source.reference_name
                figures = judge(runner, cases, wanted, reference_name=name, tolerance=tolerance)
            require_parity(figures, advice=advice)
        except ParityError as error:
            culprit = _first_not_finite(chosen, cases)
            if culprit is not None:
                raise NotFiniteError(f"{error}; {culprit}") from error
            if figures is None or not job.keep_failed:
                raise
            # What failed is what the manifest has to say.
            return form.with_figures(manifest, replace(figures, forced=True), chosen)
        judged.append(figures)
    return form.with_figures(manifest, judged[0], judges[0])


def _first_not_finite(chosen: Judge, cases: Sequence[ParityCase]) -> str | None:
    """Name the first value that is not finite, when there is one and it can be found."""
    from lama_edge.forms import to_model
    from lama_edge.runtimes.emulator.execution import open_observable
    from lama_edge.runtimes.emulator.survey import first_not_finite

    try:
        with open_observable(chosen.model) as runner:
            io = runner.manifest.io
            for case in cases:
                image, mask = to_model(io, case.image, case.hole)
                feeds = {io.image.name: image, io.mask.name: mask}
                found = first_not_finite(runner.program, feeds)
                if found is not None:
                    return f"{found.name} ({found.op}) is the first value that is not finite"
    except LamaEdgeError:
        return None
    return None


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
    from lama_edge.exporters.formats.onnx.file import build_onnx
    from lama_edge.exporters.graph.deploy_graph import GraphOptions
    from lama_edge.pictures.calibration import calibration_cases
    from lama_edge.runtimes.emulator.ranges import measure_ranges

    any_size = replace(size, fixed=None, max_side=None)
    sizes = [] if size.fixed is None else [size.fixed]
    if precision == "fp16":
        step = size.multiple
        side = -(-max(_FP16_CALIBRATION_SIDE, size.min_size) // step) * step
        sizes = [Size(side, side)]
    plain = GraphOptions(io=io_spec("float", composite=False), size=any_size)
    model = build_onnx(checkpoint.config, checkpoint.tensors, plain)
    return measure_ranges(model, plain.io, calibration_cases(any_size, folder=folder, sizes=sizes))
