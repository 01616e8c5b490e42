"""What `lama-edge tradeoff` does: every precision's size, speed and closeness to fp32."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from lama_edge.benchmarks.bench.rows import DEFAULT_SIZE
from lama_edge.benchmarks.bench.run import Bench, run_bench
from lama_edge.benchmarks.documents.model_files import base_name, manifest_facts, model_size_bytes
from lama_edge.benchmarks.documents.pictures import ShownPicture
from lama_edge.benchmarks.documents.store import TRADEOFF, check_document, heading
from lama_edge.benchmarks.documents.tradeoff_verdict import choose_pictures
from lama_edge.benchmarks.parity.rows import Side
from lama_edge.benchmarks.tradeoff.cases import WeighedCase, holdout_cases, own_cases
from lama_edge.benchmarks.tradeoff.exports import Exports, Judged
from lama_edge.benchmarks.tradeoff.figures import closeness, empty_row, latency, shown_picture
from lama_edge.errors import LamaEdgeError, UsageError, one_line, parameter
from lama_edge.exporters.formats.record import Format, format_named
from lama_edge.manifest import Manifest
from lama_edge.models.checkpoint import EMBEDDED_NAME
from lama_edge.pictures.folder_cases import check_folders
from lama_edge.runtimes.registry import tolerance_of
from lama_edge.spec import IoForm, Progress, Size, untold

Expect = Callable[[int], None]
Row = dict[str, Any]

_REFERENCE = "reference"
# What bench's settings have beyond these is not asked for here.
_SETTINGS = (
    "min_warmup_ms", "min_warmup_runs", "min_seconds", "min_runs", "rounds", "cool_down_s",
)  # fmt: skip


@dataclass(frozen=True)
class Tradeoff:
    """What `weigh_precisions` shall do.

    Attributes:
        checkpoint: a checkpoint's path or name; None is the embedded lama-tiny.
        size: the one size of all exports and pictures.
        format: of the exports.
        precisions: which to weigh, of the format's; empty is all. fp32, which all are compared
            with, is always among them.
        calibrate: a folder of pictures to measure ranges on; None draws some.
        images: a folder of pictures to judge on; None takes the holdout's.
        masks: their masks, see `picture_cases`; None looks for them in `images`.
        io: form of the inputs and the output.
        speed: whether to measure latency.
        threads: processor threads of a measurement; None is one for each physical core.
        rounds: how often each precision is measured, every time in a fresh process.
        min_runs: samples a round, at least.
        min_seconds: length of the sampling a round, at least, in seconds.
        timeout_s: how long each process may take, in seconds; None is for ever.
    """

    checkpoint: str | None = None
    size: Size = DEFAULT_SIZE
    format: str = "onnx"
    precisions: tuple[str, ...] = ()
    calibrate: Path | None = None
    images: Path | None = None
    masks: Path | None = None
    io: IoForm = "float"
    speed: bool = True
    threads: int | None = None
    rounds: int = 3
    min_runs: int = 10
    min_seconds: float = 3.0
    timeout_s: float | None = None

    @property
    def form(self) -> Format:
        """The format's record."""
        return format_named(self.format)

    @property
    def weighed(self) -> tuple[str, ...]:
        """The precisions in the format's order, fp32 always."""
        chosen = self.precisions or self.form.precisions
        return tuple(p for p in self.form.precisions if p == "fp32" or p in chosen)

    @property
    def calibration(self) -> str:
        """Which pictures ranges are measured on: ``drawn``, ``own`` or, also judged, ``judged``."""
        if self.calibrate is None:
            return "drawn"
        same = self.images is not None and self.images.resolve() == self.calibrate.resolve()
        return "judged" if same else "own"


@dataclass(frozen=True)
class TradeoffResult:
    """What `weigh_precisions` found.

    Attributes:
        document: plain data as ``benchmarks/documents/schema/tradeoff-2.schema.json`` describes it.
        pictures: what every precision made of a few of the pictures.
    """

    document: dict[str, Any]
    pictures: tuple[ShownPicture, ...]

    @property
    def passed(self) -> bool:
        """Whether every precision that could be judged is within its tolerance."""
        judged = (row["closeness"] for row in self.document["precisions"])
        return all(found["passed"] for found in judged if found is not None)

    @property
    def failures(self) -> dict[str, str]:
        """What went wrong with the precisions that could not be exported or run."""
        rows = self.document["precisions"]
        return {row["precision"]: row["error"] for row in rows if row["error"] is not None}


