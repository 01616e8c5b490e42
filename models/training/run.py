"""One training run from start to end: what `train` is told, and how its parts come together."""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

import lama_edge
from lama_edge.errors import CheckpointError, UsageError, needs_extra, parameter
from lama_edge.models.checkpoint import load_checkpoint
from lama_edge.models.config import GeneratorConfig
from lama_edge.models.training.checkpoints import load_generator, resume
from lama_edge.models.training.data.folder import PictureFolder, folder_holdout, split_folder
from lama_edge.models.training.data.pool import DataSettings, PictureSource, Scenes
from lama_edge.models.training.evaluation import report
from lama_edge.models.training.loop import Guides, Values, train
from lama_edge.models.training.losses.perceptual import load_segmentation_features
from lama_edge.models.training.parallel import Group, run_group
from lama_edge.models.training.settings import TrainSettings
from lama_edge.models.training.state import TrainState, new_state
from lama_edge.pictures.holdout import Sample, holdout

with needs_extra("train"):
    import torch

    from lama_edge.models.torch_modules.build import build_generator

_HOLDOUT_PIXELS = 128
_HOLDOUT_COUNT = 24


@dataclass(frozen=True)
class TrainJob:
    """What a run is told.

    Attributes:
        out: folder of the results, made if missing.
        settings: the recipe.
        data: what the batches are made of.
        images: folder of photographs; None trains on procedural scenes.
        resume: go on from the results' checkpoint.
        initial: checkpoint whose weights a new run starts from.
        teacher: checkpoint of a generator to learn from.
        perceptual_weights: file of the perceptual loss's segmentation network.
        processes: that train together.
        threads: of each process.
        report_every: steps between two lines of the curve.
    """

    out: Path
    settings: TrainSettings
    data: DataSettings
    images: Path | None = None
    resume: bool = False
    initial: str | None = None
    teacher: str | None = None
    perceptual_weights: Path | None = None
    processes: int = 1
    threads: int = 1
    report_every: int = 500


def run(job: TrainJob) -> None:
    """Train, reporting as it goes, and leave the results in the job's folder.

    Raises:
        UsageError: when the folder holds a run already and `resume` is not set, or options
            contradict each other.
        CheckpointError: when there is nothing to resume or a checkpoint cannot be used.
        PictureError: when too few photographs can be read.
        TrainingError: when one of several processes fails.
    """
    _check(job)
    run_group(functools.partial(_train, job), job.processes)


def _check(job: TrainJob) -> None:
    """Refuse what cannot work before anything is written."""
    found = (job.out / report.CHECKPOINT).is_file()
    if found and not job.resume:
        raise UsageError(
            f"{str(job.out)!r} holds a run already: add {parameter('resume', True)} or name "
            "another folder"
        )
    if job.resume and not found:
        raise CheckpointError(
            f"{str(job.out)!r} has no checkpoint to resume from: drop {parameter('resume')}"
        )
    if job.settings.device == "cuda" and job.processes > 1:
        raise UsageError(f"{parameter('processes')} is for CPUs: train on a GPU with one process")
    _check_crops(job.data, job.settings.generator, "the generator")
    if job.images is not None:
        PictureFolder(split_folder(job.images)[0])


def _check_crops(data: DataSettings, config: GeneratorConfig, who: str) -> None:
    for side in data.crop_sides:
        if side % config.size_multiple or side < config.min_size:
            raise UsageError(
                f"{parameter('crop_pixels', data.crop_pixels)} gives crops of {side} pixels; {who} "
                f"needs multiples of {config.size_multiple} from {config.min_size} on "
                f"({parameter('small_steps', 0)} leaves the smallest out)"
            )


@contextmanager
def _few_remarks() -> Iterator[None]:
    """Every picture is decoded many times; a remark on each time would bury the progress bar."""
    log = logging.getLogger("lama_edge.imaging")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


@_few_remarks()
def _train(job: TrainJob, group: Group) -> None:
    torch.set_num_threads(job.threads)
    source, samples = _pictures(job, measured=group.is_first)
    state, guides = _state(job), _guides(job)
    if group.is_first:
        job.out.mkdir(parents=True, exist_ok=True)
        report.save_settings(job.out, _record(job), resumed=job.resume)
    with tqdm(
        total=100,
        unit="%",
        disable=None if group.is_first else True,
        bar_format="{l_bar}{bar}| {elapsed}{postfix}",
    ) as bar:
        observe = functools.partial(_observe, job, bar, report.Averages(), samples)
        train(
            state,
            job.settings,
            job.data,
            report=observe if group.is_first else lambda *_: None,
            source=source,
            guides=guides,
            group=group,
        )


def _pictures(job: TrainJob, *, measured: bool) -> tuple[PictureSource, list[Sample]]:
    """Return where training pictures come from, and the holdout where it is wanted."""
    if job.images is None:
        return Scenes(), holdout(_HOLDOUT_PIXELS, _HOLDOUT_COUNT if measured else 0)
    training, held = split_folder(job.images)
    samples = folder_holdout(held, job.data.picture_pixels) if measured else []
    return PictureFolder(training), samples


def _state(job: TrainJob) -> TrainState:
    if job.resume:
        return resume(job.out / report.CHECKPOINT, job.settings)
    initial = None if job.initial is None else load_generator(job.initial)
    return new_state(job.settings, job.data.seed, initial)


def _guides(job: TrainJob) -> Guides:
    teacher = perceptual = None
    if job.teacher is not None:
        checkpoint = load_checkpoint(job.teacher)
        _check_crops(job.data, checkpoint.config, "the teacher")
        teacher = build_generator(checkpoint).to(job.settings.device)
    if job.perceptual_weights is not None:
        perceptual = load_segmentation_features(job.perceptual_weights).to(job.settings.device)
    return Guides(teacher, perceptual)


def _observe(
    job: TrainJob,
    bar: tqdm[Any],
    averages: report.Averages,
    samples: list[Sample],
    state: TrainState,
    values: Values,
) -> None:
    averages.add(values)
    done = job.settings.progress(state.step, state.elapsed_s)
    bar.update(round(100 * done, 1) - bar.n)
    if state.step % job.report_every == 0 or done >= 1:
        point = report.measure(state, job.settings, averages.take(), samples)
        report.save_progress(job.out, state, point, samples)
        tqdm.write(point.line())


def _record(job: TrainJob) -> dict[str, Any]:
    """Return the job as plain data; of paths only the files' names, the rest is nobody's."""
    settings = asdict(job.settings)
    for budget in ("minutes", "steps"):
        settings[budget] = None if math.isinf(settings[budget]) else settings[budget]
    return {
        "tool": f"lama-edge {lama_edge.__version__}",
        "torch": torch.__version__,
        "settings": settings,
        "data": asdict(job.data),
        "pictures": "procedural scenes" if job.images is None else "own photographs",
        "resumed": job.resume,
        "initial": None if job.initial is None else Path(job.initial).name,
        "teacher": None if job.teacher is None else Path(job.teacher).name,
        "perceptual_loss": job.perceptual_weights is not None,
        "processes": job.processes,
        "threads": job.threads,
    }
