"""What the runner does with memory, shapes, streams and graphs, on a GPU of the host's memory."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from between import require_undisturbed

from lama_edge.engines import ProfileSizes
from lama_edge.errors import ModelError
from lama_edge.runtimes.base import open_runner
from lama_edge.runtimes.tensorrt.cuda import OutOfDeviceMemoryError
from lama_edge.spec import Size

SMALL = Size(64, 72)
FIXED = ProfileSizes(SMALL, SMALL, SMALL)
LITTLE = ProfileSizes(Size(16, 16), Size(32, 32), Size(64, 64))
LARGE = ProfileSizes(Size(64, 64), Size(96, 96), Size(128, 160))
Arrays = tuple[Any, Any]


def _arrays(height: int, width: int, *, seed: int = 0, batch: int = 1) -> Arrays:
    rng = np.random.default_rng(seed)
    image = rng.random((batch, 3, height, width), dtype=np.float32)
    return image, (rng.random((batch, 1, height, width)) < 0.4).astype(np.float32)


def _expected(model: Path, arrays: Arrays) -> Any:
    with open_runner(model, provider="cpu") as runner:
        return runner.run(*arrays)


def test_a_fixed_engine_gives_what_its_graph_gives_recorded_or_not(
    open_on_host: Callable[..., Any], onnx_models: dict[str, Path]
) -> None:
    host = open_on_host(onnx_models["fixed"], FIXED)
    with host.runner as runner:
        for number in range(4):
            arrays = _arrays(64, 72, seed=number)
            result = runner.run(*arrays)
            assert np.array_equal(result, _expected(onnx_models["fixed"], arrays))
            assert host.cuda.launches == number
    (context,) = host.library.contexts
    assert context.runs == 4


def test_a_uint8_engine_keeps_its_bytes(
    open_on_host: Callable[..., Any], onnx_models: dict[str, Path]
) -> None:
    image, mask = _arrays(64, 72)
    arrays = tuple(
        np.ascontiguousarray((array * 255).astype(np.uint8).transpose(0, 2, 3, 1))
        for array in (image, mask)
    )
    with open_on_host(onnx_models["uint8"], FIXED).runner as runner:
        for _ in range(2):
            result = runner.run(*arrays)
            assert result.dtype == np.uint8
            assert np.array_equal(result, _expected(onnx_models["uint8"], arrays))


def test_views_with_strides_and_earlier_results_are_left_alone(
    open_on_host: Callable[..., Any], onnx_models: dict[str, Path]
) -> None:
    image, mask = _arrays(64, 72)
    strided = np.ascontiguousarray(image.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    with open_on_host(onnx_models["fixed"], FIXED).runner as runner:
        first = runner.run(strided, mask)
        kept = first.copy()
        runner.run(*_arrays(64, 72, seed=1))
    assert np.array_equal(first, kept)
    assert np.array_equal(first, _expected(onnx_models["fixed"], (image, mask)))


def test_each_picture_of_a_batch_runs_alone(
    open_on_host: Callable[..., Any], onnx_models: dict[str, Path]
) -> None:
    arrays = _arrays(64, 72, batch=3)
    host = open_on_host(onnx_models["fixed"], FIXED)
    with host.runner as runner:
        result = runner.run(*arrays)
    assert host.library.contexts[0].runs == 3
    alone = [
        _expected(onnx_models["fixed"], [part[n : n + 1] for part in arrays]) for n in range(3)
    ]
    assert np.allclose(result, np.concatenate(alone), atol=1e-6)


def test_sizes_may_change_from_run_to_run_within_a_profile(
    open_on_host: Callable[..., Any], onnx_models: dict[str, Path]
) -> None:
    """Buffers grow and move; what is recorded for one size must not run for another."""
    host = open_on_host(onnx_models["any"], LARGE)
    with host.runner as runner:
        for size in ((64, 64), (128, 160), (72, 96), (72, 96), (128, 128)):
            arrays = _arrays(*size)
            assert np.array_equal(runner.run(*arrays), _expected(onnx_models["any"], arrays))
    assert host.cuda.launches == 0


def test_the_profile_is_chosen_by_the_picture(
    open_on_host: Callable[..., Any], onnx_models: dict[str, Path]
) -> None:
    host = open_on_host(onnx_models["any"], LITTLE, LARGE)
    with host.runner as runner:
        for size, profile in (((32, 16), 0), ((128, 128), 1), ((40, 40), 0), ((64, 64), 0)):
            arrays = _arrays(*size)
            assert np.array_equal(runner.run(*arrays), _expected(onnx_models["any"], arrays))
            assert host.library.contexts[0].profile == profile


def test_several_fixed_sizes_are_recorded_each(
    open_on_host: Callable[..., Any], onnx_models: dict[str, Path]
) -> None:
    """The manifest promises the first one alone; the runner takes them all."""
    sizes = (SMALL, Size(32, 48))
    profiles = (ProfileSizes(size, size, size) for size in sizes)
    host = open_on_host(onnx_models["any"], *profiles, described=onnx_models["fixed"])
    with host.runner as runner:
        for size in (*sizes, *sizes):
            for seed in range(3):
                arrays = _arrays(size.height, size.width, seed=seed)
                assert np.array_equal(runner.run(*arrays), _expected(onnx_models["any"], arrays))
    assert host.cuda.launches == 8


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((136, 128), r"136x128.*takes 16x16:32x32:64x64, 64x64:96x96:128x160.*another size, "),
        ((64, 66), "64x66.*multiples of 8"),
    ],
)
def test_a_picture_outside_every_profile_is_refused(
    open_on_host: Callable[..., Any],
    onnx_models: dict[str, Path],
    size: tuple[int, int],
    message: str,
) -> None:
    host = open_on_host(onnx_models["any"], LITTLE, LARGE)
    with host.runner as runner, pytest.raises(ModelError, match=message):
        runner.run(*_arrays(*size))


@pytest.mark.parametrize("flavor", ["tensorrt", "rtx"])
def test_closing_gives_everything_back(
    open_on_host: Callable[..., Any], onnx_models: dict[str, Path], flavor: str
) -> None:
    host = open_on_host(onnx_models["fixed"], FIXED, flavor=flavor)
    host.runner.run(*_arrays(64, 72))
    host.runner.run(*_arrays(64, 72))
    assert host.cuda.live
    host.runner.close()
    host.runner.close()
    assert (host.cuda.live, host.cuda.streams, host.cuda.graphs) == ({}, {}, set())
    with pytest.raises(ModelError, match="closed"):
        host.runner.run(*_arrays(64, 72))


def test_other_threads_and_closing_wait_for_a_run(
    open_on_host: Callable[..., Any], onnx_models: dict[str, Path]
) -> None:
    host = open_on_host(onnx_models["fixed"], FIXED)
    require_undisturbed(host.runner, _arrays(64, 72), in_turn=True)


def test_full_memory_is_told_in_mebibytes_and_a_smaller_picture_still_runs(
    open_on_host: Callable[..., Any], onnx_models: dict[str, Path]
) -> None:
    profile = ProfileSizes(Size(16, 16), Size(64, 64), Size(128, 160))
    host = open_on_host(onnx_models["any"], profile, memory_bytes=1 << 19)
    arrays = _arrays(32, 32)
    expected = _expected(onnx_models["any"], arrays)
    with host.runner as runner:
        assert np.array_equal(runner.run(*arrays), expected)
        with pytest.raises(OutOfDeviceMemoryError, match=r"\d+ of 0 MiB are free.*smaller"):
            runner.run(*_arrays(128, 160))
        assert np.array_equal(runner.run(*arrays), expected)


@pytest.mark.parametrize(
    ("said", "kind", "message"),
    [
        ("Cuda Runtime (out of memory)", OutOfDeviceMemoryError, "works in 3 MiB.*of 1024 MiB"),
        ("no kernel\nfor this", ModelError, "TensorRT 1.7.1 failed: no kernel for this"),
    ],
)
def test_a_failed_run_says_what_the_library_said(
    open_on_host: Callable[..., Any],
    onnx_models: dict[str, Path],
    said: str,
    kind: type[ModelError],
    message: str,
) -> None:
    host = open_on_host(onnx_models["fixed"], FIXED)
    host.library.fails.append(said)
    with host.runner as runner:
        with pytest.raises(kind, match=message):
            runner.run(*_arrays(64, 72))
        arrays = _arrays(64, 72)
        assert np.array_equal(runner.run(*arrays), _expected(onnx_models["fixed"], arrays))


def test_what_cannot_be_recorded_runs_all_the_same(
    open_on_host: Callable[..., Any],
    onnx_models: dict[str, Path],
    caplog: pytest.LogCaptureFixture,
) -> None:
    host = open_on_host(onnx_models["fixed"], FIXED)
    host.library.records = False
    arrays = _arrays(64, 72)
    with host.runner as runner, caplog.at_level(logging.WARNING):
        for _ in range(3):
            result = runner.run(*arrays)
    assert np.array_equal(result, _expected(onnx_models["fixed"], arrays))
    assert host.cuda.launches == 0
    assert [r.message for r in caplog.records if "no CUDA graph" in r.message] == [
        "no CUDA graph: TensorRT 1.7.1 failed: cannot be captured"
    ]


def test_tensorrt_for_rtx_records_by_itself_and_its_kernels_are_kept(
    open_on_host: Callable[..., Any], onnx_models: dict[str, Path], tmp_path: Path
) -> None:
    def once(seed: int) -> Any:
        host = open_on_host(onnx_models["any"], LARGE, flavor="rtx")
        with host.runner as runner:
            runner.run(*_arrays(64, 64 + 8 * seed))
            runner.run(*_arrays(64, 64 + 8 * seed))
            return host.library, host.cuda.launches

    library, launches = once(0)
    strategy = library.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
    assert (library.contexts[0].config.cuda_graph_strategy, launches) == (strategy, 0)
    (kept,) = (tmp_path / "cache" / "tensorrt-rtx").iterdir()
    assert kept.name.endswith("-1.7.1-sm8.6.cache")
    first = kept.read_bytes()
    once(1)
    assert set(first.splitlines()) < set(kept.read_bytes().splitlines())


def test_a_fixed_engine_for_rtx_is_not_recorded_a_second_time(
    open_on_host: Callable[..., Any], onnx_models: dict[str, Path]
) -> None:
    host = open_on_host(onnx_models["fixed"], FIXED, flavor="rtx")
    with host.runner as runner:
        for _ in range(3):
            runner.run(*_arrays(64, 72))
    assert (host.cuda.launches, host.library.contexts[0].runs) == (0, 3)


def test_a_cache_that_cannot_be_written_is_no_reason_not_to_run(
    open_on_host: Callable[..., Any],
    onnx_models: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LAMA_EDGE_CACHE", str(tmp_path / "file"))
    arrays = _arrays(64, 72)
    with open_on_host(onnx_models["fixed"], FIXED, flavor="rtx").runner as runner:
        assert np.array_equal(runner.run(*arrays), _expected(onnx_models["fixed"], arrays))


def test_an_engine_that_takes_other_things_than_its_manifest_says_is_refused(
    open_on_host: Callable[..., Any], onnx_models: dict[str, Path]
) -> None:
    with pytest.raises(ModelError, match="other inputs than its manifest says"):
        open_on_host(onnx_models["fixed"], FIXED, described=onnx_models["uint8"])
