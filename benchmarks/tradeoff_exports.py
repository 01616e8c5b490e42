"""The files of a trade-off: one checkpoint's exports, and what each made of the pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lama_edge.benchmarks.parity_rows import Side
from lama_edge.benchmarks.parity_task import load_outputs, save_cases
from lama_edge.errors import ModelError
from lama_edge.judging.cases import ParityCase
from lama_edge.manifest import Manifest
from lama_edge.process import run_isolated
from lama_edge.spec import IoForm, Precision, Size

_EXPORT = "lama_edge.benchmarks.tradeoff_task:export"
_RUN = "lama_edge.benchmarks.parity_task:run"


@dataclass(frozen=True)
class Exports:
    """A folder of one checkpoint's exports at one size; each is known by a name.

    Attributes:
        folder: an empty folder, to begin with.
        checkpoint: a path or name; None is the embedded lama-tiny.
        size: of every export.
        calibrate: a folder of pictures to measure ranges on; None draws some.
        timeout_s: how long each process may take, in seconds; None is for ever.
    """

    folder: Path
    checkpoint: str | None
    size: Size
    calibrate: Path | None = None
    timeout_s: float | None = None

    def path(self, name: str) -> Path:
        """Return where an export lies."""
        return self.folder / f"{name}.onnx"

    def add(self, name: str, precision: Precision, io: IoForm) -> Manifest:
        """Export the checkpoint in a process of its own, without judging it.

        Raises:
            LamaEdgeError: when that is not possible.
        """
        payload = {
            "checkpoint": self.checkpoint,
            "output": str(self.path(name)),
            "precision": precision,
            "size": [self.size.height, self.size.width],
            "io": io,
            "calibrate": None if self.calibrate is None else str(self.calibrate),
        }
        return Manifest.from_json(self._call(_EXPORT, payload)["manifest"])

    def give(self, cases: Sequence[ParityCase]) -> None:
        """Keep the pictures that the exports are to be run on."""
        save_cases(self._cases, cases)

    def run(self, name: str, provider: str) -> list[float | None]:
        """Run an export on the pictures in a process of its own; `side` has its outputs then.

        Returns:
            For each picture the share of known values that it changed; see `run_case`.

        Raises:
            ModelError: when it returns values that are not finite.
            LamaEdgeError: when it cannot be run.
        """
        payload = {
            "model": str(self.path(name)),
            "provider": provider,
            "raw": False,
            "cases": str(self._cases),
            "outputs": str(self._outputs(name)),
        }
        answer = self._call(_RUN, payload)
        if answer["failed_case"] is not None:
            raise ModelError(answer["message"])
        changed: list[float | None] = answer["known_changed"]
        return changed

    def side(self, name: str, *, rounded: bool) -> Side:
        """Return what an export made of the pictures.

        Args:
            name: the export's, after `run`.
            rounded: whether it is of the uint8 form.
        """
        return Side(load_outputs(self._outputs(name)), rounded)

    @property
    def _cases(self) -> Path:
        return self.folder / "cases.npz"

    def _outputs(self, name: str) -> Path:
        return self.folder / f"{name}.npz"

    def _call(self, task: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        return run_isolated(task, payload, timeout_s=self.timeout_s)
