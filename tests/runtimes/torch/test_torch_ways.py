"""The ways to run torch that follow the provider: ``+compile`` and ``+tf32``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lama_edge.errors import MissingBackendError, UsageError
from lama_edge.runtimes.base import open_runner

# Measured with tests/data/fourier at 64 x 72.
COMPILED_MAX_DIFF = 1e-5


@pytest.mark.parametrize("provider", ["cpu+nonsense", "cpu+", "tpu+compile"])
def test_an_unknown_way_names_those_that_there_are(golden_folder: Path, provider: str) -> None:
    with pytest.raises(UsageError, match=r"auto, cpu, cuda \(and after it \+compile or \+tf32\)"):
        open_runner(golden_folder, provider=provider)


@pytest.mark.parametrize("provider", ["cpu+tf32", "cpu+compile+tf32"])
def test_a_processor_has_no_tf32(golden_folder: Path, provider: str) -> None:
    with pytest.raises(MissingBackendError, match=r"\+tf32 is for cuda"):
        open_runner(golden_folder, provider=provider)


@pytest.mark.slow
def test_the_compiled_generator_computes_the_same(golden_folder: Path) -> None:
    rng = np.random.default_rng(0)
    image = rng.random((1, 3, 64, 72), dtype=np.float32)
    mask = (rng.random((1, 1, 64, 72)) < 0.4).astype(np.float32)
    outputs = []
    for provider in ("cpu", "cpu+compile"):
        with open_runner(golden_folder, provider=provider) as runner:
            assert runner.provider == provider
            outputs.append(runner.run(image, mask))
    assert np.abs(outputs[0] - outputs[1]).max() <= COMPILED_MAX_DIFF
