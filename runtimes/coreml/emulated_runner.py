"""Runs Core ML packages op by op on any machine, every result rounded as the program declares."""

from __future__ import annotations

import logging
from pathlib import Path

from lama_edge.kernels.threads import set_threads
from lama_edge.runtimes.base import read_manifest
from lama_edge.runtimes.coreml.interpreter.model import MilModel
from lama_edge.runtimes.coreml.record import COREML_EMULATOR
from lama_edge.runtimes.emulator.execution import ObservableRunner

_log = logging.getLogger(__name__)


class CoremlEmulatedRunner(ObservableRunner):
    """A package open in the interpreter; see `Runner`.

    It is no Core ML: `lama_edge.runtimes.coreml.interpreter.model` says what it proves.
    """

    runtime = COREML_EMULATOR

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
                None leaves the setting.
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
        model = MilModel(path, part)
        if len(model.functions) > 1:
            self.parts, self.part = model.functions, model.function
        manifest = read_manifest(
            path,
            model.manifest,
            inputs=model.inputs,
            outputs=model.outputs,
        )
        super().__init__(model, manifest)
        # Last, so that where more is missing than this wants, the extra that brings all is told.
        if threads is not None:
            set_threads(threads)
