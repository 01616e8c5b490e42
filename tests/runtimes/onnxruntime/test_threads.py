"""The number of threads that a model may work with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import torch

from lama_edge.runtimes.base import open_runner


@pytest.mark.parametrize("threads", [1, 4])
def test_onnx_runtime_starts_as_many_threads_as_were_asked_for(
    exported: Callable[..., Path], threads: int
) -> None:
    with open_runner(exported(), threads=1):
        before = psutil.Process().num_threads()
    with open_runner(exported(), threads=threads):
        assert psutil.Process().num_threads() - before == threads - 1


@pytest.mark.parametrize("threads", [1, 3])
def test_torch_works_with_as_many_threads_as_were_asked_for(
    golden_folder: Path, threads: int
) -> None:
    with open_runner(golden_folder, threads=threads):
        assert torch.get_num_threads() == threads


def test_torch_is_left_alone_when_nobody_asks(golden_folder: Path) -> None:
    torch.set_num_threads(2)
    with open_runner(golden_folder):
        assert torch.get_num_threads() == 2
