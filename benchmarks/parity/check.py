"""The parity check of models against a reference, each run in a process of its own."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lama_edge.benchmarks.documents.arrays import save_arrays
from lama_edge.benchmarks.documents.pictures import CasePictures
from lama_edge.benchmarks.documents.store import PARITY, heading
from lama_edge.benchmarks.parity.reference import as_exported, choose_reference, reference_provider
from lama_edge.benchmarks.parity.rows import Side, judged_row, pictures_of
from lama_edge.benchmarks.targets.base import Opening, Target, TargetOptions
from lama_edge.benchmarks.targets.registry import open_target
from lama_edge.benchmarks.targets.subjects import (
    Opened,
    Refused,
    each_part,
    open_model,
    options_for,
    without_paths,
)
from lama_edge.errors import LamaEdgeError, ModelError, NotFiniteError, UsageError, parameter
from lama_edge.judging.cases import ParityCase, seeded_cases, shared_policy
from lama_edge.judging.judge import CaseOutput, case_output
from lama_edge.judging.tolerances import Tolerance
from lama_edge.pictures.folder_cases import check_folders, picture_cases
from lama_edge.process import WatchedFolder, run_isolated
from lama_edge.runtimes.base import runtimes_of
from lama_edge.runtimes.registry import tolerance_of
from lama_edge.spec import Progress, SizePolicy, untold

Row = dict[str, Any]

_FIRST_DIFFERENCE = "lama_edge.benchmarks.parity.first_difference:first_difference"
_FIRST_NOT_FINITE = "lama_edge.benchmarks.parity.first_not_finite:first_value_not_finite"
_HASH_DIGITS = 12

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ParityCheck:
    """What `check_parity` shall do.

    Attributes:
        models: exported models and checkpoints, by path or name; see `open_runner`.
        reference: the checkpoint, or other model, to compare with; None is the checkpoint that
            all models were exported from, if it is lama-tiny or a fetched one.
        reference_runtime: what runs it if it is a checkpoint, by its name; None is numpy, which
            exports are judged against.
        images: a folder of pictures to judge on beside the seeded ones.
        masks: their masks, see `picture_cases`; None looks for them in `images`.
        provider: of the models; the reference runs on the CPU.
        threads: processor threads of the models; None leaves them to the runtime.
        target: where the models run, see `open_target`; the reference runs here.
        options: what else is said of the target; None is nothing.
        look_inside: whether to search models that fail for the first differing value, or the
            first that is not finite; only models that run here are.
        timeout_s: how long each process may take, in seconds; None is for ever.
    """

    models: tuple[str, ...]
    reference: str | None = None
    reference_runtime: str | None = None
    images: Path | None = None
    masks: Path | None = None
    provider: str = "auto"
    threads: int | None = None
    target: str = "local"
    options: TargetOptions | None = None
    look_inside: bool = True
    timeout_s: float | None = None


@dataclass(frozen=True)
class ParityResult:
    """What `check_parity` found.

    Attributes:
        document: plain data as ``benchmarks/documents/schema/parity-2.schema.json`` describes it.
        pictures: what both sides made of each case.
    """

    document: dict[str, Any]
    pictures: tuple[CasePictures, ...]

    @property
    def passed(self) -> bool:
        """Whether every model passed."""
        return all(row["passed"] for row in self.document["models"])


@dataclass(frozen=True)
class _Batch:
    """The cases of one size policy, and what the reference made of them."""

    cases: list[ParityCase]
    reference: Side


def check_parity(job: ParityCheck, progress: Progress = untold) -> ParityResult:
    """Compare models with a reference on the same pictures, inside the holes.

    Each part of a model of several is judged, in a row of its own, unless one is named. A model
    that crashes, is refused or lacks its runtime is a row of the document with its error;
    the others go on.

    Args:
        job: what to do.
        progress: called with ``reference``, and then with each model's base name, as its turn
            begins.

    Raises:
        UsageError: when there is no model, or the reference has to be named.
        PictureError: when a picture or mask cannot be used.
        LamaEdgeError: when the reference fails, or, with none named, no model can be opened.
    """
    if not job.models:
        raise UsageError("there is no model to check: name at least one")
    if job.masks is not None and job.images is None:
        raise UsageError(
            f"masks without pictures: name the folder of pictures as {parameter('images')}"
        )
    if job.images is not None:
        check_folders(job.images, job.masks)
    progress("reference")
    opening = Opening(job.provider, job.threads, timeout_s=job.timeout_s)
    options = options_for(job.options, job.models)
    with open_target(job.target, options) as target, open_target("local") as here:
        target.check_provider(job.provider)
        subjects = [
            subject
            for model in job.models
            for subject in each_part(open_model(model, target, opening))
        ]
        check = _Check(job, _reference(job, subjects, here))
        for subject in subjects:
            progress(str(subject.record["name"]))
            check.add(subject)
        document = {
            **heading(PARITY),
            "target": target.name,
            "environment": target.environment(),
            "reference": _reference_record(check.reference),
            "models": check.rows,
        }
    return ParityResult(document, tuple(check.pictures))


@dataclass
class _Check:
    """A check under way: the rows so far, and the batches that rows share."""

    job: ParityCheck
    reference: Opened
    rows: list[Row] = field(default_factory=list)
    pictures: list[CasePictures] = field(default_factory=list)
    _batches: dict[SizePolicy, _Batch] = field(default_factory=dict)

    def add(self, subject: Opened | Refused) -> None:
        """Judge one model and add its row."""
        row: Row = {
            "model": dict(subject.record),
            "runtime": subject.found.title if isinstance(subject, Opened) else None,
            "passed": False,
            "tolerance": None,
            "tolerance_needed": None,
            "least_psnr_db": None,
            "error": None,
            "worst": None,
            "cases": [],
            "first_difference": None,
        }
        self.rows.append(row)
        if isinstance(subject, Refused):
            row["error"] = without_paths(subject.error, subject.model)
            return
        try:
            policy = shared_policy(subject.manifest.size, self.reference.manifest.size)
            tolerance = tolerance_of(subject.found.runtime, subject.manifest.precision)
        except ModelError as error:
            row["error"] = str(error)
            return
        row.update(tolerance=tolerance.max_abs_diff, least_psnr_db=tolerance.psnr_db)
        batch = self._batch(policy)
        outputs: list[CaseOutput] = []
        try:
            for case, output in zip(batch.cases, subject.run(batch.cases), strict=True):
                outputs.append(case_output(subject.manifest.io, case, output))
        except NotFiniteError as error:
            row["error"], suspect = str(error), len(outputs)
        except LamaEdgeError as error:
            row["error"] = without_paths(error, subject.model)
            return
        else:
            suspect = self._judge(row, subject, batch, outputs, tolerance)
        if not row["passed"]:
            row["first_difference"] = self._look_inside(subject, batch.cases[suspect])
            row["error"] = _joined(row["error"], self._other_source(subject))

    def _judge(
        self,
        row: Row,
        subject: Opened,
        batch: _Batch,
        outputs: list[CaseOutput],
        tolerance: Tolerance,
    ) -> int:
        """Fill in a row's figures; returns the case with the largest difference."""
        side = _side(subject, outputs)
        changed = [output.known_changed for output in outputs]
        row.update(judged_row(batch.cases, batch.reference, side, changed, tolerance))
        self.pictures.extend(pictures_of(len(self.rows) - 1, batch.cases, batch.reference, side))
        figures = [case["max_abs_diff"] for case in row["cases"]]
        return figures.index(max(figures))

    def _batch(self, policy: SizePolicy) -> _Batch:
        """Return the cases of a size policy; the reference runs on them the first time.

        Raises:
            LamaEdgeError: when the reference fails.
        """
        if policy not in self._batches:
            cases = seeded_cases(policy)
            if self.job.images is not None:
                cases += picture_cases(self.job.images, self.job.masks, policy)
            reference = self.reference
            try:
                outputs = [
                    case_output(reference.manifest.io, case, output)
                    for case, output in zip(cases, reference.run(cases), strict=True)
                ]
            except LamaEdgeError as error:
                raise _of_the_reference(error, reference.model) from error
            self._batches[policy] = _Batch(cases, _side(reference, outputs))
        return self._batches[policy]

    def _look_inside(self, subject: Opened, case: ParityCase) -> dict[str, Any] | None:
        """Search for the first differing value, or one not finite; what hinders it is logged."""
        shows_values = any(one.is_emulator for one in runtimes_of(subject.model))
        if not (self.job.look_inside and subject.target.shares_machine and shows_values):
            return None
        manifest = subject.manifest
        same_values = manifest.format["name"] == "onnx" and manifest.precision == "fp32"
        with WatchedFolder() as watched:
            picture = watched.path / "picture.npz"
            save_arrays(picture, [case.image, case.hole])
            payload = {
                "model": subject.model,
                "reference": self.reference.model,
                "ignore": self.reference.opening.ignore,
                "picture": str(picture),
            }
            task = _FIRST_DIFFERENCE if same_values else _FIRST_NOT_FINITE
            try:
                answer = run_isolated(task, payload, timeout_s=self.job.timeout_s)
            except LamaEdgeError as error:
                answer = {"first_difference": None, "reason": str(error)}
        if answer["first_difference"] is None:
            name = subject.record["name"]
            _log.warning("%s: no first differing tensor: %s", name, answer["reason"])
        found: dict[str, Any] | None = answer["first_difference"]
        return found

    def _other_source(self, subject: Opened) -> str | None:
        ours, theirs = (side.record["source_sha256"] for side in (subject, self.reference))
        if ours == theirs:
            entry, other = (side.manifest.source.entry for side in (subject, self.reference))
            if entry == other:
                return None
            return f"the model is the checkpoint's generator {entry!r}, the reference {other!r}"
        return (
            f"the model was exported from the checkpoint {ours[:_HASH_DIGITS]}…, the reference "
            f"is {theirs[:_HASH_DIGITS]}…: is it the right one?"
        )


