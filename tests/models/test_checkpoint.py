"""Checkpoints of every form load alike; damaged, hostile and mismatched ones are refused."""

from __future__ import annotations

import json
import struct
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from lama_edge.models.checkpoint import EMBEDDED_NAME, load_checkpoint
from lama_edge.models.config import FfcResnetConfig
from lama_edge.models.torch_modules import build_generator

WEIGHT = "model.1.ffc.convl2l.weight"
COUNTER = "model.1.bn_l.num_batches_tracked"


@pytest.fixture
def tensors(golden_checkpoint):
    return {name: torch.from_numpy(array) for name, array in golden_checkpoint.tensors.items()}


def assert_same(checkpoint, expected):
    assert checkpoint.config == expected.config
    assert checkpoint.tensors.keys() == expected.tensors.keys()
    for name, array in expected.tensors.items():
        assert checkpoint.tensors[name].dtype == array.dtype, name
        assert checkpoint.tensors[name].tobytes() == array.tobytes(), name


def test_folder_and_file_are_the_same_checkpoint(golden_folder, golden_checkpoint):
    path = golden_folder / "models" / "best.ckpt"
    assert_same(load_checkpoint(path), golden_checkpoint)
    assert_same(load_checkpoint(str(golden_folder)), golden_checkpoint)
    assert load_checkpoint(path).path == path


@pytest.mark.parametrize("prefix", ["generator.", "", "module.generator.", "model.generator."])
def test_any_prefix_before_the_generator_is_understood(writer, tensors, golden_checkpoint, prefix):
    named = {f"{prefix}{name}": tensor for name, tensor in tensors.items()}
    path = writer.saved({"state_dict": {**named, "loss.weight": torch.ones(1)}})
    assert_same(load_checkpoint(path), golden_checkpoint)


@pytest.mark.parametrize("entry", ["gen_state_dict", "model", "params_ema"])
def test_a_generator_below_another_entry_is_found(writer, tensors, golden_checkpoint, entry):
    """Not every training keeps its weights under `state_dict`."""
    other = {"conv.weight": torch.zeros(3)}
    path = writer.saved({"epoch": 3, entry: tensors, "dis_state_dict": other})
    checkpoint = load_checkpoint(path)
    assert_same(checkpoint, golden_checkpoint)


def test_thousands_of_entries_that_name_one_dictionary_cost_nothing(writer, refusal):
    inner = {f"n{index}": None for index in range(3000)}
    (writer.folder / "config.yaml").unlink()
    path = writer.saved({f"e{index}": inner for index in range(3000)})
    assert "holds no LaMa generator" in refusal(path)


@pytest.mark.parametrize("config_inside", [True, False])
def test_safetensors_hold_the_same_tensors(writer, tensors, golden_checkpoint, config_inside):
    path = writer.folder / "made.safetensors"
    metadata = {"config": json.dumps(golden_checkpoint.config.to_dict())}
    if config_inside:
        (writer.folder / "config.yaml").unlink()
    save_file(tensors, path, metadata if config_inside else None)
    assert_same(load_checkpoint(path), golden_checkpoint)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors"])
def test_weights_of_other_precisions_load_as_float32(writer, tensors, dtype, suffix):
    cast = {f"generator.{name}": tensor.to(dtype) for name, tensor in tensors.items()}
    path = writer.folder / f"made{suffix}"
    if suffix == ".ckpt":
        torch.save({"state_dict": cast}, path)
    else:
        save_file(cast, path)
    checkpoint = load_checkpoint(path)
    expected = cast[f"generator.{WEIGHT}"].float().numpy()
    assert checkpoint.tensors[WEIGHT].tobytes() == expected.tobytes()
    assert build_generator(checkpoint).model[1].ffc.convl2l.weight.dtype == torch.float32


def test_the_embedded_checkpoint_is_the_default():
    checkpoint = load_checkpoint()
    build_generator(checkpoint)
    assert load_checkpoint(EMBEDDED_NAME).sha256 == checkpoint.sha256


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nothing", "does not exist"),
        ("a\nb", "does not exist"),
        ("x" * 5000, "File name too long"),
        (".", "no models/best.ckpt"),
        ("config.yaml", "no known kind of checkpoint"),
    ],
)
def test_paths_without_a_checkpoint_are_refused(writer, refusal, name, reason):
    assert reason in refusal(writer.folder / name)


