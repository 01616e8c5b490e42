"""Measures models side by side: rounds interleave them, every measurement in its own process."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from lama_edge.benchmarks.documents import BENCH, check_document, heading
from lama_edge.benchmarks.environment import anonymous
from lama_edge.benchmarks.measure_task import measured_picture
from lama_edge.benchmarks.model_files import (
    format_of,
    located,
    model_sha256,
    model_size_bytes,
    titled,
)
from lama_edge.benchmarks.reports.pictures import Picture
from lama_edge.benchmarks.stopwatch import Policy
from lama_edge.benchmarks.summary import summarise, warnings_about
from lama_edge.benchmarks.targets.base import Target, open_target
from lama_edge.errors import LamaEdgeError, ModelError, UsageError, one_line
from lama_edge.files import join_part, split_part
from lama_edge.spec import Progress, Size, SizePolicy

DEFAULT_SIZE = Size(512, 512)


@dataclass(frozen=True)
class Bench:
    """What `run_bench` shall measure, and how.

    Attributes:
        models: exported models or checkpoints, by path or zoo name; see `open_runner`.
        target: where; see `open_target`.
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

    path: Path
    model: dict[str, Any]
    provider: str
    runtime: str | None = None
    size: Size | None = None
    quality: dict[str, Any] | None = None
    rounds: list[dict[str, Any]] = field(default_factory=list)
    failure: LamaEdgeError | None = None
    part: str | None = None

    @property
    def title(self) -> str:
        return f"{self.model['name']} at {self.size}"

    @property
    def error(self) -> str | None:
        """What failed, spelled for the document, which holds no paths."""
        if self.failure is None:
            return None
        message = one_line(self.failure)
        for place in (str(self.path.resolve()), str(self.path)):
            message = message.replace(place, self.path.resolve().name)
        return anonymous(message)


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


def run_bench(job: Bench, progress: Progress = lambda stage: None) -> BenchResult:
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
    target = open_target(job.target)
    threads = job.threads or target.default_threads()
    # Every path is looked up before the first model is opened: a slip of the pen should not cost
    # the time of the models before it.
    paths = [located(model) for model in job.models]
    providers = job.providers or (job.provider,) * len(paths)
    rows = [
        row
        for path, provider, name, model in zip(
            paths, providers, _names(paths, providers), job.models, strict=True
        )
        for row in _describe(
            job, target, threads, path, split_part(model)[1], name, provider, progress
        )
    ]
    with tempfile.TemporaryDirectory(prefix="lama-edge-") as folder:
        outputs = [Path(folder, f"{index}.npy") for index in range(len(rows))]
        for index, number in _interleaved(rows, job, progress):
            kept = outputs[index] if number == job.rounds else None
            _measure(job, target, threads, rows[index], kept)
        document = check_document(_document(job, target, threads, rows), BENCH)
        pictures = tuple(
            Picture(index, *measured_picture(row.size), np.load(output))
            for index, (row, output) in enumerate(zip(rows, outputs, strict=True))
            if row.failure is None and row.size is not None
        )
    failures = tuple(row.failure for row in rows if row.failure is not None)
    return BenchResult(document, pictures, failures)


def _names(paths: Sequence[Path], providers: Sequence[str]) -> list[str]:
    """Return base names, numbered where several models have the same one and provider."""
    names: list[tuple[str, str]] = []
    for path, provider in zip(paths, providers, strict=True):
        base = path.resolve().name
        name, number = base, 2
        while (name, provider) in names:
            name, number = f"{base} ({number})", number + 1
        names.append((name, provider))
    return [name for name, _ in names]


def _describe(
    job: Bench,
    target: Target,
    threads: int,
    path: Path,
    part: str | None,
    name: str,
    provider: str,
    progress: Progress,
) -> list[_Row]:
    """Open a model once and return a row for each size that it will be measured at."""
    progress(f"opening {name}")
    try:
        hashed, size_bytes = model_sha256(path), model_size_bytes(path)
    except OSError as error:
        raise ModelError(f"cannot read {str(path)!r}: {error.strerror or error}") from error
    known = {
        "name": titled(name, part),
        "format": format_of(path),
        "sha256": hashed,
        "size_bytes": size_bytes,
    }
    unknown = dict.fromkeys(
        ("precision", "io", "dft", "architecture", "parameters", "source_sha256")
    )
    payload = {
        "model": join_part(path, part),
        "provider": provider,
        "threads": threads,
        "timeout_s": job.timeout_s,
    }
    try:
        described = target.describe(payload)
    except LamaEdgeError as error:
        return [_Row(path, {**unknown, **known}, provider, failure=error)]
    model = {**known, **described["facts"]}
    return [
        _Row(
            path,
            model,
            described["provider"],
            described["runtime"],
            size,
            described["quality"],
            part=part,
        )
        for size in _sizes(job.sizes, described, name)
    ]


def _sizes(asked: Sequence[Size], described: Mapping[str, Any], name: str) -> tuple[Size, ...]:
    policy = SizePolicy.from_dict(described["size"])
    if policy.fixed is not None:
        return (policy.fixed,)
    sizes = tuple(dict.fromkeys(asked)) or (DEFAULT_SIZE,)
    for size in sizes:
        problem = policy.problem_with(size.height, size.width)
        if problem is not None:
            raise UsageError(f"{name!r} cannot be measured at {size}: {problem}")
    return sizes


def _interleaved(rows: Sequence[_Row], job: Bench, progress: Progress) -> Iterator[tuple[int, int]]:
    """Give every row in every round, A B A B, so that a machine that changes changes for all.

    Yields:
        The row's index and the number of the round, from 1.
    """
    first = True
    for number in range(1, job.rounds + 1):
        for index, row in enumerate(rows):
            if row.failure is not None:
                continue
            if not first:
                time.sleep(job.cool_down_s)
            first = False
            progress(f"{row.title}, round {number}")
            yield index, number


def _measure(job: Bench, target: Target, threads: int, row: _Row, output: Path | None) -> None:
    size = row.size or DEFAULT_SIZE
    payload = {
        "model": join_part(row.path, row.part),
        "provider": row.provider,
        "threads": threads,
        "size": [size.height, size.width],
        "policy": asdict(job.policy),
        "output": None if output is None else str(output),
        "timeout_s": job.timeout_s,
    }
    try:
        row.rounds.append(target.measure(payload))
    except LamaEdgeError as error:
        row.failure = error


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
    return {
        "model": row.model,
        "target": target.name,
        "runtime": row.runtime,
        "provider": row.provider,
        "threads": threads,
        "size": None if row.size is None else str(row.size),
        "batch": 1,
        "rounds": row.rounds,
        "statistics": statistics,
        "quality": row.quality,
        "warnings": [] if statistics is None else warnings_about(row.rounds, statistics),
        "error": row.error,
    }
