"""The files of a trade-off: one checkpoint's exports, and what each made of the pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lama_edge.benchmarks.documents.arrays import load_arrays, save_arrays
from lama_edge.benchmarks.parity.rows import Side
from lama_edge.benchmarks.targets.base import Opening
from lama_edge.benchmarks.targets.registry import open_target
from lama_edge.export.formats.record import Export, Format, format_named
from lama_edge.forms import to_model
from lama_edge.judging.cases import ParityCase
from lama_edge.judging.judge import case_output
from lama_edge.manifest import Manifest
from lama_edge.process import run_isolated
from lama_edge.spec import NEED_RANGES, IoForm, Size

_EXPORT = "lama_edge.benchmarks.tradeoff.exports:export"


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

    def path(self, name: str) -> Path:
        """Return where an export lies."""
        return self.folder / f"{name}{self.form.suffix}"

    def add(self, name: str, precision: str, io: IoForm) -> Manifest:
        """Export the checkpoint in a process of its own, without judging it.

        Raises:
            LamaEdgeError: when that is not possible.
        """
        payload = {
            "format": self.form.name,
            "checkpoint": self.checkpoint,
            "output": str(self.path(name)),
            "precision": precision,
            "size": [self.size.height, self.size.width],
            "io": io,
            "calibrate": None if self.calibrate is None else str(self.calibrate),
        }
        answer = run_isolated(_EXPORT, payload, timeout_s=self.timeout_s)
        manifest = self._manifests[name] = Manifest.from_json(answer["manifest"])
        return manifest

    def run(self, name: str, provider: str, cases: Sequence[ParityCase]) -> list[float | None]:
        """Run an export on pictures in a process of its own; `side` has its outputs then.

        Args:
            name: the export's, after `add`.
            provider: see `Opening`.
            cases: the pictures.

        Returns:
            For each picture the share of known values that it changed; see `case_output`.

        Raises:
            LamaEdgeError: when it cannot be run, or returns values that are not finite.
        """
        opening, io = Opening(provider, timeout_s=self.timeout_s), self._manifests[name].io
        pictures = [to_model(io, case.image, case.hole) for case in cases]
        with open_target("local") as target:
            outputs = target.run(target.push(self.path(name)), opening, pictures)
        seen = [case_output(io, case, output) for case, output in zip(cases, outputs, strict=True)]
        save_arrays(self._outputs(name), [one.levels for one in seen])
        return [one.known_changed for one in seen]

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
            ``precision``; ``size``, height and width; ``io``; and ``calibrate``, a folder for the
            precisions that are made from measured ranges, or None.

    Returns:
        The ``manifest`` as JSON text.
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
    return {"manifest": export_model(job).manifest.to_json()}
