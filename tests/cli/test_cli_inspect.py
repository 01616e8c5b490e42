"""`lama-edge inspect`, `ranges` and `support`: what a file is, its values, and what runs where."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from lama_edge import cli
from lama_edge.benchmarks.documents.store import RANGES, check_document
from lama_edge.exporters.formats.record import Export
from lama_edge.models.checkpoint import Checkpoint
from lama_edge.pipeline import export_model
from lama_edge.runtimes.onnxruntime.runner import OnnxRuntimeRunner
from lama_edge.spec import Size

SMALL = ("--size", "32", "--size", "32x40")


def _run(*arguments: object) -> int:
    return cli.main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def model(golden_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "m.onnx"
    export_model(Export("onnx", golden_folder, path, sizes=(Size(64, 72),), io="uint8"))
    return path


@pytest.fixture(scope="module")
def hot(golden_checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The golden checkpoint with the gain of the stem's batch norm raised."""
    gain = "model.1.bn_l.weight"
    tensors = dict(golden_checkpoint.tensors)
    tensors[gain] = tensors[gain] * np.float32(1e5)
    path = tmp_path_factory.mktemp("hot") / "hot.safetensors"
    save_file(tensors, path, {"config": json.dumps(golden_checkpoint.config.to_dict())})
    return path


def test_a_model_is_described_by_what_it_takes_gives_and_was_measured_at(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("inspect", model) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "format onnx, for any, opset 17" in lines
    assert "sizes 64x72 (height x width) only" in lines
    assert "input image uint8 [1,H,W,3], RGB, 0 to 255" in lines
    assert "input mask uint8 [1,H,W,1], above 0 is hole" in lines
    assert "precision fp32" in lines
    assert "architecture ffc_resnet" in lines
    assert lines[-1].startswith("parity: max difference ")


def test_a_checkpoint_is_described_by_its_architecture_hash_and_smallest_size(
    golden_checkpoint: Checkpoint, golden_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("inspect", golden_folder) == 0
    printed = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    assert "sizes any multiples of 8 from 16 up" in lines
    assert f"checkpoint SHA-256 {golden_checkpoint.sha256}" in lines
    assert "n_blocks 2" in lines
    assert "parity" not in printed


def test_an_exported_model_is_inspected_without_torch(model: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = sys.modules['onnx'] = None; "
        "from lama_edge.cli import main; sys.exit(main(['inspect', sys.argv[1]]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(model)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "64x72" in done.stdout


def test_ranges_are_printed_by_layer_and_branch_and_written(
    golden_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, report = tmp_path / "r.json", tmp_path / "r.html"
    assert _run("ranges", golden_folder, *SMALL, "--json-out", out, "--report", report) == 0
    lines = capsys.readouterr().out.splitlines()
    heads = lines[1].split()
    assert heads[:2] == ["layer", "branch"]
    assert "32x32" in heads
    assert "32x40" in heads
    assert any(line.startswith("block00.conv1  spectrum ") for line in lines)
    assert lines[-1].startswith("no value passes 32752")
    document = check_document(json.loads(out.read_text()), RANGES)
    assert document["sizes"] == ["32x32", "32x40"]
    assert report.read_text().startswith("<!doctype html>")


def test_json_is_the_document_and_all_that_stdout_holds(
    golden_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "r.json"
    assert _run("ranges", golden_folder, "--size", "16", "--json", "--json-out", out) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(out.read_text())


def test_a_hot_checkpoint_is_marked_where_it_leaves_fp16(
    hot: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("ranges", hot, "--size", "32") == 0
    lines = capsys.readouterr().out.splitlines()
    stem = next(line for line in lines if line.startswith("stem"))
    assert stem.endswith("over fp16")
    told = next(line for line in lines if "pass 65504, the largest number of fp16" in line)
    assert "stem.conv, stem.conv_relu, down0.pad" in told
    assert told.endswith(" more")


def test_the_users_pictures_are_measured_on(
    golden_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (40, 40), (200, 30, 90)).save(tmp_path / "mine.png")
    words = ("ranges", golden_folder, "--size", "16", "--calibrate", tmp_path)
    assert _run(*words, "--json") == 0
    names = [picture["name"] for picture in json.loads(capsys.readouterr().out)["pictures"]]
    assert names[0].startswith("mine.png")
    assert len(names) == 3  # with flat white and flat black


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--size", "dynamic"], "give --size 512 or 512x768, not dynamic"),
        (["--size", "33"], "cannot calibrate at 33x33"),
        (["--size", "8"], "at least 16"),
        (["--calibrate", "{tmp}/none"], "is no folder"),
        (["--calibrate", "{tmp}"], "no picture"),
        (["--json-out", "{tmp}/none/r.json"], "does not exist: create it first"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(
    words: list[str],
    message: str,
    golden_folder: Path,
    unchanged_folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = [word.replace("{tmp}", str(unchanged_folder)) for word in words]
    assert _run("ranges", golden_folder, *told) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert message in line


def test_an_output_that_cannot_be_written_is_refused_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("ranges", tmp_path / "missing.ckpt", "--report", tmp_path / "no" / "r")
    assert _run(*words) == 2
    assert "create it first" in capsys.readouterr().err


def test_support_says_how_many_nodes_each_provider_runs(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("support", model) == 0
    title, nodes = capsys.readouterr().out.splitlines()
    assert title.startswith("nodes by the providers that run them, in onnxruntime ")
    assert title.endswith(" cpu:")
    assert nodes.split()[0] == "CPUExecutionProvider"
    assert _run("support", model, "--json") == 0
    counts = json.loads(capsys.readouterr().out)["providers"]
    assert counts == {"CPUExecutionProvider": int(nodes.split()[1])}
    left = {"providers": {"XnnpackExecutionProvider": 3}, "fell_back": ["a (Conv)"]}
    monkeypatch.setattr(OnnxRuntimeRunner, "placement", lambda _: left)
    assert _run("support", model) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "left to the processor, the first 1:",
        "  a (Conv)",
    ]
    monkeypatch.setattr(OnnxRuntimeRunner, "placement", lambda _: None)
    assert _run("support", model) == 3
    assert "onnxruntime 1.24 and newer do" in capsys.readouterr().err


def test_support_refuses_what_nobody_tells_of(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("support", "lama-tiny") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "which operators of 'lama-tiny' run where: give a model that ends in .onnx" in line


def test_the_old_form_of_ranges_gives_the_same_and_one_line_that_says_the_new(
    golden_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (golden_folder, "--size", "16", "--json")
    assert _run("ranges", *words) == 0
    new = capsys.readouterr()
    assert _run("inspect", golden_folder, "--ranges", *words[1:]) == 0
    old = capsys.readouterr()
    assert (json.loads(old.out)["layers"], new.err) == (json.loads(new.out)["layers"], "")
    (line,) = old.err.splitlines()
    assert line == (
        f"lama-edge: warning: inspect --ranges is now lama-edge ranges {golden_folder} --size 16 "
        "--json; it works until release 1.0"
    )


def test_the_old_form_of_tensorrts_question_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.engine"
    assert _run("inspect", path, "--tensorrt", "--flavor", "rtx") == 2
    warning, refusal = capsys.readouterr().err.splitlines()
    assert f"is now lama-edge support --tensorrt {path} --flavor rtx; it works" in warning
    assert "--tensorrt is about ONNX files" in refusal
