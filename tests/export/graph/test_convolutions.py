"""Which form a float32 graph's convolutions get, and who is told when it does not fit."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import save_file

from lama_edge.errors import UsageError
from lama_edge.export.formats.record import Export
from lama_edge.export.formats.tensorrt import TENSORRT
from lama_edge.models.checkpoint import Checkpoint
from lama_edge.models.config import FfcResnetConfig
from lama_edge.pipeline import export_model
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


def _form(checkpoint: Path | None, folder: Path, **options: Any) -> str:
    job = Export(
        "onnx", checkpoint, folder / "x.onnx", sizes=(SIZE,), check_parity=False, **options
    )
    return export_model(job).manifest.kernels


def test_wide_float32_graphs_get_the_form_that_is_faster_on_processors(
    wide: Path, tmp_path: Path
) -> None:
    assert _form(wide, tmp_path) == "bands"


@pytest.mark.parametrize(
    "options", [{"options": {"for": "any"}}, {"precision": "w8"}, {"options": {"dft": "op"}}]
)
def test_others_do_not(wide: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    assert _form(wide, tmp_path, **options) == "direct"


def test_narrow_ones_do_not_unless_asked(tmp_path: Path) -> None:
    assert _form(None, tmp_path) == "direct"
    assert _form(None, tmp_path, options={"kernels": "bands"}, overwrite=True) == "bands"


def test_the_operator_and_the_form_exclude_each_other(wide: Path, tmp_path: Path) -> None:
    job = Export("onnx", wide, tmp_path / "x.onnx", options={"dft": "op", "kernels": "bands"})
    with pytest.raises(UsageError, match="this is the DFT as an operator: leave it out"):
        export_model(job)


def test_tensorrt_refuses_the_form_and_other_providers_are_warned_of_it(
    wide: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "x.onnx"
    manifest = export_model(Export("onnx", wide, path, sizes=(SIZE,), check_parity=False)).manifest
    with pytest.raises(UsageError, match="--for any"):
        TENSORRT.check_model(Export("tensorrt", path, tmp_path / "x.engine"), manifest)
    with caplog.at_level(logging.WARNING):
        _warn_of_loops(manifest, path, "cpu")
        _warn_of_loops(replace(manifest, format={"name": "onnx"}), path, "cuda")
        assert not caplog.records
        _warn_of_loops(manifest, path, "cuda")
    assert "for the provider cuda export it with --for any" in caplog.text
