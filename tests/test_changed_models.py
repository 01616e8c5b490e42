"""Files that other tools changed since export: they open, and their old figures are not theirs."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import version_converter
from onnxruntime.quantization import CalibrationDataReader, quantize_dynamic, quantize_static
from places import DATA

from lama_edge import cli
from lama_edge.benchmarks.documents.model_files import quality_of
from lama_edge.exporters.formats.record import Export
from lama_edge.files import sha256_of
from lama_edge.manifest import Manifest
from lama_edge.pipeline import _manifest_of, export_model
from lama_edge.runtimes import registry
from lama_edge.runtimes.base import changed_since_export, open_runner
from lama_edge.runtimes.litert.record import LITERT
from lama_edge.runtimes.onnxruntime import session
from lama_edge.runtimes.onnxruntime.parts import read_manifest_of
from lama_edge.spec import Precision, Size

SIDE = 64
CHANGED = "changed since export: its figures are those of the file it was made from"
Change = Callable[[Path, Path], None]


class _Pictures(CalibrationDataReader):  # type: ignore[misc]
    """One picture to quantise by."""

    def __init__(self) -> None:
        rng = np.random.default_rng(1)
        image = rng.random((1, 3, SIDE, SIDE), dtype=np.float32)
        mask = (rng.random((1, 1, SIDE, SIDE)) > 0.7).astype(np.float32)
        self._left: Iterator[dict[str, Any]] = iter([{"image": image, "mask": mask}])

    def get_next(self) -> dict[str, Any] | None:
        return next(self._left, None)


def _dynamic(source: Path, target: Path) -> None:
    quantize_dynamic(source, target)


def _static(source: Path, target: Path) -> None:
    quantize_static(source, target, _Pictures())


def _converted(source: Path, target: Path) -> None:
    onnx.save(version_converter.convert_version(onnx.load(source), 18), target)


def _optimised(source: Path, target: Path) -> None:
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(target)
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    ort.InferenceSession(source, options)


def _one_bit(source: Path, target: Path) -> None:
    model = onnx.load(source)
    tensor = max(model.graph.initializer, key=lambda one: len(one.raw_data))
    tensor.raw_data = bytes([tensor.raw_data[0] ^ 1]) + tensor.raw_data[1:]
    onnx.save(model, target)


QUANTISED: tuple[Change, ...] = (_dynamic, _static)
CHANGES: tuple[Change, ...] = (*QUANTISED, _converted, _optimised, _one_bit)


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("judged") / "golden.onnx"
    export_model(Export("onnx", DATA / "fourier", path, sizes=(Size(SIDE, SIDE),)))
    return path


@pytest.fixture(scope="module")
def changed(judged: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Change], Path]:
    """Changes the file, once for each way."""
    folder = tmp_path_factory.mktemp("changed")

    def make(change: Change) -> Path:
        path = folder / f"{change.__name__}.onnx"
        if not path.exists():
            change(judged, path)
        return path

    return make


def _manifest(path: Path) -> Manifest:
    manifest = read_manifest_of(path)
    assert manifest is not None
    return manifest


def _inspected(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[list[str], dict[str, Any]]:
    capsys.readouterr()
    assert cli.main(["inspect", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert cli.main(["inspect", str(path), "--json"]) == 0
    return lines, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_inspect_says_that_a_file_was_changed(
    changed: Callable[[Change], Path], change: Change, capsys: pytest.CaptureFixture[str]
) -> None:
    lines, document = _inspected(changed(change), capsys)
    assert lines[-1] == CHANGED
    assert lines[-2].startswith("parity: ")
    assert document["changed_since_export"] is True


def test_inspect_says_nothing_of_a_file_as_exported(
    judged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "saved.onnx"
    model = onnx.load(judged)
    model.metadata_props.add(key="owner", value="somebody")
    model.producer_name = "another"
    onnx.save(model, saved)
    for path in (judged, saved):
        lines, document = _inspected(path, capsys)
        assert lines[-1].startswith("parity: ")
        assert "changed_since_export" not in document
        assert len(document["graph_sha256"]) == 64


@pytest.mark.parametrize(
    ("precision", "size"),
    [("fp32", None), *((name, Size(64, 72)) for name in ("fp16", "w8", "int8"))],
)
def test_every_export_has_the_digest_of_its_graph(
    exported: Callable[..., Path], precision: Precision, size: Size | None
) -> None:
    path = exported("fourier", size, precision=precision)
    assert _manifest(path).graph_sha256 is not None
    assert not changed_since_export(_manifest(path), path)


@pytest.mark.parametrize("name", ["float.onnx", "int8-64x72.onnx"])
def test_files_of_0_1_0_are_taken_at_their_word(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(DATA / "written-by-0.1.0" / name, tmp_path / name)
    lines, document = _inspected(tmp_path / name, capsys)
    assert CHANGED not in lines
    assert {"changed_since_export", "graph_sha256"}.isdisjoint(document)


TOY = replace(LITERT, suffixes=(".toy",), digest="lama_edge.files:sha256_of")


def test_the_runtimes_record_has_the_digest_of_its_files(
    judged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.toy"
    path.write_text("a model")
    manifest = replace(_manifest(judged), graph_sha256=sha256_of(path))
    monkeypatch.setattr(registry, "RUNTIMES", [f"{__name__}:TOY"])
    assert not changed_since_export(manifest, path)
    path.write_text("another")
    assert changed_since_export(manifest, path)
    assert not changed_since_export(manifest, path.with_suffix(".none"))


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_no_figure_of_a_changed_file_goes_into_documents_or_engines(
    judged: Path,
    changed: Callable[[Change], Path],
    change: Change,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = changed(change)
    assert quality_of(judged, _manifest(judged)) is not None
    assert quality_of(path, _manifest(path)) is None
    assert _manifest_of(judged).parity is not None
    assert caplog.messages == []
    assert _manifest_of(path).parity is None
    assert "was changed since export" in caplog.text


@pytest.mark.parametrize("change", QUANTISED, ids=lambda change: change.__name__)
def test_a_file_that_refuses_exact_sums_opens_without_them(
    changed: Callable[[Change], Path],
    change: Change,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session, "sums_saturate", lambda: True)
    path = changed(change)
    image = np.random.default_rng(0).random((1, 3, SIDE, SIDE), dtype=np.float32)
    with caplog.at_level(logging.WARNING), open_runner(path) as runner:
        (message,) = caplog.messages
        assert message.startswith(f"{path}: ONNX Runtime refuses exact int8 sums")
        hole = np.zeros((1, 1, SIDE, SIDE), dtype=np.float32)
        hole[..., 20:40, 20:40] = 1
        assert np.isfinite(runner.run(image, hole)).all()


def test_a_file_that_opens_with_exact_sums_is_told_nothing_of(
    judged: Path, exported: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    for path in (judged, exported("fourier", Size(64, 72), precision="int8")):
        open_runner(path).close()
    assert caplog.messages == []
