"""Numbers and texts out of a stranger's file are within bounds, wherever they stand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from places import DATA

from lama_edge import plain
from lama_edge.engines import EngineBuild, ProfileSizes
from lama_edge.errors import ModelError
from lama_edge.manifest import Manifest, ParityFigures, Source
from lama_edge.runtimes.inpainting.memory import run_bytes, tiles_bytes
from lama_edge.spec import Size, SizePolicy, io_spec
from lama_edge.stages import Stage, StagePlan

HUGE = "9" * 400
# What a damaged or hostile file has in the place of a number: past what floats, shifts, sizes in
# memory and conversions to text hold, and values that are no numbers.
NUMBERS = (HUGE, f"-{HUGE}", "9" * 5000, "1e400", "-1e400", "NaN", "Infinity", "-1", "1e300")
NUMBERS += (str(1 << 40), str((1 << 63) - 1), str(1 << 64), "true", "0.5", '"8"', "[]", "null")
SIZE = Size(64, 96)
MANIFEST = Manifest(
    format={"name": "tensorrt", "opset": 17},
    io=io_spec("float"),
    size=SizePolicy(None, 8, 16, 2048),
    precision="fp16",
    dft="matmul",
    source=Source(
        "ab" * 32,
        {"kind": "ffc_resnet", "ngf": 8, "n_downsampling": 3, "max_features": 64, "ratio": 0.75},
        1234,
    ),
    tools={"onnx": "1.0"},
    parity=ParityFigures("torch-fp32", "x", ("64x96",), 1e-6, 1e-4, 90.0, 80.0, 55.0),
    numerics={"branches": 3, "guard": 0.5},
    engine=EngineBuild(
        *("tensorrt", "10.3.0", ("8.7",), "none"),
        version_compatible=False,
        optimisation_level=3,
        tf32=False,
        workspace_bytes=1 << 30,
        profiles=(ProfileSizes(SIZE, SIZE, SIZE),),
        source_sha256="ab",
        engine_sha256="cd",
        engine_bytes=1,
    ),
)
PLAN = StagePlan(
    8,
    1,
    (
        Stage("encoder", ("image", "mask"), ("x",), halo=(2, 1)),
        Stage("decoder", ("x",), ("inpainted",), halo=(1, 2)),
    ),
)


def _numbers(data: Any) -> Iterator[tuple[Any, str | int]]:
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        if isinstance(value, dict | list):
            yield from _numbers(value)
        elif isinstance(value, int | float):
            yield data, key


def _with_numbers_replaced(text: str) -> Iterator[str]:
    """Yield the JSON with each of its numbers replaced by each of `NUMBERS` in turn."""
    data = json.loads(text)
    for holder, key in list(_numbers(data)):
        before = holder[key]
        holder[key] = "@"
        for number in NUMBERS:
            yield json.dumps(data).replace('"@"', number)
        holder[key] = before


def test_any_number_of_a_manifest_is_refused_or_harmless() -> None:
    texts = list(_with_numbers_replaced(MANIFEST.to_json()))
    assert len(texts) > 400
    refused = 0
    for text in texts:
        try:
            manifest = Manifest.from_json(text)
        except ModelError:
            refused += 1
            continue
        assert Manifest.from_json(manifest.to_json()) == manifest
        assert 0 <= run_bytes(manifest, 1 << 24) < 1 << 63
        assert 0 <= tiles_bytes(manifest, 1 << 24, 512) < 1 << 63
        manifest.problem_with(64, 96)
    assert refused > len(texts) / 2


def test_any_number_of_a_plan_of_stages_is_refused_or_harmless() -> None:
    for text in _with_numbers_replaced(PLAN.to_json()):
        try:
            plan = StagePlan.from_json(text)
        except ModelError:
            continue
        assert plan.scale <= 32
        assert plan.align <= 32
        assert all(max(stage.halo) <= 32 for stage in plan.stages)


@pytest.mark.parametrize("path", sorted((DATA / "written-by-0.1.0").rglob("*.json")))
def test_what_was_written_is_within_the_bounds(path: Any) -> None:
    plain.loads(path.read_bytes())


@pytest.mark.parametrize("place", ["tools", "precision", "name of a tool", "parity"])
def test_half_a_surrogate_pair_is_no_text(place: str) -> None:
    data = MANIFEST.to_dict()
    if place == "precision":
        data["precision"] = "\ud800"
    elif place == "parity":
        data["parity"]["sizes"] = ["\udfff"]
    else:
        data["tools"] = {"onnx": "\ud83d"} if place == "tools" else {"\ud83d": "1"}
    with pytest.raises(ModelError, match="which is no text"):
        Manifest.from_json(json.dumps(data))


def test_the_place_is_named() -> None:
    with pytest.raises(ValueError, match=r"inf at runs\[1\]\.size: all numbers must be finite"):
        plain.loads('{"runs": [{}, {"size": 1e999}]}')
    assert plain.loads(f"[{(1 << 64) - 1}, -1.5e308, null]") == [(1 << 64) - 1, -1.5e308, None]
