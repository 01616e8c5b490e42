"""The training command: what a run leaves behind, what it refuses, and that its files export."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from lama_edge.exporters.formats.record import Export
from lama_edge.models.training.losses.perceptual import SegmentationFeatures
from lama_edge.models.training.train import main
from lama_edge.pipeline import export_model
from lama_edge.spec import Size

TINY = [
    *("--ngf", "4", "--blocks", "1", "--crop", "32", "--batch", "4", "--warmup-steps", "5"),
    *("--discriminator-width", "4", "--discriminator-layers", "2", "--small-steps", "4"),
    *("--pool", "16", "--threads", "1"),
]
MAX_EXPORT_DIFFERENCE = 1e-4


def tensors_of(path: Path) -> dict[str, np.ndarray]:
    with safe_open(str(path), framework="np") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "curve.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def train(out: Path, *options: str) -> Path:
    assert main(["-o", str(out), *TINY, *options]) == 0
    return out


@pytest.fixture(scope="module")
def twenty_steps(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("train") / "run"
    options = ("--steps", "20", "--adversarial-from", "10", "--report-every", "10")
    return train(out, *options, "--r1-every", "2", "--weights", "adversarial=5")


def test_twenty_steps_leave_weights_curve_samples_and_settings(twenty_steps):
    assert sorted(path.name for path in twenty_steps.iterdir()) == [
        "checkpoint.safetensors",
        "curve.csv",
        "samples.png",
        "settings.json",
        "weights.safetensors",
    ]
    first, last = rows_of(twenty_steps)
    assert (first["step"], last["step"]) == ("10", "20")
    assert first["discriminator"] == "" != last["discriminator"]
    for column in ("hole_l1", "holdout_psnr_db", "holdout_sharpness", "r1"):
        assert np.isfinite(float(last[column]))
    with Image.open(twenty_steps / "samples.png") as sheet:
        assert sheet.width == 3 * 128
    (start,) = json.loads((twenty_steps / "settings.json").read_text())
    assert start["settings"]["adversarial_weights"]["adversarial"] == 5
    assert start["settings"]["adversarial_weights"]["hole"] == 10
    assert start["settings"]["adversarial_weights"]["perceptual"] == 0
    assert str(twenty_steps.parent) not in json.dumps(start)


@pytest.mark.parametrize("name", ["weights.safetensors", "checkpoint.safetensors"])
def test_what_a_run_writes_exports_unchanged(twenty_steps, tmp_path, name):
    result = export_model(
        Export("onnx", twenty_steps / name, tmp_path / "model.onnx", sizes=(Size(64, 72),))
    )
    assert result.manifest.parity is not None
    assert result.manifest.parity.max_abs_diff < MAX_EXPORT_DIFFERENCE
    assert result.manifest.source.architecture["ngf"] == 4


def test_the_exported_checkpoint_is_the_average(twenty_steps):
    checkpoint = tensors_of(twenty_steps / "checkpoint.safetensors")
    weights = tensors_of(twenty_steps / "weights.safetensors")
    for name, value in weights.items():
        assert np.allclose(checkpoint[f"generator.{name}"], value, rtol=1e-3, atol=1e-4), name
    name = "model.1.ffc.convl2l.weight"
    assert not np.array_equal(checkpoint[f"generator.{name}"], checkpoint[f"trained.{name}"])


def test_the_same_command_gives_the_same_weights_and_a_resumed_one_goes_on(tmp_path):
    options = ("--adversarial-from", "2", "--decay-share", "1e-6")
    once = tensors_of(train(tmp_path / "a", "--steps", "4", *options) / "checkpoint.safetensors")
    train(tmp_path / "b", "--steps", "2", *options)
    train(tmp_path / "b", "--steps", "4", *options, "--resume")
    again = tensors_of(tmp_path / "b" / "checkpoint.safetensors")
    assert once.keys() == again.keys()
    assert all(np.array_equal(once[name], again[name]) for name in once)
    starts = json.loads((tmp_path / "b" / "settings.json").read_text())
    assert [start["resumed"] for start in starts] == [False, True]
    other = train(tmp_path / "c", "--steps", "4", *options, "--seed", "2")
    weights = tensors_of(other / "checkpoint.safetensors")
    assert not all(np.array_equal(once[name], weights[name]) for name in once)


def test_a_run_learns_from_photographs_and_a_teacher(tmp_path, twenty_steps):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    rng = np.random.default_rng(0)
    for index in range(12):
        noise = rng.integers(0, 256, (40 + index, 70, 3), dtype=np.uint8)
        Image.fromarray(noise).save(pictures / f"{index}.png")
    (pictures / "broken.jpg").write_bytes(b"no picture")
    teacher = str(twenty_steps / "weights.safetensors")
    options = ("--steps", "2", "--images", str(pictures), "--teacher", teacher)
    out = train(tmp_path / "out", *options)
    (row,) = rows_of(out)
    assert float(row["teacher_l1"]) > 0
    (start,) = json.loads((out / "settings.json").read_text())
    assert start["pictures"] == "own photographs"
    assert start["teacher"] == "weights.safetensors"
    assert start["settings"]["reconstruction_weights"]["hole"] == 0
    assert start["settings"]["reconstruction_weights"]["teacher"] == 5


def test_with_the_segmentation_network_the_perceptual_loss_replaces_the_l1_in_the_hole(tmp_path):
    path = tmp_path / "encoder_epoch_20.pth"
    torch.save(SegmentationFeatures().state_dict(), path)
    options = ("--steps", "1", "--adversarial-from", "0", "--perceptual-weights", str(path))
    out = train(tmp_path / "out", *options)
    (row,) = rows_of(out)
    assert float(row["perceptual"]) > 0
    (start,) = json.loads((out / "settings.json").read_text())
    assert start["perceptual_loss"]
    assert start["settings"]["adversarial_weights"]["perceptual"] == 30
    assert start["settings"]["adversarial_weights"]["hole"] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--resume"], "no checkpoint"),
        (["--crop", "100"], "multiples of 8"),
        (["--crop", "16"], "crops of 8 pixels"),
        (["--images", "missing"], "does not exist"),
        (["--init", "missing.pt"], "does not exist"),
        (["--init", "lama-tiny"], "has ngf 16, not 4"),
        (["--teacher", "missing.pt", "--steps", "1"], "does not exist"),
        (["--weights", "adversarial=1"], "--adversarial-from"),
        (["--perceptual-weights", "x.pth"], "--adversarial-from"),
        (["--adversarial-from", "0", "--weights", "perceptual=1"], "no network"),
        (["--adversarial-from", "0", "--perceptual-weights", "x.pth"], "no file"),
        (["--reconstruction-weights", "teacher=1"], "no network"),
        (["--muon-rate", "7"], "--muon-rate"),
        (["--steps", "-1"], "--steps"),
        (["--batch", "0"], "--batch"),
        (["--processes", "0"], "--processes"),
    ],
)
def test_options_that_cannot_work_are_refused_in_one_line(tmp_path, capsys, options, message):
    assert main(["-o", str(tmp_path / "out"), *TINY, *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("lama-edge: error: ")
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_with_a_run_is_not_trained_over(tmp_path, capsys):
    (tmp_path / "checkpoint.safetensors").touch()
    assert main(["-o", str(tmp_path)]) == 2
    assert "--resume" in capsys.readouterr().err


@pytest.mark.slow
def test_two_hundred_steps_learn_and_resume(tmp_path):
    options = ("--adversarial-from", "150", "--report-every", "50", "--ema-decay", "0.9")
    train(tmp_path, "--steps", "100", *options)
    train(tmp_path, "--steps", "200", *options, "--resume")
    rows = rows_of(tmp_path)
    assert [row["step"] for row in rows] == ["50", "100", "150", "200"]
    hole = [float(row["hole_l1"]) for row in rows]
    assert hole[2] < 0.9 * hole[0]
    assert float(rows[-1]["feature_matching"]) > 0
    export_model(
        Export("onnx", tmp_path / "weights.safetensors", tmp_path / "m.onnx", sizes=(Size(64, 64),))
    )