def weigh_precisions(
    job: Tradeoff,
    progress: Progress = untold,
    expect: Expect = lambda total: None,
) -> TradeoffResult:
    """Export a checkpoint at every precision, judge each against fp32, and time them.

    A precision that cannot be exported or run is a row with its error; the others go on. Exports,
    runs and measurements each have a process of their own.

    Args:
        job: what to do.
        progress: called with the name of each step as it begins.
        expect: called with the number of steps.

    Raises:
        UsageError: when options do not go together, or a folder holds no picture.
        PictureError: when a picture or mask cannot be used.
        LamaEdgeError: when fp32 cannot be exported or run: there is nothing to compare with.
    """
    _check(job)
    sides = len(job.weighed) + (job.io != "float")
    timed = len(job.weighed) * (2 + job.rounds) if job.speed else 0
    expect(2 * sides + 1 + timed)
    with tempfile.TemporaryDirectory(prefix="lama-edge-") as folder:
        exports = Exports(
            Path(folder), job.form, job.checkpoint, job.size, job.calibrate, job.timeout_s
        )
        weighing = _Weighing(job, exports, progress)
        weighing.judge()
        if job.speed:
            weighing.measure()
        document = check_document(weighing.document(), TRADEOFF)
        return TradeoffResult(document, tuple(weighing.shown(document)))


def _check(job: Tradeoff) -> None:
    form = job.form
    for name, given, known in (
        *(("precision", precision, form.precisions) for precision in job.precisions),
        ("io", job.io, form.io_forms),
    ):
        if given not in known:
            raise UsageError(
                f"{parameter(name, given)} is none of {form.title}'s; choose one of: "
                f"{', '.join(known)}"
            )
    if job.masks is not None and job.images is None:
        raise UsageError(
            f"masks without pictures: name the folder of pictures as {parameter('images')}"
        )
    if job.images is not None:
        check_folders(job.images, job.masks)
    if job.calibrate is not None:
        check_folders(job.calibrate, None)
    if job.speed:
        _bench(job, (Path("fp32"),))  # refuses rounds and threads before any long work


def _bench(job: Tradeoff, models: tuple[Path, ...]) -> Bench:
    return Bench(
        models=models,
        threads=job.threads,
        provider=job.form.timing_provider,
        rounds=job.rounds,
        min_runs=job.min_runs,
        min_seconds=job.min_seconds,
        prove=False,  # each export was judged already, on more pictures
        timeout_s=job.timeout_s,
    )


