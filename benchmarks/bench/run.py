"""Measures models side by side: rounds interleave them, every measurement in its own process."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from lama_edge.benchmarks.bench.cooling import Cooling
from lama_edge.benchmarks.bench.proof import NotProvenError, References, check_named
from lama_edge.benchmarks.bench.rows import Row, check_times, names_of, rows_of, titles_of
from lama_edge.benchmarks.documents.model_files import titled
from lama_edge.benchmarks.documents.pictures import Picture
from lama_edge.benchmarks.documents.store import BENCH, check_document, heading
from lama_edge.benchmarks.targets.base import Opening, Target, TargetOptions
from lama_edge.benchmarks.targets.programs.worker import WorkerProgram
from lama_edge.benchmarks.targets.registry import open_target, open_targets
from lama_edge.benchmarks.targets.subjects import Opened, open_model, options_for
from lama_edge.benchmarks.targets.tasks.stopwatch import Policy
from lama_edge.errors import (
    LamaEdgeError,
    ModelError,
    NotFiniteError,
    ParityError,
    UsageError,
    parameter,
    worst_exit_code,
)
from lama_edge.files import split_part
from lama_edge.runtimes.model_files import located
from lama_edge.spec import Progress, Size, untold

# How documents call what this module does; a change in what is timed raises it.
PROTOCOL = 2


@dataclass(frozen=True)
class Bench:
    """What `run_bench` shall measure, and how.

    Attributes:
        models: exported models or checkpoints, by path or zoo name; see `open_runner`.
        target: where; see `open_target`.
        options: what else is said of the target; None is nothing.
        with_python: whether to measure in Python beside the worker of `options`, or beside the
            page of the target ``browser``, interleaved.
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
        max_temperature_c: what the target has to cool to before each round, see `Cooling`; None
            does not wait.
        cool_timeout_s: how long that is waited for, in seconds.
        sustained_s: for how many seconds each row is run without a pause after the rounds; None
            leaves it out.
        reference: the checkpoint, or other model, to judge what was timed by; None is the one
            that each model was exported from, where it is lama-tiny or a fetched one.
        prove: whether to judge what was timed at all.
        timeout_s: how long one process may take, in seconds; None is for ever.
    """

    models: tuple[str | Path, ...]
    target: str = "local"
    options: TargetOptions | None = None
    with_python: bool = False
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
    max_temperature_c: float | None = None
    cool_timeout_s: float = 300.0
    sustained_s: float | None = None
    reference: str | None = None
    prove: bool = True
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
            raise UsageError(f"{parameter('rounds')} is {self.rounds}; give 1 or more")
        if self.threads is not None and self.threads < 1:
            raise UsageError(f"{parameter('threads')} is {self.threads}; give 1 or more")
        for name in ("cool_down_s", "cool_timeout_s"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UsageError(
                    f"{parameter(name)} is {getattr(self, name)}; give 0 or more seconds"
                )
        if self.max_temperature_c is not None and not math.isfinite(self.max_temperature_c):
            raise UsageError(
                f"{parameter('max_temperature_c')} is {self.max_temperature_c}; give degrees "
                "Celsius, such as 35"
            )
        for name in ("timeout_s", "sustained_s"):
            seconds = getattr(self, name)
            if seconds is not None and not seconds > 0:
                raise UsageError(f"{parameter(name)} is {seconds}; give more than 0 seconds")
        if self.sustained_s == math.inf:
            raise UsageError(f"{parameter('sustained_s')} is inf; give a time that ends")
        _ = self.policy

    @property
    def steps(self) -> int:
        """How many steps are told at most, of models that all take any size."""
        each = 2 + self.rounds + (self.sustained_s is not None)
        programs = 2 if self.with_python else 1
        return len(self.models) * programs * max(1, len(self.sizes)) * each + self.prove

    @property
    def policy(self) -> Policy:
        """How long each round warms up and samples."""
        return Policy(self.min_warmup_runs, self.min_warmup_ms, self.min_runs, self.min_seconds)


@dataclass(frozen=True)
class BenchResult:
    """What `run_bench` found.

    Attributes:
        document: plain data as ``schema/bench-3.schema.json`` describes it.
        pictures: what the models made of the picture that they were timed on, one for each row
            without an error.
        failures: what the rows with an error failed with, and of those whose parity failed that
            they did.
    """

    document: dict[str, Any]
    pictures: tuple[Picture, ...]
    failures: tuple[LamaEdgeError, ...] = ()

    @property
    def exit_code(self) -> int:
        """That of what failed, 0 if nothing did: 1 wins over 3 over 2."""
        return worst_exit_code(failure.exit_code for failure in self.failures)


def run_bench(job: Bench, progress: Progress = untold, detail: Progress = untold) -> BenchResult:
    """Measure models, and judge what they gave.

    A model that cannot be opened or run, whose runtime is not installed, or whose process dies, is
    a row with an `error`, and the others go on. Of a row that computed something else than its
    reference the figures are kept, and its ``parity`` says so.

    Args:
        job: what to do.
        progress: called with what is done next: once as each model is opened, once as each
            measurement begins, and once before the outputs are judged.
        detail: called with what the target tells meanwhile.

    Raises:
        UsageError: when a model cannot be measured at a size asked for, the target is unknown or
            tells no temperature where one was asked for, or the reference named cannot be opened.
        MissingBackendError: when what the target or the reference named needs is not installed.
        ModelError: when a model does not exist.
        LamaEdgeError: when the target cannot be reached, or another session measures there.
    """
    # Every path is looked up before the first model is opened: a slip of the pen should not cost
    # the time of the models before it.
    paths = [located(model) for model in job.models]
    providers = job.providers or (job.provider,) * len(paths)
    names = names_of(paths, [split_part(model)[1] for model in job.models], providers)
    cooling = None
    if job.max_temperature_c is not None:
        cooling = Cooling(job.max_temperature_c, job.cool_timeout_s)
    with open_target("local") as here:
        references = References(here, job.reference)
        options = options_for(job.options, job.models)
        with open_targets(job.target, options, with_python=job.with_python) as targets:
            titles = [
                title
                for model, name, provider in zip(job.models, names, providers, strict=True)
                for title in titles_of(
                    model, titled(name, split_part(model)[1]), provider, job.sizes
                )
            ]
            for provider in providers:
                targets[0].check_provider(provider)
            targets[0].announce(titles, job.rounds)
            for target in targets:
                target.claim()
            # Asked before anything else: the connection may be lost in between.
            environment = {**targets[0].environment(), **targets[-1].environment()}
            if cooling is not None:
                cooling.temperature(targets[0].sensors())
            threads = job.threads or targets[0].default_threads()
            rows: list[Row] = []
            for model, name, provider, target in _openings(job, names, providers, targets):
                progress(f"opening {name}")
                opening = Opening(provider, threads, timeout_s=job.timeout_s)
                subject = open_model(model, target, opening)
                rows += rows_of(subject, target, name, provider, job.sizes)
            if job.prove:
                check_named(references, [r.subject for r in rows if isinstance(r.subject, Opened)])
            _take(rows, job, cooling, progress, detail)
            shows = targets[0].shows_results
            judged = _judge(rows, references, progress) if job.prove and shows else []
            if shows:
                targets[0].show([row.result for row in rows if row.target is targets[0]])
        # Others may have the device meanwhile: a large reference takes its time here.
        if job.prove and not shows:
            judged = _judge(rows, references, progress)
    document = check_document(_document(job, environment, threads, rows), BENCH)
    pictures = tuple(
        Picture(index, row.case.image, row.case.hole, row.pixels)
        for index, row in enumerate(rows)
        if row.failure is None
    )
    failures = [row.failure for row in rows if row.failure is not None]
    return BenchResult(document, pictures, (*failures, *judged))


def _openings(
    job: Bench, names: Sequence[str], providers: Sequence[str], targets: Sequence[Target]
) -> Iterator[tuple[str | Path, str, str, Target]]:
    """Give what is opened where: a model, what documents call it, the provider, the target.

    Beside a target that has providers of its own, another one measures by its best, once.
    """
    own = targets[0].own_providers
    seen: set[tuple[str | Path, str, Target]] = set()
    for model, name, provider in zip(job.models, names, providers, strict=True):
        yield model, name, provider, targets[0]
        for target in targets[1:]:
            asked = "auto" if provider in own else provider
            if not own or (model, name, target) not in seen:
                seen.add((model, name, target))
                yield model, name, asked, target


def _take(
    rows: Sequence[Row],
    job: Bench,
    cooling: Cooling | None,
    progress: Progress,
    detail: Progress,
) -> None:
    """Measure all rows: rounds, then the passes that no round shall suffer from."""
    for row in _interleaved(rows, job, progress):
        with _failing(row):
            waited = None
            if cooling is not None:
                waited = cooling.wait(row.target.sensors, detail)
            model = row.opened
            measured, output = row.target.measure(
                model.handle, model.opening, *row.inputs, job.policy, step=detail
            )
            row.keep(output)
            row.take(measured, waited)
    for row in _sound(rows):
        progress(f"{row.title}, peak memory")
        with _failing(row):
            model = row.opened
            row.memory_bytes = row.target.memory(model.handle, model.opening, *row.inputs)
    for row in _sound(rows) if job.sustained_s is not None else ():
        time.sleep(job.cool_down_s)
        progress(f"{row.title}, sustained")
        with _failing(row):
            _sustain(row, job, cooling, detail)
    for row in _sound(rows):
        # Elsewhere it is the copy that was made at first that runs.
        if row.target.shares_machine:
            with _failing(row):
                _check_unchanged(row, job)


def _check_unchanged(row: Row, job: Bench) -> None:
    row.opened.check_unchanged()
    worker = None if job.options is None else job.options.worker
    hashed = row.target.program_sha256
    if worker is not None and hashed is not None and WorkerProgram(worker).sha256 != hashed:
        raise ModelError(
            f"the worker {str(worker)!r} was changed meanwhile: measure again, and leave it alone "
            "until that is done"
        )


def _sustain(row: Row, job: Bench, cooling: Cooling | None, detail: Progress) -> None:
    assert job.sustained_s is not None
    if cooling is not None:
        waited = cooling.wait(row.target.sensors, detail)
        if waited["timed_out"]:
            row.remarks.append(
                f"the sustained run began with {waited['sensor']} at {waited['temperature_c']:.1f} "
                f"°C: give {parameter('cool_timeout_s')} more"
            )
    model = row.opened
    timeout_s = None if job.timeout_s is None else job.timeout_s + job.sustained_s
    opening = replace(model.opening, timeout_s=timeout_s)
    sustained = row.target.sustain(model.handle, opening, *row.inputs, job.sustained_s, step=detail)
    check_times(sustained)
    row.sustained = sustained


def _sound(rows: Sequence[Row]) -> Iterator[Row]:
    return (row for row in rows if row.failure is None)


def _interleaved(rows: Sequence[Row], job: Bench, progress: Progress) -> Iterator[Row]:
    """Give every row in every round, A B A B, so that a machine that changes changes for all."""
    first = True
    for number in range(1, job.rounds + 1):
        for row in _sound(rows):
            if not first:
                time.sleep(job.cool_down_s)
            first = False
            progress(f"{row.title}, round {number}")
            yield row


@contextmanager
def _failing(row: Row) -> Iterator[None]:
    """Make what hinders a measurement the row's failure."""
    try:
        yield
    except NotFiniteError as error:
        row.failure = NotFiniteError(f"{error}; its times mean nothing")
    except LamaEdgeError as error:
        row.failure = error