def test_a_checkpoint_without_a_generator_or_a_config_is_refused(writer, refusal):
    (writer.folder / "config.yaml").unlink()
    assert "holds no LaMa generator" in refusal(writer.saved({}))


def test_several_generators_are_refused_by_name(writer, refusal, tensors):
    path = writer.saved({f"{prefix}.{WEIGHT}": tensors[WEIGHT] for prefix in ("a\n", "b", "c")})
    assert r"holds 3 generators, 'a\n', 'b', 'c': name one" in refusal(path)


BOMB = "a: &a {x: 1}\n" + "".join(
    f"{name}: &{name} {{<<: [{', '.join(9 * [f'*{below}'])}]}}\n"
    for below, name in zip("abcdefghijklm", "bcdefghijklmn", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a",
        "text",
        "\x00",
        "generator: [",
        "generator: " + "[" * 30_000,
        "generator: " + "{a: " * 15_000,
        "generator: &a [*a]",
        BOMB,
        "generator: !!python/object/apply:os.system ['touch ran']",
        "generator: !!python/name:os.system",
        "generator: {ngf: !!int ''}",
        "generator: {ngf: !!float ''}",
        "generator: {ngf: !!bool x}",
        "generator: {ngf: !!timestamp x}",
        "generator: {[a]: 1}",
        "generator: {ngf: " + "9" * 60_000 + "}",
        "generator: {kind: ffc_resnet, ngf: 0x" + "f" * 60_000 + "}",
        "generator: {0x" + "f" * 60_000 + ": 1}",
        "generator: {ngf: 1" + ":1" * 30_000 + "}",
        "generator: {? a\n: b}",
        "#" * 70_000,
    ],
    ids=lambda text: repr(text[:40]),
)
def test_hostile_and_broken_configs_are_refused(writer, refusal, monkeypatch, text):
    monkeypatch.chdir(writer.folder)
    (writer.folder / "config.yaml").write_text(text)
    refusal(writer.saved({}))
    assert not (writer.folder / "ran").exists()


def test_a_config_that_is_no_text_is_refused(writer, refusal):
    (writer.folder / "config.yaml").write_bytes(b"generator: \xff\xfe")
    assert "no valid config.yaml" in refusal(writer.saved({}))


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ('{"ngf": ', "no valid JSON"),
        ('{"ngf": ' + "[" * 10_000, "no valid JSON"),
        ('"ngf"', "no JSON object"),
        ('{"ngf": 8}', "kind is None"),
        ('{"kind": "ffc_resnet"}' + " " * 70_000, "over 65536 bytes"),
        ('{"kind": "ffc_resnet", "ngf": "8"}', "ngf is '8'"),
        ('{"kind": "ffc_resnet", "ratio_global": "0.75"}', "ratio_gin is '0.75'"),
        ('{"kind": "ffc_resnet", "ratio_global": NaN}', "ratio_gin is nan"),
        ('{"kind": "ffc_resnet", "size_multiple": 8}', "unknown field 'size_multiple'"),
    ],
    ids=lambda text: repr(text[:40]),
)
def test_broken_configs_inside_safetensors_are_refused(writer, refusal, tensors, config, reason):
    path = writer.folder / "made.safetensors"
    save_file(tensors, path, {"config": config})
    assert reason in refusal(path)


