"""What `lama-edge ranges` does: how large a model's values become over pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lama_edge.benchmarks.documents.model_files import model_record
from lama_edge.benchmarks.documents.store import RANGES, heading
from lama_edge.judging.cases import ParityCase
from lama_edge.judging.ranges import (
    FP16_LARGEST,
    FP16_LEAST_NORMAL,
    NEURAL_ENGINE_LARGEST,
    Ranges,
    branch_of,
    layer_of,
    layer_ranges,
)
from lama_edge.manifest import Manifest
from lama_edge.models.checkpoint import EMBEDDED_NAME
from lama_edge.pictures.calibration import calibration_cases
from lama_edge.runtimes.base import is_checkpoint
from lama_edge.spec import Progress, Size, SizePolicy, untold

Expect = Callable[[int], None]
Document = dict[str, Any]


@dataclass(frozen=True)
class RangesInspection:
    """What `inspect_ranges` shall do.

    Attributes:
        model: a checkpoint's path or name, or an exported model that can be emulated.
        calibrate: folder of pictures to calibrate on; None draws some.
        sizes: sizes to measure at; none stands for the model's own, or for three.
    """

    model: str = EMBEDDED_NAME
    calibrate: Path | None = None
    sizes: tuple[Size, ...] = ()


def inspect_ranges(
    job: RangesInspection,
    progress: Progress = untold,
    expect: Expect = lambda total: None,
) -> Document:
    """Measure the ranges of a model's values, operator by operator.

    A checkpoint is measured as its fp32 deploy graph for any size, an exported model as it is.

    Args:
        job: what to do.
        progress: called with the name of each step as it begins: ``model``, then each picture's.
        expect: called with the number of steps once it is known.

    Returns:
        A document of the kind `documents.RANGES`.

    Raises:
        UsageError: when a size does not suit the model, or the folder holds no picture.
        PictureError: when a picture cannot be read.
        CheckpointError: when the checkpoint cannot be used.
        ModelError: when the model cannot be opened or run.
        MissingBackendError: when the ``export`` or ``bench`` extra is not installed.
    """
    from lama_edge.benchmarks.targets.tasks.environment import environment

    progress("model")
    measure = _from_checkpoint if is_checkpoint(job.model) else _from_exported
    manifest, cases, ranges = measure(job, progress, expect)
    return {
        **heading(RANGES),
        "environment": environment(),
        "model": model_record(job.model, manifest),
        "pictures": [_picture(case) for case in cases],
        "sizes": sorted({str(case.size) for case in cases}, key=_area),
        "limits": {
            "fp16_largest": FP16_LARGEST,
            "neural_engine_largest": NEURAL_ENGINE_LARGEST,
            "fp16_least_normal": FP16_LEAST_NORMAL,
        },
        "layers": [group.to_dict() for group in layer_ranges(ranges.values.values())],
        "values": list(_values(ranges)),
    }


_Measured = tuple[Manifest, Sequence[ParityCase], Ranges]


def _from_checkpoint(job: RangesInspection, progress: Progress, expect: Expect) -> _Measured:
    # Imported here because an exported model needs none of this.
    from lama_edge.exporters.formats.onnx.file import build_onnx
    from lama_edge.exporters.graph.deploy_graph import GraphOptions
    from lama_edge.models.checkpoint import load_checkpoint
    from lama_edge.runtimes.emulator.ranges import measure_ranges
    from lama_edge.runtimes.numpy.runner import NumpyRunner

    checkpoint = load_checkpoint(job.model)
    with NumpyRunner(checkpoint, composite=False) as reference:
        manifest = reference.manifest
    cases = _cases(job, manifest.size, expect)
    options = GraphOptions(io=manifest.io, size=manifest.size)
    model = build_onnx(checkpoint.config, checkpoint.tensors, options)
    del checkpoint
    return manifest, cases, measure_ranges(model, manifest.io, cases, progress)


def _from_exported(job: RangesInspection, progress: Progress, expect: Expect) -> _Measured:
    from lama_edge.runtimes.emulator.execution import open_observable
    from lama_edge.runtimes.emulator.ranges import measure_ranges

    with open_observable(job.model) as runner:
        manifest = runner.manifest
        cases = _cases(job, manifest.size, expect)
        return manifest, cases, measure_ranges(runner.program, manifest.io, cases, progress)


def _cases(job: RangesInspection, policy: SizePolicy, expect: Expect) -> list[ParityCase]:
    cases = calibration_cases(policy, folder=job.calibrate, sizes=job.sizes)
    expect(1 + len(cases))
    return cases


def _picture(case: ParityCase) -> Document:
    share = round(float(case.hole.mean()), 4)
    return {"name": case.name, "size": str(case.size), "hole_share": share}


def _values(ranges: Ranges) -> Iterable[Document]:
    for value in ranges.values.values():
        yield {
            **value.to_dict(),
            "layer": layer_of(value.name),
            "branch": branch_of(value.name),
            "marks": list(value.marks),
        }


def _area(size: str) -> tuple[int, str]:
    height, _, width = size.partition("x")
    return int(height) * int(width), size