def _judge(rows: Sequence[Row], references: References, progress: Progress) -> list[ParityError]:
    """Judge what the timing processes gave; returns what failed."""
    failed = []
    progress("judging what was timed")
    for row in _sound(rows):
        try:
            proof = references.prove(row.opened, row.case, row.outputs)
        except NotProvenError as error:
            row.remarks.append(f"not proven: {error}")
            continue
        row.parity = proof.record
        if not proof.verdict.passed:
            text = f"it computes something else than {proof.record['reference']}: {proof.verdict}"
            row.remarks.append(text)
            failed.append(ParityError(f"{row.title}: {text}"))
    return failed


def _document(
    job: Bench, environment: Mapping[str, Any], threads: int, rows: Sequence[Row]
) -> dict[str, Any]:
    waits = job.max_temperature_c is not None
    return {
        **heading(BENCH),
        "protocol": PROTOCOL,
        "measured_on": datetime.now(timezone.utc).date().isoformat(),
        "environment": dict(environment),
        "settings": {
            **asdict(job.policy),
            "rounds": job.rounds,
            "cool_down_s": job.cool_down_s,
            "max_temperature_c": job.max_temperature_c,
            "cool_timeout_s": job.cool_timeout_s if waits else None,
            "sustained_s": job.sustained_s,
        },
        "runs": [row.to_dict(threads) for row in rows],
    }
