"""Exported programs in ExecuTorch: how they open, run and close, and what is refused."""

from __future__ import annotations

import gc
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from executorch_programs import Programs

from lama_edge.containers.executorch import texts_to_fill, write_manifest
from lama_edge.errors import MissingBackendError, ModelError, UsageError
from lama_edge.runtimes.base import open_runner
from lama_edge.runtimes.executorch.facts import manifest_of
from lama_edge.runtimes.inpainting.inpainter import Inpainter
from lama_edge.spec import Size

SIZE = Size(64, 88)
# What stays of a model of 1 MB and its maps, opened and closed twenty times, in bytes.
MOST_LEFT = 20e6


@pytest.fixture(scope="module")
def model(program: Programs) -> Path:
    return program("regular", SIZE)


def inputs(height: int = 64, width: int = 88) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    image = rng.random((1, 3, height, width), np.float32)
    return image, (rng.random((1, 1, height, width)) > 0.5).astype(np.float32)


def test_a_program_opens_by_its_name_and_runs_on_the_processor(model: Path) -> None:
    with open_runner(model) as runner:
        assert (runner.provider, runner.manifest.size.fixed) == ("cpu", SIZE)
        assert runner.title == f"executorch {runner.runtime_version} cpu"
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


def test_threads_are_not_replaced_under_an_open_program(model: Path) -> None:
    """ExecuTorch would free what the open one computes with, and the process die."""
    with open_runner(model, threads=1) as runner:
        with pytest.raises(
            UsageError, match=r"threads=2 cannot be had while another .* open with 1"
        ):
            open_runner(model, threads=2)
        for threads in (1, None):
            with open_runner(model, threads=threads) as other:
                np.testing.assert_array_equal(other.run(*inputs()), runner.run(*inputs()))
    open_runner(model, threads=2).close()


def test_other_arrays_are_refused(model: Path) -> None:
    image, mask = inputs()
    with open_runner(model) as runner:
        for wrong, message in (
            ((image.transpose(0, 2, 3, 1), mask), r"shape \(1, 64, 88, 3\); the model takes"),
            (((image * 255).astype(np.uint8), mask), "dtype uint8; the model takes float32"),
            (inputs(72, 88), "the model takes 64x88"),
            ((np.repeat(image, 2, 0), np.repeat(mask, 2, 0)), "holds 2 pictures|2 pictures"),
        ):
            with pytest.raises(ModelError, match=message):
                runner.run(*wrong)


def test_tiles_other_providers_and_parts_are_refused(model: Path) -> None:
    with open_runner(model) as runner, pytest.raises(ModelError, match="cannot run in tiles"):
        runner.tiled()
    with pytest.raises(UsageError, match="no provider 'cuda'; choose one of: auto, cpu"):
        open_runner(model, provider="cuda")
    with pytest.raises(UsageError, match="has no part 'a'"):
        open_runner(f"{model}#a")


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


def test_the_inpainter_takes_any_picture_to_a_program(model: Path) -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (90, 120, 3), np.uint8)
    mask = np.zeros((90, 120), np.uint8)
    mask[30:60, 40:80] = 255
    with Inpainter.open(model) as inpainter:
        result = inpainter(picture, mask)
    assert np.array_equal(result[mask == 0], picture[mask == 0])
    assert not np.array_equal(result[mask > 0], picture[mask > 0])


def test_a_manifest_of_another_model_is_refused(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.pte"
    shutil.copyfile(model, path)
    write_manifest(path, manifest_of(model).to_json().replace("[64,88]", "[88,64]"))
    with pytest.raises(ModelError, match="has other inputs than its manifest says"):
        open_runner(path)


def test_a_program_for_a_backend_that_is_not_here_is_refused(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.pte"
    shutil.copyfile(model, path)
    write_manifest(path, manifest_of(model).to_json().replace('"xnnpack"', '"vulkan"'))
    with pytest.raises(MissingBackendError, match="run it in an app, or export it with"):
        open_runner(path)


class _Other(torch.nn.Module):
    def __init__(self, given: int) -> None:
        super().__init__()
        self._given = given

    def forward(self, *taken: torch.Tensor) -> Any:
        doubled = taken[0] * 2
        return (doubled,) * self._given


@pytest.mark.parametrize(
    ("method", "takes", "gives", "message"),
    [
        ("forward", 1, 1, "has other inputs than its manifest says"),
        ("forward", 3, 1, "has other inputs than its manifest says"),
        ("forward", 2, 2, "has other outputs than its manifest says"),
        ("encode", 2, 1, "has no method 'forward': it is no program of lama-edge's; export it"),
    ],
)
def test_a_sealed_program_of_somebody_elses_is_refused(
    model: Path, tmp_path: Path, method: str, takes: int, gives: int, message: str
) -> None:
    from executorch.exir import to_edge_transform_and_lower

    path, text = tmp_path / "a.pte", manifest_of(model).to_json()
    arrays = tuple(map(torch.from_numpy, [*inputs(), *inputs()][:takes]))
    exported = torch.export.export(_Other(gives), arrays)
    lowered = to_edge_transform_and_lower({method: exported}, constant_methods=texts_to_fill(text))
    with path.open("wb") as file:
        lowered.to_executorch().write_to_file(file)
    write_manifest(path, text)
    with pytest.raises(ModelError, match=message):
        open_runner(path)


def test_the_runner_needs_no_onnx_and_says_nothing(model: Path) -> None:
    code = (
        "import sys\n"
        "blocked = ('onnx', 'onnx_ir', 'onnxruntime')\n"
        "sys.modules.update(dict.fromkeys(blocked))\n"
        "from lama_edge.runtimes.base import open_runner\n"
        "import numpy as np\n"
        "for threads in (1, 2):\n"
        "    open_runner(sys.argv[1], threads=threads).close()\n"
        "with open_runner(sys.argv[1]) as runner:\n"
        "    one = runner.run(np.zeros((1, 3, 64, 88), 'f'), np.ones((1, 1, 64, 88), 'f'))\n"
        "print(one.shape)\n"
    )
    words = [sys.executable, "-P", "-c", code, str(model)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(1, 3, 64, 88)"
    assert done.stderr == ""


def test_the_guide_s_lines_run_without_lama_edge(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guide = (Path(__file__).parents[3] / "docs" / "reference" / "executorch.md").read_text(
        encoding="utf-8"
    )
    _, _, rest = guide.partition("```python\n")
    lines, _, _ = rest.partition("```")
    assert "lama_edge" not in lines.replace('"lama_edge"', "")
    (tmp_path / "lama.pte").symlink_to(model)
    monkeypatch.chdir(tmp_path)
    image, mask = inputs()
    names = {"image": torch.from_numpy(image), "mask": torch.from_numpy(mask)}
    exec(lines, names)
    with open_runner(model) as runner:
        np.testing.assert_array_equal(names["result"].numpy(), runner.run(image, mask))
