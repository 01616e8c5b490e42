"""What a file is for: the form of its graph and its batch, and who is told when it does not fit."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from safetensors.numpy import save_file

from lama_edge.benchmarks.documents.model_files import manifest_facts
from lama_edge.errors import ModelError, UsageError
from lama_edge.exporters.formats.record import Export
from lama_edge.exporters.formats.tensorrt import TENSORRT
from lama_edge.manifest import Manifest
from lama_edge.models.checkpoint import Checkpoint
from lama_edge.models.config import FfcResnetConfig
from lama_edge.pipeline import export_model
from lama_edge.runtimes.base import open_runner
from lama_edge.runtimes.inpainting.inpainter import Inpainter
from lama_edge.runtimes.onnxruntime.runner import _warn_of_loops
from lama_edge.spec import Size

WIDE = FfcResnetConfig(ngf=32, n_blocks=1)  # 256 channels in the bottleneck
SIZE = Size(32, 32)


@pytest.fixture(scope="module")
def wide(
    make_checkpoint: Callable[..., Checkpoint], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("wide") / "wide.safetensors"
    tensors = dict(make_checkpoint(WIDE).tensors)
    save_file(tensors, path, {"config": json.dumps(WIDE.to_dict())})
    return path


CPU = {"for": "cpu"}


def _export(checkpoint: Path | None, folder: Path, **options: Any) -> Manifest:
    given: dict[str, Any] = {"sizes": (SIZE,), "check_parity": False, **options}
    return export_model(Export("onnx", checkpoint, folder / "x.onnx", **given)).manifest


def _form(checkpoint: Path | None, folder: Path, **options: Any) -> str:
    return _export(checkpoint, folder, **options).kernels


def _graph(folder: Path) -> onnx.GraphProto:
    return onnx.load(folder / "x.onnx").graph


def _batches(folder: Path) -> set[int | str]:
    graph = _graph(folder)
    firsts = [value.type.tensor_type.shape.dim[0] for value in [*graph.input, *graph.output]]
    return {first.dim_param or first.dim_value for first in firsts}


def test_by_default_a_file_is_for_every_consumer(wide: Path, tmp_path: Path) -> None:
    """No loops, one picture a run, and no constant that OpenCV 4 would have to name twice."""
    manifest = _export(wide, tmp_path)
    graph = _graph(tmp_path)
    assert manifest.purpose == "any"
    assert not {"Loop", "Scan", "If"} & {node.op_type for node in graph.node}
    assert _batches(tmp_path) == {1}
    constants = {value.name for value in graph.initializer}
    lefts = [node.input[0] for node in graph.node if node.op_type == "MatMul"]
    assert len([left for left in lefts if left.endswith(".left")]) == 2
    assert not constants & {left for left in lefts if lefts.count(left) > 1}


def test_what_consumers_need_costs_the_file_nothing(tmp_path: Path) -> None:
    _export(None, tmp_path)
    portable = (tmp_path / "x.onnx").stat().st_size
    _export(None, tmp_path, options={"for": "gpu"}, overwrite=True)
    assert portable <= 1.005 * (tmp_path / "x.onnx").stat().st_size


def test_the_batch_is_free_for_gpus_and_for_any_size(tmp_path: Path) -> None:
    assert _export(None, tmp_path, options={"for": "gpu"}).io.batch is None
    assert _batches(tmp_path) == {"batch"}
    assert _export(None, tmp_path, sizes=(None,), overwrite=True).io.batch is None
    assert _export(None, tmp_path, options={"batch": "dynamic"}, overwrite=True).io.batch is None
    pinned = _export(None, tmp_path, sizes=(None,), options={"batch": 1}, overwrite=True)
    assert pinned.io.batch == 1
    assert _batches(tmp_path) == {1}


def test_a_fixed_batch_is_judged_run_and_kept_to(tmp_path: Path) -> None:
    """Two pictures in a run are what each is alone; one picture of an app is run as two."""
    _export(None, tmp_path, options={"batch": "2"}, check_parity=True)
    values = np.random.default_rng(3)
    image = values.random((2, 3, 32, 32), np.float32)
    mask = (values.random((2, 1, 32, 32)) < 0.3).astype(np.float32)
    with open_runner(tmp_path / "x.onnx") as runner:
        assert runner.manifest.io.batch == 2
        both = runner.run(image, mask)
        with pytest.raises(ModelError, match=r"holds 1 pictures and the model takes 2 a run"):
            runner.run(image[:1], mask[:1])
    with Inpainter.open(tmp_path / "x.onnx") as inpainter:
        picture = values.integers(0, 256, (32, 32, 3), np.uint8)
        found = inpainter(picture, mask[0, 0] > 0)
    _export(None, tmp_path, overwrite=True)
    with open_runner(tmp_path / "x.onnx") as runner:
        alone = [runner.run(image[n : n + 1], mask[n : n + 1])[0] for n in range(2)]
    assert np.abs(both - np.stack(alone)).max() < 1e-5
    with Inpainter.open(tmp_path / "x.onnx") as inpainter:
        assert np.abs(found.astype(int) - inpainter(picture, mask[0, 0] > 0)).max() <= 1


@pytest.mark.parametrize("word", ["0", "257", "x", "-1", "1.0", "\u0663", ""])
def test_what_is_no_batch_is_refused(tmp_path: Path, word: str) -> None:
    with pytest.raises(UsageError, match="is no batch: give 1 to 256, or dynamic"):
        _export(None, tmp_path, options={"batch": word})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("batch", [0, 257, 2**70, "1", True, 1.0])
def test_a_manifest_with_no_batch_in_range_is_refused(tmp_path: Path, batch: Any) -> None:
    data = _export(None, tmp_path).to_dict()
    data["io"]["batch"] = batch
    with pytest.raises(ModelError, match="manifest"):
        Manifest.from_json(json.dumps(data))


def test_a_file_says_what_it_is_for_wherever_it_is_shown(tmp_path: Path) -> None:
    facts = manifest_facts(_export(None, tmp_path, options=CPU))
    assert facts["for"] == "cpu"
    assert "for" not in manifest_facts(replace(_export(None, tmp_path, overwrite=True),
                                               format={"name": "onnx"}))  # fmt: skip


def test_wide_float32_graphs_get_the_form_that_is_faster_on_processors(
    wide: Path, tmp_path: Path
) -> None:
    assert _form(wide, tmp_path, options=CPU) == "bands"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"options": {"for": "gpu"}},
        {"options": CPU, "precision": "w8"},
        {"options": {**CPU, "dft": "op"}},
    ],
)
def test_others_do_not(wide: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    assert _form(wide, tmp_path, **options) == "direct"


def test_narrow_ones_do_not_unless_asked(tmp_path: Path) -> None:
    assert _form(None, tmp_path, options=CPU) == "direct"
    assert _form(None, tmp_path, options={"kernels": "bands"}, overwrite=True) == "bands"


def test_the_operator_and_the_form_exclude_each_other(wide: Path, tmp_path: Path) -> None:
    job = Export("onnx", wide, tmp_path / "x.onnx", options={"dft": "op", "kernels": "bands"})
    with pytest.raises(UsageError, match="this is the DFT as an operator: leave it out"):
        export_model(job)


def test_tensorrt_refuses_the_form_and_other_providers_are_warned_of_it(
    wide: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "x.onnx"
    manifest = _export(wide, tmp_path, options=CPU)
    with pytest.raises(UsageError, match="for_='gpu'"):
        TENSORRT.check_model(Export("tensorrt", path, tmp_path / "x.engine"), manifest)
    with caplog.at_level(logging.WARNING):
        _warn_of_loops(manifest, path, "cpu")
        _warn_of_loops(replace(manifest, format={"name": "onnx"}), path, "cuda")
        assert not caplog.records
        _warn_of_loops(manifest, path, "cuda")
    assert "for the provider cuda export it with for_='gpu'" in caplog.text
