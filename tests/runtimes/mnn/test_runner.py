"""Opening MNN files: results on standard output alone, threads, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest

pytest.importorskip("MNN")

import MNN

from lama_edge.errors import ModelError, UsageError
from lama_edge.export.formats.record import Export
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
        # Whatever memory the arrays have, and whoever owns the result.
        wide = np.repeat(image, 2, axis=2)[:, :, ::2]
        assert not wide.flags.c_contiguous
        np.testing.assert_array_equal(runner.run(wide, mask), output)
        kept = output.copy()
        runner.run(255 - image, mask)
        np.testing.assert_array_equal(output, kept)
    known = np.broadcast_to(mask == 0, image.shape)
    assert np.array_equal(output[known], image[known])
    with pytest.raises(ModelError, match="the model is closed"):
        runner.run(image, mask)


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


def test_threads_that_share_a_model_get_their_own_results(model_path: Path) -> None:
    image, mask = _arrays()
    pictures = [np.roll(image, turn, axis=1) for turn in range(8)]
    with open_runner(model_path, threads=1) as runner:
        wanted = [runner.run(picture, mask) for picture in pictures]
        with ThreadPoolExecutor(4) as pool:
            for _ in range(3):
                found = list(pool.map(lambda picture: runner.run(picture, mask), pictures))
                np.testing.assert_array_equal(found, wanted)


def test_a_run_that_a_close_overtakes_ends_well(model_path: Path) -> None:
    """The close of another thread, while the run waits for its turn."""
    image, mask = _arrays()
    with open_runner(model_path) as runner:
        wanted = runner.run(image, mask)
        turns = MagicMock()
        turns.__enter__.side_effect = runner.close
        runner._lock = turns
        np.testing.assert_array_equal(runner.run(image, mask), wanted)
        turns.__enter__.assert_called_once()
        with pytest.raises(ModelError, match="the model is closed"):
            runner.run(image, mask)
