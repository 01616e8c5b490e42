"""Opening MNN files: results on standard output alone, threads, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("MNN")

import MNN

from lama_edge.errors import ModelError, UsageError
from lama_edge.exporters.formats.record import Export
from lama_edge.pipeline import export_model
from lama_edge.runtimes.base import open_runner
from lama_edge.runtimes.inpainting.inpainter import Inpainter
from lama_edge.spec import Size

SIZE = Size(72, 104)


@pytest.fixture(scope="module")
def model_path(golden_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mnn") / "golden.mnn"
    job = Export("mnn", golden_folder, path, sizes=(SIZE,), io="uint8", precision="fp32")
    result = export_model(job)
    assert result.manifest.parity is not None
    assert result.manifest.parity.runtime == f"mnn {MNN.version()} cpu"
    return path


def _arrays(size: Size = SIZE) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    shape = (1, size.height, size.width)
    return (
        rng.integers(0, 256, (*shape, 3), dtype=np.uint8),
        (rng.random((*shape, 1)) < 0.3).astype(np.uint8),
    )


def test_a_runner_needs_only_the_file(model_path: Path) -> None:
    image, mask = _arrays()
    with open_runner(model_path) as runner:
        assert runner.title == f"mnn {MNN.version()} cpu"
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


def test_what_does_not_fit_is_refused(model_path: Path) -> None:
    with pytest.raises(UsageError, match="no provider 'cuda'; choose one of: auto, cpu"):
        open_runner(model_path, provider="cuda")
    with open_runner(model_path) as runner:
        with pytest.raises(ModelError, match="80x104"):
            runner.run(*_arrays(Size(80, 104)))
        with pytest.raises(ModelError, match="dtype"):
            runner.run(*(array.astype(np.float32) for array in _arrays()))


def test_pictures_of_any_size_are_inpainted(model_path: Path) -> None:
    image, mask = _arrays(Size(150, 99))
    hole = np.zeros_like(mask)
    hole[:, 40:90, 20:50] = 255
    with Inpainter.open(model_path) as inpainter:
        filled = inpainter(image[0], hole[0, :, :, 0])
    known = hole[0, :, :, 0] == 0
    assert np.array_equal(filled[known], image[0][known])
    assert not np.array_equal(filled, image[0])


def test_standard_output_is_for_results(model_path: Path) -> None:
    """MNN prints what it opens on standard output, and C's library keeps that back to the end."""
    program = (
        "import sys; from lama_edge.runtimes.base import open_runner\n"
        "open_runner(sys.argv[1]).close(); print('result')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(model_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "result\n"


def test_a_program_without_standard_output_opens_files(model_path: Path) -> None:
    program = (
        "import os, sys; os.close(1); from lama_edge.runtimes.base import open_runner\n"
        "open_runner(sys.argv[1]).close()"
    )
    subprocess.run([sys.executable, "-c", program, str(model_path)], check=True)
