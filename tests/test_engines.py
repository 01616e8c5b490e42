"""What exporter and runner of engines share: records that survive JSON, profiles, libraries."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lama_edge.engines import (
    EngineBuild,
    ProfileSizes,
    load_library,
)
from lama_edge.errors import MissingBackendError, ModelError, UsageError
from lama_edge.files import beside
from lama_edge.manifest import Manifest, Source
from lama_edge.spec import Size, SizePolicy, io_spec

FIXED = ProfileSizes(Size(64, 72), Size(64, 72), Size(64, 72))
RANGE = ProfileSizes(Size(64, 64), Size(128, 96), Size(256, 512))
BUILD = EngineBuild(
    flavor="rtx",
    tensorrt_version="1.7.1.116",
    compute_capabilities=("8.6", "8.9"),
    hardware_compatibility="none",
    version_compatible=False,
    optimisation_level=3,
    tf32=False,
    workspace_bytes=1 << 30,
    profiles=(RANGE, FIXED),
    source_sha256="a" * 64,
    engine_sha256="b" * 64,
    engine_bytes=12345,
    judged="source graph",
)
MANIFEST = Manifest(
    format={"name": "tensorrt", "flavor": "rtx"},
    io=io_spec("float"),
    size=SizePolicy(None, 8, 64),
    precision="fp16",
    dft="matmul",
    source=Source("c" * 64, {"kind": "ffc_resnet"}, 7),
    tools={},
    engine=BUILD,
)


def test_a_manifest_keeps_how_its_engine_was_built() -> None:
    assert Manifest.from_json(MANIFEST.to_json()) == MANIFEST
    bare = replace(MANIFEST, engine=replace(BUILD, workspace_bytes=None, judged=None))
    assert Manifest.from_json(bare.to_json()) == bare


def test_manifests_without_an_engine_are_what_they_were_before_there_were_engines() -> None:
    old = replace(MANIFEST, engine=None)
    assert "engine" not in old.to_dict()
    assert Manifest.from_json(old.to_json()) == old


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("flavor", "lean"),
        ("hardware_compatibility", "all"),
        ("profiles", []),
        ("profiles", 3),
        ("profiles", [{"min": [64, 64], "opt": [32, 64], "max": [64, 64]}]),
        ("profiles", [{"min": [0, 64], "opt": [32, 64], "max": [64, 64]}]),
        ("profiles", [{"min": [64, 64, 64], "opt": [64, 64], "max": [64, 64]}]),
        ("profiles", [{"min": [64, 64], "opt": [64, 64], "max": [64, 64]}] * 1000),
        ("engine_bytes", "many"),
        ("compute_capabilities", None),
    ],
)
def test_a_damaged_record_is_one_clear_error(name: str, value: object) -> None:
    data = MANIFEST.to_dict()
    data["engine"][name] = value
    with pytest.raises(ModelError, match=r"the model's manifest cannot be read .*export the model"):
        Manifest.from_json(json.dumps(data))


def test_a_picture_gets_the_profile_with_the_nearest_optimum() -> None:
    small = ProfileSizes(Size(64, 64), Size(64, 64), Size(256, 256))
    large = ProfileSizes(Size(64, 64), Size(256, 256), Size(512, 512))
    build = replace(BUILD, profiles=(large, small))
    assert build.profile_for(64, 72) == 1
    assert build.profile_for(248, 256) == 0
    assert build.profile_for(512, 512) == 0
    assert build.profile_for(512, 520) is None
    assert build.profile_for(56, 64) is None
    assert replace(BUILD, profiles=(small, small)).profile_for(64, 64) == 0


def test_only_one_fixed_size_makes_static_shapes() -> None:
    assert replace(BUILD, profiles=(FIXED,)).is_static
    assert not replace(BUILD, profiles=(RANGE,)).is_static
    assert not replace(BUILD, profiles=(FIXED, FIXED)).is_static


def test_a_profile_is_spelt_as_its_size_token() -> None:
    assert str(FIXED) == "64x72"
    assert str(RANGE) == "64x64:128x96:256x512"


@settings(derandomize=True, max_examples=50)
@given(st.integers(1, 600), st.integers(1, 600))
def test_a_profile_takes_what_lies_between_its_ends_on_both_sides(height: int, width: int) -> None:
    assert RANGE.takes(height, width) == (64 <= height <= 256 and 64 <= width <= 512)


def test_the_manifest_stands_beside_the_engine_under_its_whole_name(tmp_path: Path) -> None:
    assert beside(tmp_path / "a.b.engine") == tmp_path / "a.b.engine.json"


def test_a_missing_library_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    # An entry of None is how Python itself spells a module that must not be found.
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(MissingBackendError, match=r"'tensorrt' .* JetPack, .* flavor='rtx'"):
        load_library("tensorrt")
    for choice in ("rtx", "auto"):
        with pytest.raises(MissingBackendError, match=r'pip install "lama-edge\[tensorrt\]"'):
            load_library(choice)


def test_a_library_that_does_not_load_is_told_from_one_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tensorrt.py").write_text("raise ImportError('libnvinfer.so.10: no such file')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tensorrt", raising=False)
    with pytest.raises(MissingBackendError, match=r"cannot be loaded \(libnvinfer.so.10"):
        load_library("tensorrt")


def test_auto_falls_back_to_rtx(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorrt_rtx")
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    library = load_library()
    assert library.flavor == "rtx"
    assert library.title == f"TensorRT for RTX {library.module.__version__}"


def test_an_unknown_flavor_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="unknown flavor 'lean'"):
        load_library("lean")  # type: ignore[arg-type]
