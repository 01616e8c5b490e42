"""Exported files in LiteRT's interpreter: how they open, run and close, and what is refused."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

pytest.importorskip("ai_edge_litert")

from lama_edge.errors import ModelError, UsageError
from lama_edge.exporters.formats.record import Export
from lama_edge.pipeline import export_model
from lama_edge.runtimes.base import open_runner
from lama_edge.runtimes.inpainting.inpainter import Inpainter
from lama_edge.runtimes.litert.runner import LitertRunner
from lama_edge.spec import Size

SIZE = Size(72, 104)
# What stays of a model of 4.5 MB and its maps, opened and closed twenty times, in bytes.
MOST_LEFT = 20e6


@pytest.fixture(scope="module")
def model(golden_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "golden.tflite"
    job = Export("litert", golden_folder, path, sizes=(SIZE,), precision="fp32", check_parity=False)
    export_model(job)
    return path


def inputs(height: int = 72, width: int = 104) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    image = rng.random((1, height, width, 3), np.float32)
    return image, (rng.random((1, height, width, 1)) > 0.5).astype(np.float32)


def test_a_file_opens_by_its_name_and_runs_on_the_processor(model: Path) -> None:
    with open_runner(model) as runner:
        assert isinstance(runner, LitertRunner)
        assert (runner.provider, runner.manifest.size.fixed) == ("cpu", SIZE)
        assert runner.title == f"litert {runner.runtime_version} cpu"
        assert runner.uses_host_memory
        image, mask = inputs()
        output = runner.run(image, mask)
    known = np.broadcast_to(mask == 0, image.shape)
    np.testing.assert_array_equal(output[known], image[known])
    assert output.shape == image.shape
    assert not np.array_equal(output, image)


def test_threads_change_no_result(model: Path) -> None:
    results = []
    for threads in (1, 2, None):
        with open_runner(model, threads=threads) as runner:
            results.append(runner.run(*inputs()))
    np.testing.assert_allclose(results[0], results[1], rtol=0, atol=1e-6)
    np.testing.assert_allclose(results[0], results[2], rtol=0, atol=1e-6)


def test_other_arrays_are_refused(model: Path) -> None:
    image, mask = inputs()
    with open_runner(model) as runner:
        for wrong, message in (
            ((image.transpose(0, 3, 1, 2), mask), r"shape \(1, 3, 72, 104\); the model takes"),
            (((image * 255).astype(np.uint8), mask), "dtype uint8; the model takes float32"),
            (inputs(64, 104), "the model takes 72x104"),
            ((np.repeat(image, 2, 0), np.repeat(mask, 2, 0)), "holds 2 pictures|2 pictures"),
        ):
            with pytest.raises(ModelError, match=message):
                runner.run(*wrong)


def test_tiles_are_refused(model: Path) -> None:
    with open_runner(model) as runner, pytest.raises(ModelError, match="cannot run in tiles"):
        runner.tiled()


def test_closing_gives_the_memory_back(model: Path) -> None:
    def opened() -> None:
        with open_runner(model) as runner:
            runner.run(*inputs())

    opened()
    gc.collect()
    process = psutil.Process()
    before = process.memory_info().rss
    for _ in range(20):
        opened()
    gc.collect()
    assert process.memory_info().rss - before < MOST_LEFT


def test_the_inpainter_takes_any_picture_to_a_file(model: Path) -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (90, 120, 3), np.uint8)
    mask = np.zeros((90, 120), np.uint8)
    mask[30:60, 40:80] = 255
    with Inpainter.open(model) as inpainter:
        result = inpainter(picture, mask)
    assert np.array_equal(result[mask == 0], picture[mask == 0])
    assert not np.array_equal(result[mask > 0], picture[mask > 0])


def test_other_providers_and_parts_are_refused(model: Path) -> None:
    with pytest.raises(UsageError, match="no provider 'cuda'; choose one of: auto, cpu"):
        open_runner(model, provider="cuda")
    with pytest.raises(UsageError, match="has no part 'a'"):
        open_runner(f"{model}#a")


def test_a_file_without_a_manifest_is_refused(tmp_path: Path) -> None:
    from lama_edge.exporters.formats.litert.flatbuffer import OPERATORS, GraphWriter

    writer, path = GraphWriter(), tmp_path / "others.tflite"
    x = writer.tensor("x", (1, 4))
    y = writer.operator(OPERATORS.RELU, [x], writer.tensor("y", (1, 4)))
    writer.write(path, {"x": x}, {"y": y}, description="", manifest="")
    with pytest.raises(ModelError, match="manifest"):
        open_runner(path)


@pytest.mark.parametrize("content", [b"", b"TFL3", b"no model at all, but a line of text"])
def test_what_is_no_file_of_litert_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"a\.tflite"):
        open_runner(path)


def test_the_runner_needs_neither_torch_nor_onnx(model: Path) -> None:
    """As on a board that has LiteRT alone."""
    code = (
        "import sys\n"
        "blocked = ('torch', 'onnx', 'onnx_ir', 'onnxruntime', 'tensorflow')\n"
        "sys.modules.update(dict.fromkeys(blocked))\n"
        "from lama_edge.runtimes.base import open_runner\n"
        "import numpy as np\n"
        "with open_runner(sys.argv[1]) as runner:\n"
        "    one = runner.run(np.zeros((1, 72, 104, 3), 'f'), np.ones((1, 72, 104, 1), 'f'))\n"
        "print(one.shape)\n"
        "open_runner(sys.argv[1]).close()\n"
    )
    words = [sys.executable, "-P", "-c", code, str(model)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(1, 72, 104, 3)"
    assert done.stderr == ""


def test_the_guide_s_lines_run_without_lama_edge(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guide = (Path(__file__).parents[3] / "docs" / "reference" / "litert.md").read_text(
        encoding="utf-8"
    )
    _, _, rest = guide.partition("```python\n")
    lines, _, _ = rest.partition("```")
    assert "lama_edge" not in lines
    (tmp_path / "lama.tflite").symlink_to(model)
    monkeypatch.chdir(tmp_path)
    image, mask = inputs()
    names = {"image": image, "mask": mask}
    exec(lines, names)
    with open_runner(model) as runner:
        np.testing.assert_allclose(names["result"], runner.run(image, mask), rtol=0, atol=1e-6)