def _side(subject: Opened, outputs: list[CaseOutput]) -> Side:
    rounded = subject.manifest.io.output.dtype == "uint8"
    return Side([output.levels for output in outputs], rounded)


def _reference(job: ParityCheck, subjects: list[Opened | Refused], here: Target) -> Opened:
    """Open the reference here: the one that was named, or the models' own checkpoint."""
    name = job.reference
    if name is None:
        opened = [subject for subject in subjects if isinstance(subject, Opened)]
        if not opened and isinstance(subjects[0], Refused):
            raise subjects[0].error
        name = choose_reference({subject.manifest.source.sha256 for subject in opened})
    sources = [subject.manifest.source for subject in subjects if isinstance(subject, Opened)]
    name, ignore = as_exported(name, sources)
    # Its raw fill and a composited one are the same inside the holes, and nothing else is judged.
    provider = reference_provider(name, job.reference_runtime)
    opening = Opening(provider, timeout_s=job.timeout_s, ignore=ignore)
    reference = open_model(name, here, opening)
    if isinstance(reference, Refused):
        raise _of_the_reference(reference.error, name) from reference.error
    return reference


def _reference_record(reference: Opened) -> dict[str, Any]:
    """Return what the document says of the reference; a checkpoint's hash is its weights' file's.

    That is the one that models exported from it carry.
    """
    record = reference.record
    hashed = "source_sha256" if record["format"] == "checkpoint" else "sha256"
    return {
        "name": record["name"],
        "format": record["format"],
        "sha256": record[hashed],
        "runtime": reference.found.title,
    }


def _of_the_reference(error: LamaEdgeError, name: str) -> LamaEdgeError:
    return type(error)(f"the reference {name} failed: {error}")


def _joined(*parts: str | None) -> str | None:
    return "; ".join(part for part in parts if part) or None