@dataclass
class _Weighing:
    """A weighing under way: the exports, and the rows so far."""

    job: Tradeoff
    exports: Exports
    progress: Progress
    cases: list[WeighedCase] = field(default_factory=list)
    rows: dict[str, Row] = field(default_factory=dict)
    timing: dict[str, Any] | None = None
    checkpoint: dict[str, Any] = field(default_factory=dict)

    def judge(self) -> None:
        """Export fp32 and every other precision, and compare them inside the holes."""
        job = self.job
        manifest = self._export(self._reference, "fp32", "float")
        facts = manifest_facts(manifest)
        keys = ("architecture", "parameters", "source_sha256")
        name = base_name(job.checkpoint or EMBEDDED_NAME)
        self.checkpoint = {"name": name, **{key: facts[key] for key in keys}}
        self.progress("pictures")
        if job.images is None:
            self.cases = holdout_cases(job.size)
        else:
            self.cases = own_cases(job.images, job.masks, job.size)
        self.progress(f"judge {self._reference}")
        (judge, *_) = self.exports.judges(self._reference)
        judged = self.exports.run(self._reference, judge, [one.case for one in self.cases])
        reference = self.exports.side(self._reference)
        for precision in job.weighed:
            row = self.rows[precision] = empty_row(precision)
            try:
                if precision == self._reference:
                    row.update(self._figures(precision, reference, judged, manifest))
                    continue
                own = self._export(precision, precision, job.io)
                self.progress(f"judge {precision}")
                row.update(self._judged(precision, reference, own))
            except LamaEdgeError as error:
                if precision == "fp32":
                    raise
                row["error"] = self._without_paths(error)

    def _judged(self, precision: str, reference: Side, manifest: Manifest) -> Row:
        """Judge an export as the flow does: all must pass, and the first one's figures count."""
        found: Row = {}
        for judge in reversed(self.exports.judges(precision)):
            judged = self.exports.run(precision, judge, [one.case for one in self.cases])
            found = self._figures(precision, reference, judged, manifest)
            if not found["closeness"]["passed"]:
                break
        return found

    def _figures(self, precision: str, reference: Side, judged: Judged, manifest: Manifest) -> Row:
        """Return the figures of a precision that was exported and run."""
        size_bytes = model_size_bytes(self.exports.path(precision))
        found = closeness(
            [one.case for one in self.cases],
            reference,
            self.exports.side(precision),
            tolerance_of(judged.runtime, precision),
            known_changed=judged.known_changed,
        )
        return {
            "size_bytes": size_bytes,
            "size_share": size_bytes / (self.rows["fp32"]["size_bytes"] or size_bytes),
            "numerics": None if manifest.numerics is None else dict(manifest.numerics),
            "judged_by": judged.runtime,
            "closeness": found,
        }

    def measure(self) -> None:
        """Time all files that could be judged, in interleaved rounds."""
        made = [p for p, row in self.rows.items() if row["closeness"] is not None]
        job = _bench(self.job, tuple(self.exports.path(p) for p in made))
        found = run_bench(job, self.progress).document
        runs = dict(zip(made, found["runs"], strict=True))
        base = runs["fp32"] if runs["fp32"]["statistics"] is not None else None
        for precision, run in runs.items():
            if run["statistics"] is None:
                self.rows[precision]["error"] = f"it could not be timed: {run['error']}"
            else:
                note = self.job.form.timing_notes.get(precision)
                self.rows[precision]["latency"] = latency(run, base, note)
        self.timing = {
            **{key: found["runs"][0][key] for key in ("runtime", "provider", "threads")},
            **{key: found["settings"][key] for key in _SETTINGS},
        }

    def document(self) -> dict[str, Any]:
        """Return what was found; see the schema."""
        from lama_edge.benchmarks.targets.tasks.environment import environment

        options = self.job.form.timing_options
        return {
            **heading(TRADEOFF),
            "measured_on": datetime.now(timezone.utc).date().isoformat(),
            "environment": environment(),
            "checkpoint": self.checkpoint,
            "format": self.job.format,
            "size": str(self.job.size),
            "io": self.job.io,
            **({"for": options["for"]} if "for" in options else {}),
            "calibration": self.job.calibration,
            "pictures": [one.to_dict() for one in self.cases],
            "timing": self.timing,
            "precisions": list(self.rows.values()),
        }

    def shown(self, document: Mapping[str, Any]) -> list[ShownPicture]:
        """Return what every judged precision made of the pictures that a page shows."""
        judged = [p for p, row in self.rows.items() if row["closeness"] is not None]
        sides = {str(precision): self.exports.side(precision) for precision in judged}
        reference = self.exports.side(self._reference)
        return [
            shown_picture(number, role, self.cases[number].case, reference, sides)
            for number, role in choose_pictures(document).items()
        ]

    @property
    def _reference(self) -> str:
        """The name of the export that all are compared with: fp32 in the float form."""
        return "fp32" if self.job.io == "float" else _REFERENCE

    def _export(self, name: str, precision: str, io: IoForm) -> Manifest:
        self.progress(f"export {name}")
        return self.exports.add(name, precision, io)

    def _without_paths(self, error: LamaEdgeError) -> str:
        """Spell an error for the document, which names no folder of anybody's."""
        from lama_edge.benchmarks.targets.tasks.environment import anonymous

        text = one_line(error)
        for path in (self.job.checkpoint, self.job.calibrate):
            if path is not None:
                text = text.replace(str(path), base_name(str(path)))
        return anonymous(text)
