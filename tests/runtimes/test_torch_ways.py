"""The ways to run torch that follow the provider: ``+compile`` and ``+tf32``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lama_edge.errors import MissingBackendError
from lama_edge.runtimes.base import open_runner

# Measured with tests/data/fourier at 64 x 72.
COMPILED_MAX_DIFF = 1e-5


@pytest.mark.parametrize("provider", ["cpu+nonsense", "cpu+tf32", "cpu+", "cpu+compile+tf32"])
def test_an_unknown_way_names_those_that_there_are(golden_folder: Path, provider: str) -> None:
    with pytest.raises(MissingBackendError, match=r"no way .*\+compile or \+tf32"):
        open_runner(golden_folder, provider=provider)


def test_a_device_that_is_not_there_is_told_as_before(golden_folder: Path) -> None:
    with pytest.raises(MissingBackendError, match="'tpu' is not available in this torch"):
        open_runner(golden_folder, provider="tpu+compile")


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
