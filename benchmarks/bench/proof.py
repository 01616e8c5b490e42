"""Proof that what was timed computed the right thing: the timing processes' outputs, judged here.

The reference runs on this machine, after everything was measured, on the picture that the models
were timed on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.benchmarks.parity.reference import as_exported, choose_reference, reference_provider
from lama_edge.benchmarks.parity.rows import short
from lama_edge.benchmarks.targets.base import Opening, Target
from lama_edge.benchmarks.targets.subjects import Opened, Refused, open_model, without_paths
from lama_edge.benchmarks.targets.tasks.environment import anonymous
from lama_edge.errors import LamaEdgeError, MissingBackendError, UsageError, one_line, parameter
from lama_edge.judging.cases import ParityCase
from lama_edge.judging.judge import CaseOutput, case_output
from lama_edge.judging.metrics import differences, worst
from lama_edge.judging.verdict import Verdict
from lama_edge.runtimes.registry import tolerance_of
from lama_edge.spec import Size

Levels = NDArray[np.float32]


class NotProvenError(LamaEdgeError):
    """What hinders the proof of a row."""


@dataclass(frozen=True)
class Proof:
    """How far a row's outputs are from the reference.

    Attributes:
        record: the document's ``parity``.
        verdict: its verdict, which can tell why.
    """

    record: dict[str, Any]
    verdict: Verdict


@dataclass
class References:
    """The references of a benchmark, each opened and run once.

    Attributes:
        here: this machine.
        named: the checkpoint or other model that the user named; None is the one that a model was
            exported from, where it is lama-tiny or a fetched one.
    """

    here: Target
    named: str | None = None
    _opened: dict[tuple[str, tuple[str, ...]], Opened | NotProvenError] = field(
        default_factory=dict
    )
    _outputs: dict[tuple[Any, Size], Levels] = field(default_factory=dict)

    def of(self, subject: Opened) -> Opened:
        """Open a model's reference.

        Raises:
            NotProvenError: when there is none, or it cannot be opened.
        """
        source = subject.manifest.source
        try:
            name, ignore = as_exported(self.named or choose_reference({source.sha256}), [source])
            provider = reference_provider(name, None)
        except LamaEdgeError as error:
            raise NotProvenError(anonymous(one_line(error))) from error
        key = name, ignore
        if key not in self._opened:
            opened = open_model(name, self.here, Opening(provider, ignore=ignore))
            if isinstance(opened, Refused):
                self._opened[key] = _failed(name, opened.error)
            else:
                self._opened[key] = opened
        found = self._opened[key]
        if isinstance(found, NotProvenError):
            raise found
        return found

    def prove(self, subject: Opened, case: ParityCase, outputs: Sequence[CaseOutput]) -> Proof:
        """Compare what a model gave, in one or more rounds, with what its reference gives.

        Args:
            subject: the model.
            case: the picture that it was timed on.
            outputs: what it made of it.

        Raises:
            NotProvenError: when there is no reference, it does not run, or no tolerance is known.
        """
        reference = self.of(subject)
        if _is_itself(subject, reference):
            raise NotProvenError("the reference is this very row: name the checkpoint instead")
        try:
            tolerance = tolerance_of(subject.found.runtime, subject.manifest.precision)
        except LamaEdgeError as error:
            raise NotProvenError(str(error)) from error
        wanted = self._levels(reference, case)[case.hole]
        rounded = sum(one.manifest.io.output.dtype == "uint8" for one in (subject, reference))
        figures = worst(
            [
                differences(wanted, output.levels[case.hole], rounded_sides=rounded)
                for output in outputs
            ]
        )
        verdict = Verdict(
            short(figures.max_abs_diff),
            tolerance.max_abs_diff,
            figures.psnr_db,
            tolerance.psnr_db,
            max(output.known_changed or 0.0 for output in outputs),
        )
        record = {
            "reference": f"{reference.record['name']} in {reference.found.title}",
            "max_abs_diff": verdict.max_abs_diff,
            "tolerance": verdict.tolerance,
            "psnr_db": verdict.psnr_db,
            "least_psnr_db": verdict.least_psnr_db,
            "passed": verdict.passed,
        }
        return Proof(record, verdict)

    def _levels(self, reference: Opened, case: ParityCase) -> Levels:
        key = (reference.model, reference.opening), case.size
        if key not in self._outputs:
            problem = reference.manifest.problem_with(case.size.height, case.size.width)
            if problem is not None:
                raise NotProvenError(
                    f"the reference {reference.record['name']} does not take {case.size}: {problem}"
                )
            try:
                (output,) = reference.run([case])
                self._outputs[key] = case_output(reference.manifest.io, case, output).levels
            except LamaEdgeError as error:
                raise _failed(reference.model, error) from error
        return self._outputs[key]


def _is_itself(subject: Opened, reference: Opened) -> bool:
    """Tell a comparison of a file with itself, by the same runtime of this machine."""
    return (
        subject.target.shares_machine
        and subject.record["sha256"] == reference.record["sha256"]
        and subject.found.title == reference.found.title
    )


def _failed(name: str, error: LamaEdgeError) -> NotProvenError:
    failed = NotProvenError(f"the reference failed: {without_paths(error, name)}")
    failed.__cause__ = error
    return failed


def check_named(references: References, subjects: Sequence[Opened]) -> None:
    """Open a reference that was named, before any long work.

    Raises:
        MissingBackendError: when what opens it is not installed here.
        UsageError: when it cannot be opened.
    """
    if references.named is None:
        return
    for subject in subjects:
        try:
            references.of(subject)
        except NotProvenError as error:
            missing = isinstance(error.__cause__, MissingBackendError)
            kind = MissingBackendError if missing else UsageError
            raise kind(f"{parameter('reference', references.named)}: {error}") from error
