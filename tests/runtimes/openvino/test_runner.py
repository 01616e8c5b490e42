"""OpenVINO's runner: which device, in which precision, and what it refuses to open."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("openvino")

from torch_answers import CASES, answer_of

from lama_edge import cli
from lama_edge.benchmarks.documents.model_files import model_record, quality_of
from lama_edge.errors import MissingBackendError, ModelError, UsageError
from lama_edge.exporters.formats.openvino.ir import stamp_ir
from lama_edge.judging.judge import run_case
from lama_edge.manifest import Manifest
from lama_edge.runtimes.base import changed_since_export, open_runner
from lama_edge.runtimes.model_files import model_files, model_sha256, model_size_bytes
from lama_edge.runtimes.openvino.runner import (
    check_fits,
    choose_device,
    devices_here,
    openvino,
    settings_for,
)
from lama_edge.spec import Size

SIZE = CASES[0][1]
MakeModel = Callable[..., Path]


@pytest.fixture
def model(openvino_model: MakeModel, tmp_path: Path) -> Path:
    """A model of its own, of one size."""
    return _copied(openvino_model("fourier", SIZE), tmp_path / "model.xml")


def _copied(model: Path, to: Path) -> Path:
    for source, target in ((model, to), (model.with_suffix(".bin"), to.with_suffix(".bin"))):
        shutil.copyfile(source, target)
    return to


def _manifest(model: Path) -> Manifest:
    with open_runner(model, provider="cpu") as runner:
        return runner.manifest


def test_it_computes_in_float32_whatever_the_processor_likes_better(
    model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with open_runner(model, provider="cpu", threads=1) as runner:
        assert runner.title == f"openvino {runner.runtime_version} cpu"
        assert runner.uses_host_memory
    assert f"{model} computes in f32 on CPU" in caplog.messages


@pytest.mark.parametrize(
    ("provider", "precision", "can", "wanted"),
    [
        ("cpu", "fp32", ["FP32", "BF16", "FP16"], "f32"),
        ("cpu", "fp16", ["FP32", "BF16"], "f32"),
        ("cpu", "fp16", ["FP32", "FP16"], "f16"),
        ("gpu", "fp32", ["FP32", "FP16"], "f32"),
        ("gpu", "w8", ["FP32", "FP16"], "f32"),
        ("gpu", "int8", ["FP32", "FP16", "INT8"], "f32"),
        ("gpu", "fp16", ["FP32", "FP16"], "f16"),
        ("npu", "fp16", ["FP16"], None),
    ],
)
def test_the_manifests_precision_is_asked_for(
    model: Path, provider: str, precision: str, can: list[str], wanted: str | None
) -> None:
    manifest = replace(_manifest(model), precision=precision)
    settings = settings_for(provider, manifest, can, None)
    assert settings.get("INFERENCE_PRECISION_HINT") == wanted
    assert ("DYNAMIC_QUANTIZATION_GROUP_SIZE" in settings) == (provider == "cpu")


@pytest.mark.parametrize(("precision", "together"), [("fp32", 0), ("w8", 0), ("int8", 64)])
def test_products_round_what_they_read_in_int8_alone(
    model: Path, precision: str, together: int
) -> None:
    """OpenVINO's own choice is 32 channels for every model with int8 weights."""
    settings = settings_for("cpu", replace(_manifest(model), precision=precision), [], None)
    assert settings["DYNAMIC_QUANTIZATION_GROUP_SIZE"] == together


def test_threads_are_the_processors(model: Path) -> None:
    manifest = _manifest(model)
    assert settings_for("cpu", manifest, [], 3)["INFERENCE_NUM_THREADS"] == 3
    assert "INFERENCE_NUM_THREADS" not in settings_for("gpu", manifest, [], 3)
    compiled = openvino.Core().compile_model(model, "CPU", settings_for("cpu", manifest, [], 1))
    assert compiled.get_property("INFERENCE_NUM_THREADS") == 1
    assert compiled.get_property("INFERENCE_PRECISION_HINT").to_string() == "f32"


class _Machine:
    """A core that finds these devices."""

    def __init__(self, *devices: str) -> None:
        self.available_devices = devices


def test_auto_is_a_gpu_where_there_is_one() -> None:
    assert devices_here(_Machine("CPU", "GPU.0", "GPU.1", "NPU")) == ["cpu", "gpu", "npu"]
    assert choose_device(_Machine("CPU", "GPU.0"), "auto") == "gpu"
    assert choose_device(_Machine("CPU", "NPU"), "auto") == "cpu"
    assert choose_device(_Machine("CPU", "NPU"), "npu") == "npu"


def test_a_device_that_is_not_here_is_told_with_those_that_are(model: Path) -> None:
    with pytest.raises(MissingBackendError, match=r"no device 'gpu' .* it has: cpu, npu$"):
        choose_device(_Machine("CPU", "NPU"), "gpu")
    for name in {"gpu", "npu"} - set(devices_here(openvino.Core())):
        with pytest.raises(MissingBackendError, match=f"no device '{name}' here"):
            open_runner(model, provider=name)
    with pytest.raises(UsageError, match=r"choose one of: auto, cpu, gpu, npu$"):
        open_runner(model, provider="cuda")


