"""What every test of this folder needs: a GPU. Without one each is skipped, and says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lama_edge.judging.cases import seeded_cases
from lama_edge.judging.judge import judge, raw_outputs
from lama_edge.manifest import ParityFigures
from lama_edge.models.checkpoint import load_checkpoint
from lama_edge.nvidia import Gpu, current_gpu
from lama_edge.runtimes.base import Runner
from lama_edge.runtimes.registry import tolerance_of
from lama_edge.runtimes.torch.runner import TorchRunner
from lama_edge.spec import Size, SizePolicy


@pytest.fixture(autouse=True, scope="session")
def gpu() -> Gpu:
    """The GPU of this machine."""
    found = current_gpu()
    if found is None:
        pytest.skip("needs an NVIDIA GPU and its driver")
    return found


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own, so that nothing of an earlier run is reused."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("LAMA_EDGE_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def judged(golden_folder: Path) -> Callable[..., ParityFigures]:
    """Judges a model of the golden checkpoint at some sizes, by the generator on the processor."""
    checkpoint = load_checkpoint(golden_folder)

    def figures(model: Runner, *sizes: Size) -> ParityFigures:
        cases = [case for size in sizes for case in seeded_cases(SizePolicy(size, 8, 16))]
        with TorchRunner(checkpoint, composite=False) as reference:
            wanted = raw_outputs(reference, cases)
        tolerance = tolerance_of(model.runtime.name, model.manifest.precision)
        return judge(model, cases, wanted, reference_name="torch-fp32", tolerance=tolerance)

    return figures
