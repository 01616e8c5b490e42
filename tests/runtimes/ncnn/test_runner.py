"""Opening ncnn models: precision, threads, devices, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ncnn")
pytest.importorskip("pnnx")

import ncnn

from lama_edge.errors import MissingBackendError, ModelError, UsageError
from lama_edge.exporters.formats.record import Export
from lama_edge.files import weights_beside
from lama_edge.pipeline import export_model
from lama_edge.runtimes.base import open_runner
from lama_edge.runtimes.inpainting.inpainter import Inpainter
from lama_edge.spec import Size

SIZE = Size(72, 104)


@pytest.fixture(scope="module")
def model_path(golden_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ncnn") / "golden.param"
    result = export_model(Export("ncnn", golden_folder, path, sizes=(SIZE,), precision="fp32"))
    assert result.manifest.parity is not None
    assert result.manifest.parity.runtime == f"ncnn {ncnn.__version__} cpu"
    assert result.size_bytes == sum(one.stat().st_size for one in path.parent.iterdir())
    assert {one.name for one in path.parent.iterdir()} == {"golden.param", "golden.bin"}
    return path


def _arrays(size: Size = SIZE) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    mask = (rng.random((1, 1, size.height, size.width)) < 0.3).astype(np.float32)
    return rng.random((1, 3, size.height, size.width), dtype=np.float32), mask


def test_a_runner_needs_only_the_files(model_path: Path) -> None:
    image, mask = _arrays()
    with open_runner(model_path) as runner:
        assert runner.title == f"ncnn {ncnn.__version__} cpu"
        output = runner.run(image, mask)
    known = np.broadcast_to(mask == 0, image.shape)
    assert np.array_equal(output[known], image[known])


def test_threads_change_no_bit(model_path: Path) -> None:
    image, mask = _arrays()
    found = []
    for threads in (1, 2, None):
        with open_runner(model_path, threads=threads) as runner:
            found.append(runner.run(image, mask))
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)


def test_float32_models_are_computed_in_float32(model_path: Path) -> None:
    """By itself ncnn takes fp16 wherever a device has it."""
    assert ncnn.Option().use_fp16_arithmetic
    with open_runner(model_path) as runner:
        options = runner._net.opt
        for name in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic"):
            assert not getattr(options, name), name


def test_what_does_not_fit_is_refused(model_path: Path) -> None:
    with pytest.raises(UsageError, match="no provider 'cuda'; choose one of: auto, cpu, vulkan"):
        open_runner(model_path, provider="cuda")
    with open_runner(model_path) as runner:
        with pytest.raises(ModelError, match="80x104"):
            runner.run(*_arrays(Size(80, 104)))
        with pytest.raises(ModelError, match="dtype"):
            runner.run(*(array.astype(np.float64) for array in _arrays()))


def test_vulkan_computes_the_same_or_says_that_there_is_none(model_path: Path) -> None:
    image, mask = _arrays()
    if not ncnn.get_gpu_count():
        with pytest.raises(MissingBackendError, match="'vulkan' did not start here"):
            open_runner(model_path, provider="vulkan")
        return
    with open_runner(model_path) as runner, open_runner(model_path, provider="vulkan") as other:
        np.testing.assert_allclose(other.run(image, mask), runner.run(image, mask), atol=1e-4)


def test_pictures_of_any_size_are_inpainted(model_path: Path) -> None:
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 256, (150, 99, 3), dtype=np.uint8)
    hole = np.zeros((150, 99), np.uint8)
    hole[40:90, 20:50] = 255
    with Inpainter.open(model_path) as inpainter:
        filled = inpainter(picture, hole)
    assert np.array_equal(filled[hole == 0], picture[hole == 0])
    assert not np.array_equal(filled, picture)


def test_weights_without_a_model_are_left_as_they_are(golden_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.param"
    weights_beside(path).write_bytes(b"somebody else's")
    job = Export("ncnn", golden_folder, path, sizes=(SIZE,), precision="fp32")
    with pytest.raises(UsageError, match=r"m\.bin' would be replaced and is without a 'm"):
        export_model(job)
    assert [one.name for one in tmp_path.iterdir()] == ["m.bin"]