def test_npus_take_one_size_and_compute_in_fp16(
    model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    manifest = _manifest(model)
    free = replace(manifest, size=replace(manifest.size, fixed=None))
    with pytest.raises(ModelError, match=r"takes any size and NPUs take one: .* size=512"):
        check_fits("npu", free, model)
    check_fits("gpu", free, model)
    check_fits("npu", replace(manifest, precision="fp16"), model)
    assert caplog.messages == []
    check_fits("npu", manifest, model)
    assert "is fp32 and the NPU computes in fp16" in caplog.text


def test_arrays_that_do_not_fit_are_refused(model: Path, openvino_model: MakeModel) -> None:
    image, mask = np.zeros((1, 3, 64, 64), np.float32), np.zeros((1, 1, 64, 64), np.float32)
    with open_runner(model, provider="cpu") as runner:
        with pytest.raises(ModelError, match="image has dtype float64"):
            runner.run(image.astype(float), mask)
        with pytest.raises(ModelError, match="the model takes 64x64"):
            runner.run(image[..., :56], mask[..., :56])
        with pytest.raises(ModelError, match="holds 2 pictures and the model takes 1"):
            runner.run(image.repeat(2, 0), mask.repeat(2, 0))
        with pytest.raises(ModelError, match="cannot run in tiles"):
            runner.tiled()
    with (
        open_runner(openvino_model("fourier"), provider="cpu") as runner,
        pytest.raises(ModelError, match="multiples of 8; next is 64x64"),
    ):
        runner.run(image[..., :60, :60], mask[..., :60, :60])


def test_what_it_gives_stays_when_it_runs_again(openvino_model: MakeModel) -> None:
    cases, _ = answer_of("fourier", None)
    with open_runner(openvino_model("fourier"), provider="cpu") as runner:
        first = run_case(runner, cases[0]).levels
        kept = first.copy()
        run_case(runner, cases[1])
        np.testing.assert_array_equal(first, kept)


def test_both_files_are_the_model(model: Path, tmp_path: Path) -> None:
    weights = model.with_suffix(".bin")
    assert model_files(model) == [model, weights]
    assert model_size_bytes(model) == model.stat().st_size + weights.stat().st_size
    record = model_record(model, _manifest(model))
    assert (record["format"], record["sha256"]) == ("openvino", model_sha256(model))
    before = model_sha256(model)
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert model_sha256(model) != before


def _truncate(model: Path) -> None:
    weights = model.with_suffix(".bin")
    weights.write_bytes(weights.read_bytes()[:-4])


def _flip(model: Path) -> None:
    weights = model.with_suffix(".bin")
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.with_suffix(".bin").unlink(), "without its weights 'model.bin': copy both"),
        (_truncate, "'model.bin' does not belong to .*, or is damaged: copy both files"),
        (_flip, "'model.bin' does not belong to .*, or is damaged"),
        (lambda m: m.write_bytes(b""), "cannot be read as XML .*; export it again"),
        (lambda m: m.write_bytes(m.read_bytes()[:-200]), "cannot be read as XML"),
        (lambda m: m.write_text("<a/>"), "is XML, and no OpenVINO model"),
        (
            lambda m: m.write_text(
                '<!DOCTYPE net [<!ENTITY a "a">]>\n' + m.read_text().partition("\n")[2]
            ),
            "it declares a document type",
        ),
        (lambda m: _rename(m, "lama_edge", "other"), "carries no lama-edge manifest; export it"),
        (lambda m: _rename(m, 'names="image"', 'names="picture"'), "has other inputs than its"),
        (lambda m: _stamped(m, Size(64, 72)), "has other inputs than its manifest says"),
    ],
)
def test_what_is_no_whole_model_is_refused(
    model: Path, change: Callable[[Path], Any], message: str
) -> None:
    change(model)
    with pytest.raises(ModelError, match=message):
        open_runner(model, provider="cpu")


def _rename(model: Path, old: str, new: str) -> None:
    model.write_text(model.read_text().replace(old, new))


def _stamped(model: Path, size: Size) -> None:
    manifest = _manifest(model)
    stamp_ir(replace(manifest, size=replace(manifest.size, fixed=size)), model)


def test_another_models_weights_of_the_same_size_are_refused(
    model: Path, openvino_model: MakeModel
) -> None:
    """As they lie there when one file of two was copied: OpenVINO itself would take them."""
    other = openvino_model("fourier", SIZE, io="uint8").with_suffix(".bin").read_bytes()
    own = model.with_suffix(".bin").read_bytes()
    model.with_suffix(".bin").write_bytes(other[: len(own)].ljust(len(own), b"\0"))
    with pytest.raises(ModelError, match=r"'model\.bin' does not belong to"):
        open_runner(model, provider="cpu")


def test_what_another_tool_rewrote_opens_and_says_that_it_was_changed(
    openvino_model: MakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = openvino_model("fourier", SIZE)
    path = tmp_path / "changed.xml"
    openvino.save_model(openvino.Core().read_model(whole), path, compress_to_fp16=True)
    with open_runner(path, provider="cpu") as runner:
        manifest = runner.manifest
        (case,), (wanted,) = answer_of("fourier", SIZE)
        assert np.abs(run_case(runner, case).levels - wanted)[case.hole].max() < 1
    assert changed_since_export(manifest, path)
    assert not changed_since_export(manifest, whole)
    assert quality_of(path, manifest) is None
    assert cli.main(["inspect", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["changed_since_export"]


@pytest.mark.parametrize(
    "code",
    [
        "from lama_edge.runtimes.openvino import runner",
        "from lama_edge.exporters.formats.openvino import OPENVINO; OPENVINO.tools()",
        "from lama_edge.runtimes.base import import_runtime; import_runtime(sys.argv[1])",
    ],
)
def test_openvino_tells_its_maker_nothing(model: Path, tmp_path: Path, code: str) -> None:
    """Imported by itself it sends a message, and keeps a number of the user in the home."""
    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; print(*sys.modules)", str(model)],
        env={**os.environ, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = done.stdout.split()
    assert "openvino" in loaded or "tools()" in code
    assert [name for name in loaded if name.startswith("openvino_telemetry")] == []
    assert list(home.iterdir()) == []
