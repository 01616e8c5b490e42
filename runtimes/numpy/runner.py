"""Runs a checkpoint's generator in NumPy: the reference that exports are judged against."""

from __future__ import annotations

from typing import Any

import numpy as np

from lama_edge.kernels.threads import set_threads
from lama_edge.models.checkpoint import Checkpoint
from lama_edge.models.generators import build_generator
from lama_edge.models.generators.layers import Layer
from lama_edge.runtimes.base import Array
from lama_edge.runtimes.checkpoints import CheckpointRunner
from lama_edge.runtimes.numpy.record import NUMPY


class NumpyRunner(CheckpointRunner):
    """A generator in NumPy, with its own FFT; see `CheckpointRunner`."""

    runtime = NUMPY
    runtime_version = np.__version__
    provider = NUMPY.name

    def _prepare(self, provider: str, threads: int | None) -> None:
        del provider  # there is only one
        if threads is not None:
            set_threads(threads)

    def _built(self, checkpoint: Checkpoint) -> Layer:
        return build_generator(checkpoint)

    def _filled(self, generator: Any, image: Array, mask: Array) -> Array:
        hole = mask > 0
        known = np.where(hole, np.float32(0), image)
        x = np.concatenate([known, hole], axis=1, dtype=np.float32)
        # What is not finite is found by those who look at the result.
        with np.errstate(all="ignore"):
            predicted: Array = generator(x)
        if self.manifest.io.composite:
            predicted = np.where(hole, predicted, image)
        return predicted
