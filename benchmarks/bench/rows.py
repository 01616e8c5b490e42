"""The rows of a benchmark: which there are, what each gathers, and what documents say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.benchmarks.bench.measured_picture import measured_picture
from lama_edge.benchmarks.bench.summary import summarise, warnings_about
from lama_edge.benchmarks.documents.model_files import quality_of, titled
from lama_edge.benchmarks.targets.base import Target, row_title
from lama_edge.benchmarks.targets.subjects import Opened, Refused, without_paths
from lama_edge.benchmarks.targets.tasks.environment import anonymous
from lama_edge.errors import LamaEdgeError, ModelError, UsageError
from lama_edge.files import split_part
from lama_edge.forms import to_model
from lama_edge.judging.cases import ParityCase
from lama_edge.judging.judge import CaseOutput, case_output
from lama_edge.manifest import Manifest
from lama_edge.runtimes.base import Array, stored_manifest
from lama_edge.spec import Size

DEFAULT_SIZE = Size(512, 512)


@dataclass
class Row:
    """One model at one size, by one program, while it is measured.

    Attributes:
        subject: the model.
        target: where it runs.
        name: what the document calls it.
        provider: in use, or asked for where the model could not be opened.
        announced: how the target was told of it, see `Target.announce`.
        size: of the picture; None where the model could not be opened.
        rounds: the document's.
        outputs: what it gave, each different one once: rounds mostly give the same.
        memory_bytes: the document's.
        sustained: the document's.
        parity: the document's.
        quality: the document's.
        remarks: warnings that no figure of a round tells.
        failure: why it has no figures.
    """

    subject: Opened | Refused
    target: Target
    name: str
    provider: str
    announced: str
    size: Size | None = None
    rounds: list[dict[str, Any]] = field(default_factory=list)
    outputs: list[CaseOutput] = field(default_factory=list)
    memory_bytes: int | None = None
    sustained: dict[str, Any] | None = None
    parity: dict[str, Any] | None = None
    quality: dict[str, Any] | None = None
    remarks: list[str] = field(default_factory=list)
    failure: LamaEdgeError | None = None

    @property
    def title(self) -> str:
        """The row in a word or two, for progress."""
        unasked = row_title(self.name, "auto", self.size)
        by = "" if self.announced == unasked else f" on {self.provider}"
        by += "" if self.target.program == "python" else f" in {self.target.program}"
        return f"{self.name} at {self.size}{by}"

    @property
    def result(self) -> dict[str, Any]:
        """What people are shown of it, see `Target.show`."""
        judged = None
        if self.failure is None:
            passed = None if self.parity is None else self.parity["passed"]
            judged = {None: "not proven", True: "passed", False: "failed"}[passed]
        return {
            "row": self.announced,
            "parity": judged,
            "error": None
            if self.failure is None
            else without_paths(self.failure, self.subject.model),
        }

    @property
    def opened(self) -> Opened:
        """The model of a row that did not fail."""
        assert isinstance(self.subject, Opened)
        return self.subject

    @cached_property
    def case(self) -> ParityCase:
        """The picture that a row is timed on, of one that did not fail."""
        assert self.size is not None
        return ParityCase(*measured_picture(self.size))

    @property
    def inputs(self) -> tuple[Array, Array]:
        """The same in the model's own form."""
        return to_model(self.opened.manifest.io, self.case.image, self.case.hole)

    def keep(self, output: Array) -> None:
        """Look at what a round gave, and keep it where no other gave the same.

        Raises:
            ModelError: when it is no output of the model's.
            NotFiniteError: when it holds NaN or infinite values.
        """
        found = case_output(self.opened.manifest.io, self.case, output)
        if not any(np.array_equal(found.levels, other.levels) for other in self.outputs):
            self.outputs.append(found)

    def take(self, measured: dict[str, Any], waited: dict[str, Any] | None) -> None:
        """Keep the times of a round.

        Raises:
            ModelError: when a run took none.
        """
        check_times(measured)
        self.rounds.append({**measured, "waited": waited})

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """What the first round gave, as a picture: uint8 [H,W,3]."""
        return np.clip(np.rint(self.outputs[0].levels), 0, 255).astype(np.uint8)

    def to_dict(self, threads: int) -> dict[str, Any]:
        """Return the document's run."""
        found = None if isinstance(self.subject, Refused) else self.subject.found
        first = None
        if found is not None and found.load_ms is not None and self.rounds:
            first = {"load_ms": found.load_ms, "run_ms": self.rounds[0]["first_run_ms"]}
        statistics = None
        if self.failure is None:
            statistics = summarise(self.rounds, first=first, sustained=self.sustained)
        warnings = (
            []
            if statistics is None
            else warnings_about(self.rounds, statistics, sustained=self.sustained)
        )
        return {
            "model": {**self.subject.record, "name": self.name},
            "target": self.target.name,
            "program": {
                "name": self.target.program,
                "version": self.target.program_version,
                "sha256": self.target.program_sha256,
            },
            "runtime": None if found is None else f"{found.runtime} {found.version}",
            "provider": self.provider,
            "threads": threads,
            "size": None if self.size is None else str(self.size),
            "batch": 1 if found is None else found.manifest.io.pictures,
            "first": first,
            "rounds": self.rounds,
            "sustained": self.sustained,
            "memory_bytes": self.memory_bytes,
            "placement": None if found is None else found.placement,
            "parity": self.parity,
            "statistics": statistics,
            "quality": self.quality,
            "warnings": [*self.remarks, *warnings],
            "error": None
            if self.failure is None
            else without_paths(self.failure, self.subject.model),
        }


