"""Engines on a real GPU: parity, recorded runs, memory, and what cannot run there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lama_edge.engines import ProfileSizes, load_library
from lama_edge.errors import MissingBackendError, ModelError, UsageError
from lama_edge.exporters.formats.record import Export
from lama_edge.manifest import ParityFigures
from lama_edge.nvidia import Gpu
from lama_edge.pipeline import export_model
from lama_edge.runtimes.base import open_runner
from lama_edge.runtimes.tensorrt.cuda import Cuda, DeviceBuffer, OutOfDeviceMemoryError
from lama_edge.spec import Size

pytestmark = pytest.mark.gpu

SMALL = Size(64, 72)
FIXED = ProfileSizes(SMALL, SMALL, SMALL)
RANGE = ProfileSizes(Size(64, 64), Size(128, 128), Size(256, 320))
# What the driver and the libraries may keep for themselves after the first engine was open.
KEPT_BYTES = 64 << 20
Judged = Callable[..., ParityFigures]


@pytest.fixture(scope="session", params=["tensorrt", "rtx"])
def flavor(request: pytest.FixtureRequest) -> str:
    """Each of the two libraries that is installed."""
    try:
        load_library(request.param)
    except MissingBackendError as error:
        pytest.skip(str(error))
    return str(request.param)


@pytest.fixture
def build(golden_folder: Path, tmp_path: Path, flavor: str) -> Callable[..., Path]:
    """Builds an engine for the GPU of this machine."""

    def built(profile: ProfileSizes, precision: Any = "fp32", **options: Any) -> Path:
        path = tmp_path / f"{precision}.engine"
        settings = {"flavor": flavor, "compute_capability": ("current",), **options}
        export_model(
            Export(
                "tensorrt",
                golden_folder,
                path,
                sizes=(profile,),
                precision=precision,
                options=settings,
                check_parity=False,
            )
        )
        return path

    return built


def _arrays(height: int, width: int, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    mask = (rng.random((1, 1, height, width)) < 0.4).astype(np.float32)
    return rng.random((1, 3, height, width), dtype=np.float32), mask


@pytest.mark.parametrize(
    ("precision", "tf32"), [("fp32", False), ("fp32", True), ("fp16", False), ("int8", False)]
)
def test_a_fixed_engine_computes_what_the_generator_does(
    build: Callable[..., Path], judged: Judged, precision: str, tf32: bool
) -> None:
    with open_runner(build(FIXED, precision, tf32=tf32)) as runner:
        # The second figures are of recorded runs.
        found = [judged(runner, SMALL) for _ in range(2)]
    print(f"\n{runner.title} {runner.manifest.precision} {SMALL}: {found[1]}")
    assert [figures.passed for figures in found] == [True, True]
    assert found[0] == found[1]


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_an_engine_of_a_profile_does_so_at_every_size(
    build: Callable[..., Path], judged: Judged, precision: str
) -> None:
    sizes = (Size(64, 64), Size(128, 128), Size(72, 200), Size(256, 320), Size(64, 64))
    with open_runner(build(RANGE, precision)) as runner:
        figures = judged(runner, *sizes)
    print(f"\n{runner.title} {runner.manifest.precision} {RANGE}: {figures}")
    assert figures.passed


def test_recorded_runs_give_the_same_bytes_and_see_new_pictures(
    build: Callable[..., Path],
) -> None:
    arrays = [_arrays(64, 72, seed) for seed in range(3)]
    with open_runner(build(FIXED)) as runner:
        first = [runner.run(*pair) for pair in arrays]
        again = [runner.run(*pair) for pair in arrays]
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    assert not np.array_equal(first[0], first[1])


def test_an_export_with_a_gpu_judges_the_engine_itself(
    golden_folder: Path, tmp_path: Path, flavor: Any
) -> None:
    options = {"flavor": flavor, "compute_capability": ("current",)}
    job = Export("tensorrt", golden_folder, tmp_path / "m.engine", sizes=(FIXED,), options=options)
    manifest = export_model(job).manifest
    assert manifest.engine is not None
    assert manifest.engine.judged == "engine"
    assert manifest.parity is not None
    assert manifest.parity.passed


def test_closing_gives_the_memory_back(build: Callable[..., Path]) -> None:
    path, cuda = build(RANGE), Cuda()
    free = []
    for _ in range(3):
        with open_runner(path) as runner:
            runner.run(*_arrays(256, 320))
        free.append(cuda.call("cudaMemGetInfo")[0])
    assert free[0] - free[-1] <= KEPT_BYTES


def test_an_engine_of_another_gpu_is_refused(build: Callable[..., Path], gpu: Gpu) -> None:
    other = "8.6" if gpu.compute_capability != "8.6" else "8.9"
    try:
        path = build(FIXED, compute_capabilities=(other,))
    except UsageError as error:
        pytest.skip(f"this library builds for its own GPU only: {error}")
    with pytest.raises(ModelError, match=rf"built for SM {other}.*this is SM .*rebuild it here"):
        open_runner(path)


def test_full_memory_is_told_with_what_is_free() -> None:
    cuda = Cuda()
    with pytest.raises(OutOfDeviceMemoryError, match=r"\d+ of \d+ MiB are free"):
        DeviceBuffer(cuda).reserve(1 << 44)


def test_compiled_kernels_are_kept_for_the_next_process(
    build: Callable[..., Path], own_cache: Path, flavor: str
) -> None:
    if flavor != "rtx":
        pytest.skip("TensorRT compiles nothing on the device")
    with open_runner(build(FIXED)) as runner:
        runner.run(*_arrays(64, 72))
    assert [path.suffix for path in (own_cache / "tensorrt-rtx").iterdir()] == [".cache"]
