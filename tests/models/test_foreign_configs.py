"""A config that is another tool's is passed over with a note; LaMa's own must be right."""

from __future__ import annotations

import json
import logging

import pytest
import torch
from safetensors.torch import save_file

from lama_edge.models.checkpoint import load_checkpoint

FOREIGN = {
    "another tool's": "name: another tool's\ntheme: dark\n",
    "another generator": "generator:\n  type: HiFiGAN\n  upsample_rates: [8, 8]\n",
    "a generator further down": "model:\n  generator: {kind: unet}\n",
    "a list": "- a\n- b\n",
    "text": "hello",
    "nothing": "",
    "no YAML": "theme: [",
    "tabs": "a:\n\t- b",
    "of another encoding": b"name: \xff\xfe",
    "aliases": "a: &a {b: 1}\nc: *a\n",
    "long": "#" * 70_000,
    "tags": "a: !!python/object/apply:os.system ['touch ran']\n",
}
OURS = {
    "run_title: x\ngenerator:\n  kind: ffc_resnet\n  ngf: [": "no valid config.yaml",
    "generator: {kind: other, ngf: 8}": "kind is 'other'",
    "generator: {ngf: 8, n_blocks: 2}": "kind is None",
    "generator: {kind: pix2pixhd_global, add_out_act: tanh}": "add_out_act is 'tanh'",
    "generator: {}": "kind is None",
    "generator: 3": "no `generator` section",
    '{"generator": {"kind": "ffc_resnet", "ngf": ': "no valid config.yaml",
    "generator: {kind: ffc_resnet}\n" + "#" * 70_000: "over 65536 bytes",
}


@pytest.fixture
def tensors(golden_checkpoint):
    return {name: torch.from_numpy(array) for name, array in golden_checkpoint.tensors.items()}


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("above", [False, True])
def test_another_tools_config_is_named_and_passed_over(
    writer, tensors, golden_checkpoint, monkeypatch, caplog, name, above
):
    monkeypatch.chdir(writer.folder)
    config = writer.folder / "config.yaml"
    write(config, FOREIGN[name])
    folder = writer.folder / "weights" if above else writer.folder
    folder.mkdir(exist_ok=True)
    path = folder / "model.pth"
    torch.save({"state_dict": tensors}, path)
    with caplog.at_level(logging.WARNING):
        checkpoint = load_checkpoint(path)
    assert checkpoint.config == golden_checkpoint.config
    assert f"{str(config)!r} is no LaMa config" in caplog.text
    assert not (writer.folder / "ran").exists()


def test_lamas_config_above_counts_though_another_tools_lies_beside(
    writer, tensors, golden_checkpoint, caplog
):
    folder = writer.folder / "models"
    folder.mkdir()
    write(folder / "config.yaml", FOREIGN["another tool's"])
    text = (writer.folder / "config.yaml").read_text()
    write(writer.folder / "config.yaml", text + "\n")
    path = folder / "best.ckpt"
    torch.save({"state_dict": {f"generator.{n}": t for n, t in tensors.items()}}, path)
    assert load_checkpoint(path).config == golden_checkpoint.config


@pytest.mark.parametrize("text", OURS, ids=lambda text: text[:40])
def test_lamas_own_config_must_be_right(writer, refusal, tensors, text):
    write(writer.folder / "config.yaml", text)
    assert OURS[text] in refusal(writer.saved(tensors))


@pytest.mark.parametrize(
    "metadata",
    [
        {"config": json.dumps({"model_type": "unet", "kind": "vae"})},
        {"config": "{}"},
        {"config": "kernel: 3"},
        {"config": "[" * 10_000},
        {"config": " " * 70_000},
        {"format": "pt", "modelspec.architecture": "other"},
    ],
    ids=lambda metadata: str(metadata)[:40],
)
def test_another_tools_metadata_is_named_and_passed_over(
    writer, tensors, golden_checkpoint, caplog, metadata
):
    (writer.folder / "config.yaml").unlink()
    path = writer.folder / "made.safetensors"
    save_file(tensors, path, metadata)
    with caplog.at_level(logging.WARNING):
        assert load_checkpoint(path).config == golden_checkpoint.config
    assert ("is no LaMa generator's" in caplog.text) == ("config" in metadata)
    assert (str(path) in caplog.text) == ("config" in metadata)