def safetensors_bytes(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def one_tensor(**overrides):
    entry = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4], **overrides}
    return safetensors_bytes({WEIGHT: entry}, bytes(4))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x08",
        struct.pack("<Q", 1 << 63),
        safetensors_bytes(b"{"),
        safetensors_bytes(b"[" * 100_000),
        safetensors_bytes({}),
        safetensors_bytes({"__metadata__": {"config": 1}}),
        one_tensor(shape=[2]),
        one_tensor(shape=[-1]),
        one_tensor(shape=[1 << 40, 1 << 40]),
        one_tensor(data_offsets=[0, 1 << 40]),
        one_tensor(data_offsets=[4, 0]),
        one_tensor(dtype="F\x1b[2J"),  # safetensors repeats it in its error message
        one_tensor(dtype="C64", shape=[]),
        one_tensor(dtype="F8_E4M3", shape=[4]),
        one_tensor(dtype="F4", shape=[8]),
        one_tensor()[:-1],
        one_tensor() + b"more",
    ],
    ids=range(18),
)
def test_broken_safetensors_are_refused(writer, refusal, content):
    path = writer.folder / "made.safetensors"
    path.write_bytes(content)
    refusal(path)


def test_a_safetensors_header_too_long_is_refused_unread(writer, refusal):
    path = writer.folder / "made.safetensors"
    path.write_bytes(safetensors_bytes(b"{}" + b" " * (5 << 20)))
    assert "its header would have 5242882 bytes" in refusal(path)


@pytest.mark.parametrize("share", [0.1, 0.9, 0.999])
def test_truncated_safetensors_are_refused(writer, refusal, tensors, share):
    path = writer.folder / "made.safetensors"
    save_file(tensors, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert "is damaged" in refusal(path)


def nan(array):
    broken = array.copy()
    broken.flat[0] = np.nan
    return broken


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({WEIGHT: None}, f"lacks tensors: '{WEIGHT}'; does its config belong to it?"),
        ({"model.99.weight": np.zeros(1)}, "has unexpected tensors: 'model.99.weight'"),
        ({f"model.{n}": np.zeros(1) for n in range(90, 95)}, "'model.92' and 2 more"),
        ({"model.\n" + 999 * "x": np.zeros(1)}, r"'model.\nxxx"),
        ({WEIGHT: np.zeros((8, 4, 7), np.float32)}, "has shape [8, 4, 7]; the config asks for [8"),
        ({WEIGHT: np.zeros((8, 4, 7, 7), np.int64)}, "holds int64"),
        ({WEIGHT: np.zeros((8, 4, 7, 7), np.bool_)}, "holds bool"),
        ({WEIGHT: np.zeros((8, 4, 7, 7), np.complex64)}, "holds complex64"),
        ({WEIGHT: np.full((8, 4, 7, 7), np.inf, np.float32)}, "NaN or infinite"),
        ({WEIGHT: nan(np.zeros((8, 4, 7, 7), np.float32))}, "NaN or infinite"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_each_kind_of_misfit_has_its_own_message(golden_checkpoint, refusal_of, change, message):
    tensors = {**golden_checkpoint.tensors, **change}
    kept = {name: array for name, array in tensors.items() if array is not None}
    checkpoint = replace(golden_checkpoint, tensors=kept)
    assert message in refusal_of(lambda: build_generator(checkpoint))


def test_a_config_of_another_size_is_refused(golden_checkpoint, refusal_of):
    for config in (FfcResnetConfig(ngf=16, n_blocks=2), FfcResnetConfig(ngf=8, n_blocks=3)):
        checkpoint = replace(golden_checkpoint, config=config)
        assert "config" in refusal_of(lambda other=checkpoint: build_generator(other))


@pytest.mark.parametrize("counter", [None, np.float32(np.inf), np.zeros(3, np.int8)])
def test_batch_norm_counters_may_be_missing_or_mangled(golden_checkpoint, counter):
    """Half-precision conversions turn them into infinities; evaluation does not use them."""
    tensors = {**golden_checkpoint.tensors, COUNTER: np.asarray(counter)}
    if counter is None:
        del tensors[COUNTER]
    build_generator(replace(golden_checkpoint, tensors=tensors))


@pytest.mark.parametrize("bits", [0x7E37E43C8800759C, 0x7FF0000000000001])  # 1e300, a NaN
def test_weights_beyond_float32_are_refused_without_a_warning(writer, refusal, tensors, bits):
    wide = {name: tensor.double() for name, tensor in tensors.items()}
    wide[WEIGHT] = torch.full((8, 4, 7, 7), bits).view(torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "NaN or infinite" in refusal(writer.saved({"state_dict": wide}))
