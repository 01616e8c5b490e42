"""The files of a trade-off: one checkpoint's exports, and what each made of the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lama_edge.benchmarks.parity.rows import Side
from lama_edge.benchmarks.targets.base import Opening
from lama_edge.benchmarks.targets.local import LocalTarget
from lama_edge.benchmarks.targets.local_task import load_arrays, save_arrays
from lama_edge.export.formats.record import Format
from lama_edge.forms import to_model
from lama_edge.judging.cases import ParityCase
from lama_edge.judging.judge import case_output
from lama_edge.manifest import Manifest
from lama_edge.process import run_isolated
from lama_edge.spec import IoForm, IoSpec, Size

_EXPORT = "lama_edge.benchmarks.tradeoff.task:export"


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
        return Manifest.from_json(answer["manifest"])

    def run(
        self, name: str, io: IoSpec, provider: str, cases: Sequence[ParityCase]
    ) -> list[float | None]:
        """Run an export on pictures in a process of its own; `side` has its outputs then.

        Args:
            name: the export's, after `add`.
            io: its inputs and outputs.
            provider: see `Opening`.
            cases: the pictures.

        Returns:
            For each picture the share of known values that it changed; see `case_output`.

        Raises:
            LamaEdgeError: when it cannot be run, or returns values that are not finite.
        """
        opening = Opening(provider, timeout_s=self.timeout_s)
        pictures = [to_model(io, case.image, case.hole) for case in cases]
        outputs = LocalTarget().run(self.path(name), opening, pictures)
        seen = [case_output(io, case, output) for case, output in zip(cases, outputs, strict=True)]
        save_arrays(self._outputs(name), [one.levels for one in seen])
        return [one.known_changed for one in seen]

    def side(self, name: str, *, rounded: bool) -> Side:
        """Return what an export made of the pictures.

        Args:
            name: the export's, after `run`.
            rounded: whether it is of the uint8 form.
        """
        return Side(list(load_arrays(self._outputs(name))), rounded)

    def _outputs(self, name: str) -> Path:
        return self.folder / f"{name}.npz"
