"""The files of a trade-off: one checkpoint's exports, and what each made of the pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lama_edge.benchmarks.documents.arrays import load_arrays, save_arrays
from lama_edge.benchmarks.parity.rows import Side
from lama_edge.benchmarks.targets.base import Opening
from lama_edge.benchmarks.targets.registry import open_target
from lama_edge.benchmarks.targets.subjects import Refused, open_model
from lama_edge.exporters.formats.record import Export, Format, Judge, format_named
from lama_edge.judging.cases import ParityCase
from lama_edge.judging.judge import case_output
from lama_edge.manifest import Manifest
from lama_edge.process import run_isolated
from lama_edge.spec import NEED_RANGES, IoForm, Size

_EXPORT = "lama_edge.benchmarks.tradeoff.exports:export"


@dataclass(frozen=True)
class Judged:
    """How an export was run on pictures.

    Attributes:
        runtime: the name of what ran it.
        known_changed: for each picture the share of known values that it changed; see
            `case_output`.
    """

    runtime: str
    known_changed: list[float | None]


@dataclass(frozen=True)
class Exports:
    """A folder of one checkpoint's exports at one size; each is known by a name.

    Attributes:
        folder: an empty folder, to begin with.
        form: the exports' format.
        checkpoint: a path or name; None is the embedded lama-tiny.
        size: of every export.
        calibrate: a folder of pictures to measure ranges on; None draws some.
        timeout_s: how long each process may take, in seconds; None is for ever.
    """

    folder: Path
    form: Format
    checkpoint: str | None
    size: Size
    calibrate: Path | None = None
    timeout_s: float | None = None
    _manifests: dict[str, Manifest] = field(default_factory=dict)
    _judges: dict[str, list[Judge]] = field(default_factory=dict)

    def path(self, name: str) -> Path:
        """Return where an export lies."""
        return self.folder / f"{name}{self.form.suffix}"

    def add(self, name: str, precision: str, io: IoForm) -> Manifest:
        """Export the checkpoint in a process of its own, without judging it.

        Raises:
            LamaEdgeError: when that is not possible.
        """
        scratch = self.folder / f"{name}-scratch"
        scratch.mkdir()
        payload = {
            "format": self.form.name,
            "checkpoint": self.checkpoint,
            "output": str(self.path(name)),
            "scratch": str(scratch),
            "precision": precision,
            "size": [self.size.height, self.size.width],
            "io": io,
            "calibrate": None if self.calibrate is None else str(self.calibrate),
        }
        answer = run_isolated(_EXPORT, payload, timeout_s=self.timeout_s)
        manifest = self._manifests[name] = Manifest.from_json(answer["manifest"])
        self._judges[name] = [Judge(**one) for one in answer["judges"]]
        return manifest

    def judges(self, name: str) -> list[Judge]:
        """Return what to open to judge an export, after `add`; see `Format.judges`."""
        return self._judges[name]

    def run(self, name: str, judge: Judge, cases: Sequence[ParityCase]) -> Judged:
        """Run an export on pictures in a process of its own; `side` has its outputs then.

        Args:
            name: the export's, after `add`.
            judge: one of its judges.
            cases: the pictures.

        Raises:
            LamaEdgeError: when it cannot be run, or returns values that are not finite.
        """
        with open_target("local") as target:
            opening = Opening(judge.provider, timeout_s=self.timeout_s)
            subject = open_model(judge.model, target, opening)
            if isinstance(subject, Refused):
                raise subject.error
            # What stands for an artifact may have its channels elsewhere.
            io, outputs = subject.manifest.io, subject.run(cases)
        seen = [case_output(io, case, output) for case, output in zip(cases, outputs, strict=True)]
        save_arrays(self._outputs(name), [one.levels for one in seen])
        return Judged(subject.found.runtime, [one.known_changed for one in seen])

    def side(self, name: str) -> Side:
        """Return what an export made of the pictures, after `run`."""
        rounded = self._manifests[name].io.output.dtype == "uint8"
        return Side(list(load_arrays(self._outputs(name))), rounded)

    def _outputs(self, name: str) -> Path:
        return self.folder / f"{name}.npz"


def export(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Export a checkpoint at one size, without judging it; see `run_isolated`.

    Args:
        payload: ``format``; ``checkpoint``, a path, a name or None; ``output``, the file to write;
            ``scratch``, a folder for what is judged in its place; ``precision``; ``size``, height
            and width; ``io``; and ``calibrate``, a folder for the precisions that are made from
            measured ranges, or None.

    Returns:
        The ``manifest`` as JSON text, and the ``judges``, `Judge` as plain data.
    """
    from lama_edge.pipeline import export_model

    precision, calibrate = payload["precision"], payload["calibrate"]
    if format_named(payload["format"]).arithmetic(precision) not in NEED_RANGES:
        calibrate = None
    job = Export(
        payload["format"],
        payload["checkpoint"],
        Path(payload["output"]),
        sizes=(Size(*payload["size"]),),
        io=payload["io"],
        check_parity=False,
        precision=precision,
        options=format_named(payload["format"]).timing_options,
        calibrate=None if calibrate is None else Path(calibrate),
    )
    result = export_model(job, scratch=Path(payload["scratch"]))
    return {
        "manifest": result.manifest.to_json(),
        "judges": [asdict(judge) for judge in result.judges],
    }
