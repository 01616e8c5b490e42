"""Opening exported models in the emulator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

import lama_edge
from lama_edge.errors import ModelError, UsageError
from lama_edge.runtimes.base import open_runner
from lama_edge.runtimes.emulator.execution import open_observable
from lama_edge.runtimes.emulator.runner import EmulatedRunner
from lama_edge.runtimes.emulator.survey import first_not_finite

# Measured: 7e-7.
LARGEST_DIFFERENCE = 1e-5


@pytest.fixture(scope="module")
def model_path(exported: Callable[..., Path]) -> Path:
    return exported()


def _arrays() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    mask = (rng.random((1, 1, 32, 48)) < 0.3).astype(np.float32)
    return rng.random((1, 3, 32, 48), dtype=np.float32), mask


def test_an_exported_model_opens_in_the_emulator_by_the_providers_name(model_path: Path) -> None:
    with open_runner(model_path, provider="emulated") as runner:
        assert isinstance(runner, EmulatedRunner)
        assert runner.provider == "emulated"
        assert runner.title == f"emulator {lama_edge.__version__}"
        ours = runner.run(*_arrays())
        image, mask = _arrays()
        assert first_not_finite(runner.program, {"image": image, "mask": mask}) is None
    with open_runner(model_path) as runner:
        theirs = runner.run(*_arrays())
    assert np.abs(ours - theirs).max() <= LARGEST_DIFFERENCE


def test_other_formats_are_refused(golden_folder: Path) -> None:
    with pytest.raises(UsageError, match="no provider 'emulated'; choose one of: auto, cpu, cuda"):
        open_runner(golden_folder, provider="emulated")
    with pytest.raises(ModelError, match=r"only \.onnx and \.mlpackage can be emulated, not"):
        open_observable(golden_folder)


def test_it_refuses_tiles(model_path: Path) -> None:
    with (
        open_runner(model_path, provider="emulated") as runner,
        pytest.raises(ModelError, match="whole pictures only"),
    ):
        runner.tiled()


def test_arrays_that_do_not_fit_are_refused(model_path: Path) -> None:
    image, mask = _arrays()
    with open_runner(model_path, provider="emulated") as runner:
        with pytest.raises(ModelError, match=r"30x48.*multiples of 8"):
            runner.run(image[:, :, :30], mask[:, :, :30])
        with pytest.raises(ModelError, match="dtype float64"):
            runner.run(image.astype(np.float64), mask)


def _more(model: onnx.ModelProto) -> onnx.ValueInfoProto:
    value = onnx.ValueInfoProto()
    value.CopyFrom(model.graph.input[0])
    value.name = "more"
    return value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.ClearField("metadata_props"), "carries no lama-edge manifest"),
        (lambda m: m.graph.input.append(_more(m)), "other inputs"),
        (
            lambda m: setattr(m.graph.output[0].type.tensor_type, "elem_type", TensorProto.FLOAT16),
            "other outputs",
        ),
    ],
)
def test_a_file_that_is_not_what_its_manifest_says_is_refused(
    model_path: Path,
    tmp_path: Path,
    change: Callable[[onnx.ModelProto], object],
    message: str,
) -> None:
    model = onnx.load(model_path)
    change(model)
    path = tmp_path / "changed.onnx"
    onnx.save(model, path)
    with pytest.raises(ModelError, match=message):
        open_runner(path, provider="emulated")


def test_a_damaged_file_is_refused(model_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.onnx"
    path.write_bytes(model_path.read_bytes()[:5000])
    with pytest.raises(ModelError, match=r"cut\.onnx.*cannot be read"):
        open_runner(path, provider="emulated")
