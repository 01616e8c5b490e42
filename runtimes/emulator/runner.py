"""Runs exported ONNX models operator by operator, every result rounded as the file declares."""

from __future__ import annotations

from pathlib import Path

from lama_edge.errors import ModelError
from lama_edge.kernels.threads import set_threads
from lama_edge.manifest import METADATA_KEY
from lama_edge.runtimes.base import Runner, read_manifest
from lama_edge.runtimes.emulator.execution import ObservableRunner
from lama_edge.runtimes.emulator.program import Program
from lama_edge.runtimes.emulator.record import EMULATOR


class EmulatedRunner(ObservableRunner):
    """An ONNX model open in the emulator; see `Runner`.

    It is the judge of fp16 exports: `lama_edge.runtimes.emulator.program` says why.
    """

    runtime = EMULATOR

    def __init__(
        self, path: Path, *, provider: str = "emulated", threads: int | None = None
    ) -> None:
        """Open a model that lama-edge exported.

        Args:
            path: the ``.onnx`` file.
            provider: ``emulated``, the only one.
            threads: threads that work on one operation, in this whole process from here on;
                None leaves the setting.

        Raises:
            ModelError: when the file cannot be read, carries no manifest, or uses what the
                emulator does not have.
        """
        if threads is not None:
            set_threads(threads)
        program = Program.load(path)
        manifest = read_manifest(
            path,
            program.metadata.get(METADATA_KEY),
            inputs=program.input_types,
            outputs=program.output_types,
        )
        super().__init__(program, manifest)

    def tiled(self, tile: int | None = None) -> Runner:
        """Refuse: the emulator runs whole pictures only."""
        raise ModelError(
            "the emulator runs whole pictures only; open the model with another provider to run "
            "in tiles"
        )
