"""The manifest that models carry."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lama_edge.errors import ModelError
from lama_edge.manifest import Manifest, ParityFigures, Source
from lama_edge.spec import Size, SizePolicy, io_spec

NAN = float("nan")
MANIFEST = Manifest(
    format={"name": "onnx", "opset": 17},
    io=io_spec("uint8", composite=False),
    size=SizePolicy(Size(64, 96), 8, 16),
    precision="fp32",
    dft="matmul",
    source=Source("ab" * 32, {"kind": "ffc_resnet", "ngf": 8}, 1234),
    tools={"onnx": "1.0"},
    parity=ParityFigures("torch-fp32", "onnxruntime 1.0 cpu", ("64x96",), 1e-6, 1e-4, None, 90.5),
)


def test_a_manifest_survives_its_own_json() -> None:
    assert Manifest.from_json(MANIFEST.to_json()) == MANIFEST


def test_the_channels_of_the_float_form_may_be_last() -> None:
    manifest = replace(MANIFEST, io=io_spec("float", channels_last=True))
    assert Manifest.from_json(manifest.to_json()) == manifest


def test_what_was_chosen_and_left_out_of_a_checkpoint_is_written_only_when_it_was() -> None:
    assert MANIFEST.to_dict()["source"].keys() == {"sha256", "architecture", "parameters"}
    source = replace(MANIFEST.source, entry="g_ema", ignored=("mpe", "alpha"))
    manifest = replace(MANIFEST, source=source)
    assert Manifest.from_json(manifest.to_json()) == manifest


def test_the_json_is_canonical() -> None:
    text = MANIFEST.to_json()
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))


def test_another_schema_version_is_refused_with_advice() -> None:
    data = {**MANIFEST.to_dict(), "schema_version": 99}
    with pytest.raises(ModelError, match=r"99.*export the model again"):
        Manifest.from_json(json.dumps(data))


@pytest.mark.parametrize("damage", ["", "[]", "{}", "null", '{"schema_version": 1}', "{"])
def test_a_damaged_manifest_is_refused(damage: str) -> None:
    with pytest.raises(ModelError, match="manifest"):
        Manifest.from_json(damage)


@pytest.mark.parametrize("key", ["io", "size", "source", "tools", "precision", "format", "parity"])
def test_a_manifest_without_one_of_its_parts_is_refused(key: str) -> None:
    data = MANIFEST.to_dict()
    del data[key]
    with pytest.raises(ModelError, match=key):
        Manifest.from_json(json.dumps(data))


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("size", "min_size", float("inf")),
        ("size", "min_size", 100_000),
        ("size", "multiple", 100_000),
        ("size", "max_side", 8),
        ("size", "max_side", 1028),
        ("size", "max_side", 1 << 20),
        ("size", "max_side", "1024"),
        ("size", "max_side", True),
        ("format", "max_side", [1024]),
        ("source", "architecture", {"ngf": [{}, 1]}),
        ("source", "architecture", [["ngf", 8]]),
    ],
)
def test_values_that_no_export_writes_are_refused(section: str, key: str, value: object) -> None:
    data = MANIFEST.to_dict()
    data[section][key] = value
    with pytest.raises(ModelError, match="manifest cannot be read"):
        Manifest.from_json(json.dumps(data))


def test_a_largest_side_is_written_only_where_there_is_one_and_the_sizes_own_counts() -> None:
    assert "max_side" not in MANIFEST.to_json()
    ended = replace(MANIFEST, size=SizePolicy(None, 8, 16, 256))
    data = ended.to_dict()
    assert data["size"] == {"fixed": None, "multiple": 8, "min_size": 16, "max_side": 256}
    data["format"]["max_side"] = 512
    assert Manifest.from_json(json.dumps(data)) == ended


@pytest.mark.parametrize(
    ("largest", "psnr_db", "least_db", "passed"),
    [
        (1e-4, None, None, True),
        (2e-4, None, None, False),
        (NAN, None, None, False),
        (1e-5, 55.0, 55.0, True),
        (1e-5, 54.9, 55.0, False),
        (1e-5, NAN, 55.0, False),
        (1e-5, None, 55.0, True),
        (1e-5, 1.0, None, True),
    ],
)
def test_figures_pass_where_difference_and_psnr_are_within_what_is_allowed(
    largest: float, psnr_db: float | None, least_db: float | None, passed: bool
) -> None:
    figures = ParityFigures("torch", "x", ("8x8",), largest, 1e-4, psnr_db, None, least_db)
    assert figures.passed == passed


def test_figures_without_the_later_entries_are_read() -> None:
    """Files written before reduced precisions have neither."""
    data = MANIFEST.to_dict()
    assert data["parity"] is not None
    del data["numerics"], data["parity"]["least_psnr_db"], data["parity"]["forced"]
    assert Manifest.from_json(json.dumps(data)) == MANIFEST
