"""Runs Core ML packages op by op on any machine, every result rounded as the program declares."""

from __future__ import annotations

import logging
from pathlib import Path

import lama_edge
from lama_edge.errors import ModelError, needs_extra
from lama_edge.manifest import Manifest
from lama_edge.runtimes.base import Array, check_inputs, read_manifest
from lama_edge.runtimes.coreml.record import COREML_EMULATOR

with needs_extra("coreml"):
    import torch

    from lama_edge.runtimes.coreml.interpreter.model import MilModel
    from lama_edge.runtimes.emulator.execution import ObservableRunner

_log = logging.getLogger(__name__)


class CoremlEmulatedRunner(ObservableRunner):
    """A package open in the interpreter; see `Runner`.

    It is no Core ML: `lama_edge.runtimes.coreml.interpreter.program` says what it proves.

    Attributes:
        program: the package's function, for those who want to observe its values.
    """

    runtime = COREML_EMULATOR
    runtime_version = lama_edge.__version__
    provider = "emulated"

    def __init__(
        self,
        path: Path,
        *,
        provider: str = "emulated",
        threads: int | None = None,
        part: str | None = None,
    ) -> None:
        """Open a package that lama-edge exported.

        Args:
            path: the ``.mlpackage`` folder.
            provider: ``emulated``, the only one; ``auto`` is the same, with a warning.
            threads: threads that work on one operation, in this whole process from here on;
                None leaves torch's setting.
            part: which function of a package of several sizes; None is the default one.

        Raises:
            ModelError: when the package cannot be read, carries no manifest, has no such
                function, or uses what the interpreter does not have.
        """
        if provider == "auto":
            _log.warning(
                "%s runs emulated, op by op: its results count, its times say nothing of a device",
                path.name,
            )
        if threads is not None:
            torch.set_num_threads(threads)
        model = MilModel.load(path, part)
        self.manifest = _manifest(path, model)
        if len(model.functions) > 1:
            self.parts, self.part = model.functions, model.function
        self._model: MilModel | None = model

    @property
    def program(self) -> MilModel:
        """The package's function, and the names of all of them.

        Raises:
            ModelError: when the package is closed.
        """
        if self._model is None:
            raise ModelError("the model is closed")
        return self._model

    def run(self, image: Array, mask: Array) -> Array:
        """See `Runner.run`."""
        model, io = self.program, self.manifest.io
        check_inputs(io, self.manifest.size, image, mask)
        return model.run({io.image.name: image, io.mask.name: mask})[io.output.name]

    def close(self) -> None:
        """See `Runner.close`."""
        self._model = None


def _manifest(path: Path, model: MilModel) -> Manifest:
    return read_manifest(
        path,
        model.manifest,
        inputs=[feature.seen for feature in model.inputs],
        outputs=[feature.seen for feature in model.outputs],
    )