def check_times(found: Mapping[str, Any]) -> None:
    """Make sure that every run of a round, or of a sustained run, took some time.

    Raises:
        ModelError: when the target's clock stood still.
    """
    if min(found["samples_ms"]) <= 0:
        raise ModelError(
            "a run took no time by the target's clock, which means nothing: measure again"
        )


def rows_of(
    subject: Opened | Refused, target: Target, name: str, provider: str, asked: Sequence[Size]
) -> list[Row]:
    """Return a row for each size that a model will be measured at.

    Args:
        subject: the model.
        target: where it runs.
        name: what the document calls it, without its part.
        provider: that was asked for.
        asked: sizes for models that take any.

    Raises:
        UsageError: when the model does not take one of the sizes.
    """
    name = titled(name, split_part(subject.model)[1])
    if isinstance(subject, Refused):
        # Of a file that could not be opened there its own size may be known all the same.
        (announced, *_) = titles_of(subject.model, name, provider, asked)
        return [Row(subject, target, name, provider, announced, failure=subject.error)]
    wanted, provider = provider, subject.found.provider
    subject = replace(subject, opening=replace(subject.opening, provider=provider))
    remarks = [anonymous(note) for note in subject.found.notes]
    # While the file is there: what becomes of it later shall not end what is measured.
    quality = quality_of(subject.model, subject.manifest)
    return [
        Row(
            subject,
            target,
            name,
            provider,
            row_title(name, wanted, size),
            size,
            quality=quality,
            remarks=list(remarks),
        )
        for size in sizes_of(asked, subject.manifest, name)
    ]


def sizes_of(asked: Sequence[Size], manifest: Manifest, name: str) -> tuple[Size, ...]:
    """Return the sizes that a model is measured at: its own, those asked for, or 512x512.

    Raises:
        UsageError: when it does not take one of them.
    """
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


def titles_of(model: str | Path, name: str, provider: str, asked: Sequence[Size]) -> list[str]:
    """Spell the rows that a model will have, as far as its file tells before it is opened.

    Args:
        model: as the user named it.
        name: what the document calls it.
        provider: that was asked for.
        asked: sizes for models that take any.

    Raises:
        UsageError: when the model does not take one of the sizes.
    """
    path, _ = split_part(model)
    manifest = None
    with suppress(ModelError):
        manifest = stored_manifest(path)
    sizes = [None] if manifest is None else sizes_of(asked, manifest, name)
    return [row_title(name, provider, size) for size in sizes]


def names_of(
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
