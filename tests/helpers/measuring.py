"""What targets are measured with in tests, and how something happens to them meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from lama_edge.benchmarks.targets.base import Opening
from lama_edge.benchmarks.targets.tasks.stopwatch import Policy

CPU = Opening("cpu", threads=1)
SHORT = Policy(min_warmup_runs=1, min_warmup_ms=0, min_runs=2, min_seconds=0)
LONG = replace(SHORT, min_seconds=120)


def picture(seed: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Return a seeded picture and its hole, as float models take them: 64 x 96."""
    image = np.random.default_rng(seed).random((1, 3, 64, 96), np.float32)
    mask = np.zeros((1, 1, 64, 96), np.float32)
    mask[:, :, 20:40, 30:70] = 1
    return image, mask


def when_sampling(act: Callable[[], object]) -> Callable[[str], None]:
    """Return what does something once, beside the call, when a target tells that it samples."""

    def step(line: str) -> None:
        if line == "sampling":
            threading.Thread(target=act).start()

    return step
