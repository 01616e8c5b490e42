"""Runs exported ONNX models operator by operator, every result rounded as the file declares."""

from __future__ import annotations

from pathlib import Path

import lama_edge
from lama_edge.errors import ModelError, needs_extra
from lama_edge.manifest import METADATA_KEY
from lama_edge.runtimes.base import Array, Runner, ValueSeen, check_inputs, read_manifest
from lama_edge.runtimes.emulator.record import EMULATOR

with needs_extra("export"):
    import torch

    from lama_edge.runtimes.emulator.execution import ObservableRunner, ValueType
    from lama_edge.runtimes.emulator.program import Program


class EmulatedRunner(ObservableRunner):
    """An ONNX model open in the emulator; see `Runner`.

    It is the judge of fp16 exports: `lama_edge.runtimes.emulator.program` says why.

    Attributes:
        program: the graph, for those who want to observe its values.
    """

    runtime = EMULATOR
    runtime_version = lama_edge.__version__
    provider = "emulated"

    def __init__(
        self, path: Path, *, provider: str = "emulated", threads: int | None = None
    ) -> None:
        """Open a model that lama-edge exported.

        Args:
            path: the ``.onnx`` file.
            provider: ``emulated``, the only one.
            threads: threads that work on one operation, in this whole process from here on;
                None leaves torch's setting.

        Raises:
            ModelError: when the file cannot be read, carries no manifest, or uses what the
                emulator does not have.
        """
        if threads is not None:
            torch.set_num_threads(threads)
        program = Program.load(path)
        self.manifest = read_manifest(
            path,
            program.metadata.get(METADATA_KEY),
            inputs=[_seen(value) for value in program.input_types],
            outputs=[_seen(value) for value in program.output_types],
        )
        self._program: Program | None = program

    @property
    def program(self) -> Program:
        """The graph.

        Raises:
            ModelError: when the model is closed.
        """
        if self._program is None:
            raise ModelError("the model is closed")
        return self._program

    def run(self, image: Array, mask: Array) -> Array:
        """See `Runner.run`."""
        program, io = self.program, self.manifest.io
        check_inputs(io, self.manifest.size, image, mask)
        return program.run({io.image.name: image, io.mask.name: mask})[io.output.name]

    def tiled(self, tile: int | None = None) -> Runner:
        """Refuse: the emulator runs whole pictures only."""
        raise ModelError(
            "the emulator runs whole pictures only; open the model with another provider to run "
            "in tiles"
        )

    def close(self) -> None:
        """See `Runner.close`."""
        self._program = None


def _seen(value: ValueType) -> ValueSeen:
    return ValueSeen(value.name, str(value.element).removeprefix("torch."), value.shape)
