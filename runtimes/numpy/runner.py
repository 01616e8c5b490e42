"""Runs a checkpoint's generator in NumPy: the reference that exports are judged against."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np

from lama_edge.errors import ModelError
from lama_edge.kernels.threads import set_threads
from lama_edge.models.checkpoint import Checkpoint
from lama_edge.models.generators import build_generator
from lama_edge.models.generators.layers import Layer
from lama_edge.runtimes.base import Array, Runner, check_inputs
from lama_edge.runtimes.checkpoints import manifest_of, opened
from lama_edge.runtimes.numpy.record import NUMPY


class NumpyRunner(Runner):
    """A generator in NumPy, in the float form, with NumPy's own FFT; see `Runner`."""

    runtime = NUMPY
    runtime_version = np.__version__
    provider = NUMPY.name

    def __init__(
        self,
        source: Path | Checkpoint,
        *,
        provider: str = "auto",
        threads: int | None = None,
        part: str | None = None,
        ignore: Collection[str] = (),
        composite: bool = True,
    ) -> None:
        """Load a checkpoint.

        Args:
            source: a checkpoint's path, or a checkpoint already loaded.
            provider: ``numpy`` or ``auto``, which are the same.
            threads: threads that work on one operation, in this whole process from here on;
                None leaves them as they are.
            part: the name of the generator in a file with several.
            ignore: parts and tensors to leave out, see `load_checkpoint`.
            composite: whether known pixels come back unchanged; otherwise the raw fill.

        Raises:
            CheckpointError: when the checkpoint cannot be used.
            MissingBackendError: when the ``export`` extra is not installed.
        """
        del provider  # every runner takes it
        if threads is not None:
            set_threads(threads)
        checkpoint = opened(source, part, ignore)
        self._generator: Layer | None = build_generator(checkpoint)
        self.manifest = manifest_of(
            checkpoint, composite=composite, tools={"numpy": np.__version__}
        )

    def run(self, image: Array, mask: Array) -> Array:
        """See `Runner.run`."""
        if self._generator is None:
            raise ModelError("the model is closed")
        check_inputs(self.manifest.io, self.manifest.size, image, mask)
        hole = mask > 0
        known = np.where(hole, np.float32(0), image)
        predicted = self._generator(np.concatenate([known, hole], axis=1, dtype=np.float32))
        if self.manifest.io.composite:
            predicted = np.where(hole, predicted, image)
        return predicted

    def close(self) -> None:
        """See `Runner.close`."""
        self._generator = None
