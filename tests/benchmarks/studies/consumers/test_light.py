"""The light consumers read what an export without flags beyond the size writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from places import DATA
from safetensors.numpy import save_file

from lama_edge.benchmarks.studies.consumers.cells import ModelFile
from lama_edge.benchmarks.studies.consumers.consumers import CONSUMERS, Consumer
from lama_edge.benchmarks.studies.consumers.environments import default_folder, installed
from lama_edge.benchmarks.studies.consumers.prepare import Prepared, export_file, prepare
from lama_edge.benchmarks.studies.consumers.read import judge, read_files
from lama_edge.models.checkpoint import Checkpoint
from lama_edge.models.config import BIG_LAMA, FfcResnetConfig
from lama_edge.spec import IoForm, Size

pytestmark = pytest.mark.consumers

LIGHT = [consumer for consumer in CONSUMERS if consumer.light]
FORMS: tuple[IoForm, ...] = ("float", "uint8")
FP32 = [ModelFile(model, "fixed", io, "fp32") for model in ("lama-tiny", "fourier") for io in FORMS]
INT8 = [ModelFile(model, "fixed", "float", "int8") for model in ("lama-tiny", "fourier")]
OPENVINO = [consumer for consumer in CONSUMERS if consumer.name.startswith("openvino")]
# Big-lama's own width, so that `--for cpu` would write loops, and the shortest of its trunks.
THIN_BIG_LAMA = FfcResnetConfig(n_blocks=1)


def interpreter(consumer: Consumer) -> Path:
    python = installed(consumer.environment, default_folder())
    if python is None:
        pytest.skip(
            f"no environment {consumer.environment.name!r}: "
            "python -m lama_edge.benchmarks.studies.consumers --install-light makes it"
        )
    return python


def prepared_files(files: list[ModelFile], folder: Path) -> list[Prepared]:
    sources = {"lama-tiny": None, "fourier": DATA / "fourier"}
    return [prepared_file(file, sources[file.model], folder) for file in files]


def prepared_file(file: ModelFile, source: Path | None, folder: Path) -> Prepared:
    return prepare(export_file(file, source, folder), source, file.io, folder)


@pytest.fixture(scope="module")
def fp32_files(tmp_path_factory: pytest.TempPathFactory) -> list[Prepared]:
    return prepared_files(FP32, tmp_path_factory.mktemp("fp32"))


@pytest.fixture(scope="module")
def int8_files(tmp_path_factory: pytest.TempPathFactory) -> list[Prepared]:
    return prepared_files(INT8, tmp_path_factory.mktemp("int8"))


@pytest.mark.parametrize("consumer", LIGHT, ids=lambda consumer: consumer.name)
def test_fp32_files_of_one_size_are_right_in_either_form(
    consumer: Consumer, fp32_files: list[Prepared], tmp_path: Path
) -> None:
    readings = read_files(consumer, interpreter(consumer), fp32_files, tmp_path)
    cells = [judge(consumer, *one) for one in zip(FP32, fp32_files, readings, strict=True)]
    wanted = "counted" if consumer.counts else "right"
    assert [cell.outcome for cell in cells] == [wanted] * len(FP32), cells


def test_phones_accelerators_take_all_but_a_few_nodes(
    fp32_files: list[Prepared], tmp_path: Path
) -> None:
    (consumer,) = [one for one in LIGHT if one.counts]
    for reading in read_files(consumer, interpreter(consumer), fp32_files, tmp_path):
        taken, total = map(int, reading.note.split(", ")[0].removeprefix("NNAPI ").split("/"))
        assert total - taken <= 4, reading


@pytest.mark.parametrize("consumer", OPENVINO, ids=lambda consumer: consumer.name)
def test_openvino_computes_int8_files_of_one_size_as_onnx_runtime_does(
    consumer: Consumer, int8_files: list[Prepared], tmp_path: Path
) -> None:
    readings = read_files(consumer, interpreter(consumer), int8_files, tmp_path)
    cells = [judge(consumer, *one) for one in zip(INT8, int8_files, readings, strict=True)]
    assert [cell.outcome for cell in cells] == ["right"] * len(INT8), cells


@pytest.mark.parametrize("io", FORMS)
def test_our_runner_fixes_the_batch_of_int8_for_openvino(
    io: IoForm, exported: Callable[..., Path], tmp_path: Path
) -> None:
    # With a free batch OpenVINO gives 31.7 dB of this file, where ONNX Runtime has 45.4.
    size = Size(128, 192)
    (consumer,) = [one for one in OPENVINO if one.name == "openvino-provider"]
    path = exported("fourier", size, io=io, precision="int8", batch="dynamic")
    one = prepare(path, DATA / "fourier", io, tmp_path, size=size)
    (reading,) = read_files(consumer, interpreter(consumer), [one], tmp_path)
    cell = judge(consumer, ModelFile("fourier", "fixed", io, "int8", "gpu"), one, reading)
    assert cell.outcome == "right", cell
    assert cell.psnr_db is not None
    assert cell.onnxruntime_db is not None
    assert cell.psnr_db > cell.onnxruntime_db - 1


@pytest.mark.parametrize(
    "config",
    [THIN_BIG_LAMA, pytest.param(BIG_LAMA, marks=pytest.mark.slow)],
    ids=["thin", "whole"],
)
@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("openvino", "fixed"), ("openvino", "dynamic"),
        ("opencv4", "fixed"),
        ("opencv5", "fixed"), ("opencv5", "dynamic"),
    ],
)  # fmt: skip
def test_an_export_of_big_lamas_shape_opens(
    config: FfcResnetConfig,
    name: str,
    size: str,
    make_checkpoint: Callable[..., Checkpoint],
    tmp_path: Path,
) -> None:
    (consumer,) = [one for one in LIGHT if one.name == name]
    python = interpreter(consumer)
    checkpoint = tmp_path / "big-lama.safetensors"
    tensors = make_checkpoint(config).tensors
    save_file(dict(tensors), checkpoint, {"config": json.dumps(config.to_dict())})
    file = ModelFile("big-lama", size, "float", "fp32")
    one = prepared_file(file, checkpoint, tmp_path)
    (reading,) = read_files(consumer, python, [one], tmp_path)
    assert judge(consumer, file, one, reading).outcome == "right"
