"""The runner of the NumPy generators."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lama_edge.models.checkpoint import Checkpoint
from lama_edge.runtimes import base
from lama_edge.runtimes.base import choose_runtime, open_runner
from lama_edge.runtimes.checkpoints import checkpoint_facts
from lama_edge.runtimes.numpy import runner as numpy_runner
from lama_edge.runtimes.numpy.runner import NumpyRunner
from lama_edge.runtimes.torch.runner import TorchRunner


@pytest.fixture
def arrays() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    image = random.random((2, 3, 32, 48), np.float32)
    return image, (random.random((2, 1, 32, 48)) < 0.3).astype(np.float32)


def test_it_says_what_it_is(golden_folder: Path) -> None:
    with open_runner(golden_folder, provider="numpy") as runner:
        assert isinstance(runner, NumpyRunner)
        assert runner.title == f"numpy {np.__version__}"
        assert runner.uses_host_memory
        assert runner.manifest.tools == {"numpy": np.__version__}
        with TorchRunner(golden_folder) as other:
            data = {**other.manifest.to_dict(), "tools": dict(runner.manifest.tools)}
        assert runner.manifest.to_dict() == data


def test_it_keeps_known_pixels_and_binarises_the_mask(golden_checkpoint: Checkpoint, arrays):
    image, mask = arrays
    with NumpyRunner(golden_checkpoint) as runner:
        output = runner.run(image, mask * np.float32(0.01))
    with NumpyRunner(golden_checkpoint, composite=False) as runner:
        raw = runner.run(image, mask)
    with TorchRunner(golden_checkpoint, composite=False) as runner:
        assert np.abs(raw - runner.run(image, mask)).max() <= 1e-5
    np.testing.assert_array_equal(output, np.where(mask > 0, raw, image))


def test_what_lies_in_a_hole_does_not_count_even_if_it_is_no_number(golden_checkpoint, arrays):
    image, mask = arrays
    with NumpyRunner(golden_checkpoint) as runner:
        blank = np.where(mask > 0, np.float32("nan"), image)
        np.testing.assert_array_equal(runner.run(blank, mask), runner.run(image, mask))


@pytest.mark.filterwarnings("error")
def test_numbers_that_overflow_on_the_way_warn_nobody(golden_checkpoint, arrays):
    tensors = dict(golden_checkpoint.tensors)
    last = next(name for name, array in tensors.items() if array.shape == (3,))
    tensors[last] = np.full(3, -1e4, np.float32)
    with NumpyRunner(replace(golden_checkpoint, tensors=tensors), composite=False) as runner:
        assert not runner.run(*arrays).any()


def test_threads_are_those_of_the_kernels(golden_checkpoint, monkeypatch) -> None:
    counts: list[int] = []
    monkeypatch.setattr(numpy_runner, "set_threads", counts.append)
    NumpyRunner(golden_checkpoint).close()
    NumpyRunner(golden_checkpoint, threads=3).close()
    assert counts == [3]


@pytest.mark.parametrize(("missing", "chosen"), [((), "torch"), (("torch",), "numpy")])
def test_auto_takes_torch_where_it_is_installed(golden_folder, monkeypatch, missing, chosen):
    find = base.importlib.util.find_spec
    monkeypatch.setattr(
        base.importlib.util, "find_spec", lambda name: None if name in missing else find(name)
    )
    assert choose_runtime(golden_folder).runtime.name == chosen
    assert list(checkpoint_facts(golden_folder, None, "auto").manifest.tools) == [chosen]
