"""Measures models side by side: rounds interleave them, every measurement in its own process."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.benchmarks.bench.measured_picture import measured_picture
from lama_edge.benchmarks.bench.summary import summarise, warnings_about
from lama_edge.benchmarks.documents.model_files import located, quality_of, titled
from lama_edge.benchmarks.documents.pictures import Picture
from lama_edge.benchmarks.documents.store import BENCH, check_document, heading
from lama_edge.benchmarks.targets.base import Opening, Target, TargetOptions
from lama_edge.benchmarks.targets.registry import open_target
from lama_edge.benchmarks.targets.subjects import Opened, Refused, open_model, without_paths
from lama_edge.benchmarks.targets.tasks.stopwatch import Policy
from lama_edge.benchmarks.targets.tasks.work import older
from lama_edge.errors import LamaEdgeError, NotFiniteError, UsageError
from lama_edge.files import split_part
from lama_edge.forms import to_model
from lama_edge.judging.cases import ParityCase
from lama_edge.judging.judge import case_output
from lama_edge.manifest import Manifest
from lama_edge.spec import Progress, Size

DEFAULT_SIZE = Size(512, 512)


@dataclass(frozen=True)
class Bench:
    """What `run_bench` shall measure, and how.

    Attributes:
        models: exported models or checkpoints, by path or zoo name; see `open_runner`.
        target: where; see `open_target`.
        options: what else is said of the target; None is nothing.
        sizes: for models that take any size, 512x512 if empty; a fixed-size model is measured at
            its own size whatever this says.
        threads: processor threads; None is one for each physical core that may be used.
        provider: the runtime's provider, see `open_runner`.
        providers: one for each model, where they differ; empty is `provider` for all.
        rounds: how often each model is measured, every time in a fresh process.
        min_runs: samples a round, at least.
        min_seconds: length of the sampling a round, at least, in seconds.
        min_warmup_runs: runs before the samples, at least.
        min_warmup_ms: length of the warm-up, at least, in milliseconds.
        cool_down_s: pause before each measurement but the first, in seconds.
        timeout_s: how long one process may take, in seconds; None is for ever.
    """

    models: tuple[str | Path, ...]
    target: str = "local"
    options: TargetOptions | None = None
    sizes: tuple[Size, ...] = ()
    threads: int | None = None
    provider: str = "auto"
    providers: tuple[str, ...] = ()
    rounds: int = 3
    min_runs: int = 10
    min_seconds: float = 3.0
    min_warmup_runs: int = 3
    min_warmup_ms: float = 200.0
    cool_down_s: float = 0.0
    timeout_s: float | None = None

    def __post_init__(self) -> None:
        if not self.models:
            raise UsageError("there is no model to measure; give at least one")
        if self.providers and len(self.providers) != len(self.models):
            raise UsageError(
                f"there are {len(self.providers)} providers for {len(self.models)} models; give "
                "one for each"
            )
        if self.rounds < 1:
            raise UsageError(f"rounds is {self.rounds}; give 1 or more")
        if self.threads is not None and self.threads < 1:
            raise UsageError(f"threads is {self.threads}; give 1 or more")
        if not 0 <= self.cool_down_s < float("inf"):
            raise UsageError(f"cool_down_s is {self.cool_down_s}; give 0 or more seconds")
        if self.timeout_s is not None and not self.timeout_s > 0:
            raise UsageError(f"timeout_s is {self.timeout_s}; give more than 0 seconds")
        _ = self.policy

    @property
    def policy(self) -> Policy:
        """How long each round warms up and samples."""
        return Policy(self.min_warmup_runs, self.min_warmup_ms, self.min_runs, self.min_seconds)


@dataclass
class _Row:
    """One model at one size while it is measured."""

    subject: Opened | Refused
    name: str
    provider: str
    size: Size | None = None
    rounds: list[dict[str, Any]] = field(default_factory=list)
    output: NDArray[np.uint8] | None = None
    failure: LamaEdgeError | None = None

    @property
    def title(self) -> str:
        return f"{self.name} at {self.size}"


@dataclass(frozen=True)
class BenchResult:
    """What `run_bench` found.

    Attributes:
        document: plain data as ``schema/bench-2.schema.json`` describes it.
        pictures: what the models made of the picture that they were timed on, one for each row
            without an error.
        failures: what the rows with an error failed with.
    """

    document: dict[str, Any]
    pictures: tuple[Picture, ...]
    failures: tuple[LamaEdgeError, ...] = ()

    @property
    def exit_code(self) -> int:
        """That of what failed, 0 if nothing did: 1 wins over 3 over 2."""
        codes = {failure.exit_code for failure in self.failures}
        return next((code for code in (1, 3, 2) if code in codes), 0)


def run_bench(job: Bench, progress: Progress = lambda step: None) -> BenchResult:
    """Measure models, and look at what they gave.

    A model that cannot be opened or run, whose runtime is not installed, or whose process dies, is
    a row with an `error`, and the others go on.

    Args:
        job: what to do.
        progress: called with what is done next: once as each model is opened, and once as each
            measurement begins.

    Raises:
        UsageError: when a model cannot be measured at a size asked for, or the target is unknown.
        ModelError: when a model does not exist.
    """
    # Every path is looked up before the first model is opened: a slip of the pen should not cost
    # the time of the models before it.
    paths = [located(model) for model in job.models]
    providers = job.providers or (job.provider,) * len(paths)
    parts = [split_part(model)[1] for model in job.models]
    names = _names(paths, parts, providers)
    with open_target(job.target, job.options) as target:
        threads = job.threads or target.default_threads()
        rows: list[_Row] = []
        for model, name, provider in zip(job.models, names, providers, strict=True):
            progress(f"opening {name}")
            opening = Opening(provider, threads, timeout_s=job.timeout_s)
            rows += _rows(open_model(model, target, opening), name, provider, job.sizes)
        for row in _interleaved(rows, job, progress):
            _measure(row, job.policy)
        document = check_document(_document(job, target, threads, rows), BENCH)
    pictures = tuple(
        Picture(index, *measured_picture(row.size), row.output)
        for index, row in enumerate(rows)
        if row.failure is None and row.size is not None and row.output is not None
    )
    failures = tuple(row.failure for row in rows if row.failure is not None)
    return BenchResult(document, pictures, failures)


def _names(
    paths: Sequence[Path], parts: Sequence[str | None], providers: Sequence[str]
) -> list[str]:
    """Return base names, numbered where several models have the same one, part and provider."""
    names: list[tuple[str, str | None, str]] = []
    for path, part, provider in zip(paths, parts, providers, strict=True):
        base = path.resolve().name
        name, number = base, 2
        while (name, part, provider) in names:
            name, number = f"{base} ({number})", number + 1
        names.append((name, part, provider))
    return [name for name, *_ in names]


def _rows(subject: Opened | Refused, name: str, provider: str, asked: Sequence[Size]) -> list[_Row]:
    """Return a row for each size that a model will be measured at."""
    part = split_part(subject.model)[1]
    if isinstance(subject, Refused):
        return [_Row(subject, titled(name, part), provider, failure=subject.error)]
    provider = subject.found.provider
    subject = replace(subject, opening=replace(subject.opening, provider=provider))
    return [
        _Row(subject, titled(name, part), provider, size)
        for size in _sizes(asked, subject.manifest, name)
    ]


def _sizes(asked: Sequence[Size], manifest: Manifest, name: str) -> tuple[Size, ...]:
    policy, engine = manifest.size, manifest.engine
    if policy.fixed is not None and (engine is None or engine.is_static):
        return (policy.fixed,)
    usual = Size(policy.side_for(DEFAULT_SIZE.height), policy.side_for(DEFAULT_SIZE.width))
    sizes = tuple(dict.fromkeys(asked)) or (policy.fixed or usual,)
    for size in sizes:
        problem = manifest.problem_with(size.height, size.width)
        if problem is not None:
            raise UsageError(f"{name!r} cannot be measured at {size}: {problem}")
    return sizes


def _interleaved(rows: Sequence[_Row], job: Bench, progress: Progress) -> Iterator[_Row]:
    """Give every row in every round, A B A B, so that a machine that changes changes for all."""
    first = True
    for number in range(1, job.rounds + 1):
        for row in rows:
            if row.failure is not None:
                continue
            if not first:
                time.sleep(job.cool_down_s)
            first = False
            progress(f"{row.title}, round {number}")
            yield row


def _measure(row: _Row, policy: Policy) -> None:
    """Measure a row once, and keep what the model made of the picture."""
    subject = row.subject
    if isinstance(subject, Refused) or row.size is None:
        return
    case = ParityCase(*measured_picture(row.size))
    io = subject.manifest.io
    inputs = to_model(io, case.image, case.hole)
    try:
        measured, output = subject.target.measure(subject.handle, subject.opening, *inputs, policy)
        levels = case_output(io, case, output).levels
        # The same in every round: it is measured in a pass of its own.
        peak = (
            row.rounds[0]["peak_memory_bytes"]
            if row.rounds
            else subject.target.memory(subject.handle, subject.opening, *inputs)
        )
    except NotFiniteError as error:
        row.failure = NotFiniteError(f"{error}; its times mean nothing")
    except LamaEdgeError as error:
        row.failure = error
    else:
        row.rounds.append(older(measured, peak))
        row.output = np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def _document(job: Bench, target: Target, threads: int, rows: Sequence[_Row]) -> dict[str, Any]:
    return {
        **heading(BENCH),
        "measured_on": datetime.now(timezone.utc).date().isoformat(),
        "environment": target.environment(),
        "settings": {
            **asdict(job.policy),
            "rounds": job.rounds,
            "cool_down_s": job.cool_down_s,
        },
        "runs": [_run(target, threads, row) for row in rows],
    }


def _run(target: Target, threads: int, row: _Row) -> dict[str, Any]:
    statistics = summarise(row.rounds) if row.failure is None else None
    found = None if isinstance(row.subject, Refused) else row.subject.found
    return {
        "model": {**row.subject.record, "name": row.name},
        "target": target.name,
        "runtime": None if found is None else f"{found.runtime} {found.version}",
        "provider": row.provider,
        "threads": threads,
        "size": None if row.size is None else str(row.size),
        "batch": 1 if found is None else found.manifest.io.pictures,
        "rounds": row.rounds,
        "statistics": statistics,
        "quality": None if found is None else quality_of(row.subject.model, found.manifest),
        "warnings": [] if statistics is None else warnings_about(row.rounds, statistics),
        "error": None if row.failure is None else without_paths(row.failure, row.subject.model),
    }
