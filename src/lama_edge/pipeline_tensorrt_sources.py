"""What an engine is made from: a checkpoint's graph, or one of our ONNX files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lama_edge.engines import ProfileSizes
from lama_edge.errors import ModelError, UsageError
from lama_edge.export.tensorrt.options import (
    DEFAULT_PRECISION,
    DEFAULT_PROFILE,
    BuildOptions,
    EnginePrecision,
    check_profiles,
)
from lama_edge.judging.cases import ParityCase, seeded_cases
from lama_edge.manifest import METADATA_KEY, Manifest, ParityFigures
from lama_edge.models.checkpoint import load_checkpoint
from lama_edge.ranges import Ranges
from lama_edge.runtimes.base import Runner, open_runner
from lama_edge.runtimes.onnx_parts import OnnxParts
from lama_edge.runtimes.parity import judge, raw_outputs
from lama_edge.runtimes.registry import tolerance_of
from lama_edge.spec import IoForm, Size, SizePolicy, io_spec

# Beyond it a picture is judged on only when engines are optimised for it: big-lama's shape takes
# ten seconds at 1024 x 1024 in torch on two cores.
_MAX_JUDGED_PIXELS = 512 * 1024


@dataclass(frozen=True)
class TensorrtExport:
    """What `export_tensorrt` shall do.

    Attributes:
        source: a checkpoint's path or name, or an ``.onnx`` file that lama-edge exported; None is
            the embedded lama-tiny.
        output: the ``.engine`` file to write; its manifest goes beside it.
        sizes: the sizes to build for, a profile each; of several the first is what the manifest
            promises. Empty is 512 x 512, or the size of an ONNX file that has one.
        precision: the number format; None is fp16. Of an ONNX file it is the file's.
        io: form of the inputs and the output; None is ``float``. Of an ONNX file it is the file's.
        composite: whether known pixels come back unchanged; otherwise the raw fill.
        calibrate: a folder of pictures to measure ranges on; None draws some.
        build: the builder's options.
        overwrite: whether an existing engine may be replaced.
        check_parity: whether to judge the engine, or without a GPU for it the graph that it is
            built from, before it is kept.
        keep_failed: whether to keep one that is out of tolerance; its manifest says so.
    """

    source: str | Path | None
    output: Path
    sizes: tuple[ProfileSizes, ...] = ()
    precision: EnginePrecision | None = None
    io: IoForm | None = None
    composite: bool = True
    calibrate: Path | None = None
    build: BuildOptions = field(default_factory=BuildOptions)
    overwrite: bool = False
    check_parity: bool = True
    keep_failed: bool = False

    @property
    def from_onnx(self) -> bool:
        """Whether the source is an ONNX file."""
        return self.source is not None and Path(self.source).suffix.lower() == ".onnx"


@dataclass(frozen=True)
class Reference:
    """Pictures, and what the reference makes of them.

    Attributes:
        name: what figures call the reference.
        cases: the pictures and holes.
        wanted: float32 [H,W,3] on the 0-to-255 scale for each.
    """

    name: str
    cases: Sequence[ParityCase]
    wanted: Sequence[NDArray[np.float32]]


@dataclass(frozen=True)
class EngineSource:
    """The ONNX file of an engine.

    Attributes:
        path: the file.
        manifest: its manifest; with figures where the file was judged.
        profiles: the sizes to build for.
        reference: gives what to judge the engine by; it may take a while.
    """

    path: Path
    manifest: Manifest
    profiles: tuple[ProfileSizes, ...]
    reference: Callable[[], Reference]


def checkpoint_source(
    job: TensorrtExport,
    folder: Path,
    progress: Callable[[str], None] = lambda stage: None,
    *,
    judge_graph: bool = True,
) -> EngineSource:
    """Write the graph that a checkpoint's engine is built from.

    Args:
        job: what is asked for.
        folder: where to write it.
        progress: called with ``ranges``, ``reference``, ``graph`` and ``parity`` as they begin.
        judge_graph: whether to judge the graph; otherwise only its reference is prepared.

    Raises:
        UsageError: when the generator does not take the sizes.
        CheckpointError: when the checkpoint cannot be used.
        ParityError: when the graph's results are not finite.
        MissingBackendError: when torch, onnx or ONNX Runtime is not installed.
    """
    # Imported here because an engine can be built from an ONNX file without torch and onnx.
    from lama_edge.export.deploy_graph import GraphOptions
    from lama_edge.export.onnx_format import finish, tool_versions, write_onnx
    from lama_edge.export.tensorrt.graphs import source_graph
    from lama_edge.pipeline import measured_ranges
    from lama_edge.runtimes.torch_runner import TorchRunner

    checkpoint = load_checkpoint(job.source)
    config = checkpoint.config
    precision = job.precision or DEFAULT_PRECISION
    profiles = job.sizes or (DEFAULT_PROFILE,)
    any_size = SizePolicy(None, config.size_multiple, config.min_size)
    check_profiles(profiles, any_size)
    fixed = profiles[0].fixed if len(profiles) == 1 else None
    options = GraphOptions(
        io=io_spec(job.io or "float", composite=job.composite),
        size=SizePolicy(fixed, config.size_multiple, config.min_size),
    )
    progress("ranges")
    ranges: Ranges | None = None
    if precision != "fp32":
        ranges = measured_ranges(
            checkpoint, _at(any_size, profiles[0].optimum), precision, job.calibrate
        )
    progress("reference")
    cases = judged_cases(profiles, any_size) if job.check_parity else []
    with TorchRunner(checkpoint, composite=False) as runner:
        described = runner.manifest
        reference = Reference("torch-fp32", cases, raw_outputs(runner, cases))
    progress("graph")
    graph = source_graph(precision, config, checkpoint.tensors, options, ranges)
    manifest = Manifest(
        format={"name": "onnx", "opset": options.opset},
        io=options.io,
        size=options.size,
        precision=precision,
        dft=options.dft if config.has_fourier_units else None,
        source=described.source,
        tools={**tool_versions(), **described.tools},
        numerics=graph.numerics,
    )
    path = folder / "source.onnx"
    write_onnx(finish(graph.model), manifest, path)
    progress("parity")
    if judge_graph and job.check_parity:
        manifest = manifest.with_parity(_judged_graph(path, precision, reference))
    return EngineSource(path, manifest, profiles, lambda: reference)


def onnx_source(job: TensorrtExport) -> EngineSource:
    """Return an ONNX file as an engine's source, with the figures that its manifest carries.

    Raises:
        UsageError: when it does not take the sizes, or is of a precision that TensorRT has not.
        ModelError: when it cannot be read, or carries no manifest.
    """
    path = Path(str(job.source))
    if not path.is_file():
        raise ModelError(f"the model {str(path)!r} does not exist; give an exported ONNX file")
    parts = OnnxParts(path)
    try:
        text = parts.metadata.get(METADATA_KEY)
    finally:
        parts.close()
    if text is None:
        raise ModelError(
            f"{str(path)!r} carries no lama-edge manifest; export it with: lama-edge export onnx"
        )
    manifest = Manifest.from_json(text)
    if manifest.precision not in ("fp32", "fp16"):
        raise UsageError(
            f"{str(path)!r} is {manifest.precision}, quantised as ONNX Runtime likes it: give the "
            "checkpoint, with --precision int8"
        )
    if manifest.convolutions != "direct":
        raise UsageError(
            f"{str(path)!r} is shaped for processors, with loops that a GPU is slow in: give the "
            "checkpoint, or export the file with --convolutions direct"
        )
    if job.build.tf32 and manifest.precision != "fp32":
        raise UsageError("--tf32 is about float32 products, and the file is fp16: leave it out")
    fixed = manifest.size.fixed
    whole = DEFAULT_PROFILE if fixed is None else ProfileSizes(fixed, fixed, fixed)
    profiles = job.sizes or (whole,)
    check_profiles(profiles, manifest.size)

    def reference() -> Reference:
        cases = judged_cases(profiles, manifest.size)
        # Its kernels compute fp16 graphs wide, which makes them the better reference.
        with open_runner(path, provider="cpu") as runner:
            return Reference(f"{runner.title} of the ONNX file", cases, raw_outputs(runner, cases))

    return EngineSource(path, manifest, profiles, reference)


def judged_cases(profiles: Sequence[ProfileSizes], size: SizePolicy) -> list[ParityCase]:
    """Return the pictures that an engine is judged on: of sizes from all of its profiles.

    Of a range that is the smallest size, one beside it that is not square, the best one, and the
    largest if it is not too large. Every hole touches all four borders.

    Args:
        profiles: the engine's.
        size: what its generator takes.
    """
    sizes: list[Size] = []
    for profile in profiles:
        least, most = profile.minimum, profile.maximum
        beside = Size(min(least.height + size.multiple, most.height), least.width)
        sizes += [one for one in (least, beside, most) if _pixels(one) <= _MAX_JUDGED_PIXELS]
        sizes.append(profile.optimum)
    return [seeded_cases(_at(size, one))[0] for one in dict.fromkeys(sizes)]


def _at(size: SizePolicy, fixed: Size) -> SizePolicy:
    return SizePolicy(fixed, size.multiple, size.min_size)


def _pixels(size: Size) -> int:
    return size.height * size.width


def _judged_graph(path: Path, precision: str, reference: Reference) -> ParityFigures:
    with _open_graph(path, precision) as runner:
        return judge(
            runner,
            reference.cases,
            reference.wanted,
            reference_name=reference.name,
            tolerance=tolerance_of(runner.runtime.name, precision),
        )


def _open_graph(path: Path, precision: str) -> Runner:
    # ONNX Runtime's CPU kernels compute fp16 graphs wide and prove nothing about fp16.
    return open_runner(path, provider="emulated" if precision == "fp16" else "cpu")
