"""Measured ranges as a document: of checkpoints and of exported models, written and read back."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lama_edge.benchmarks.documents.store import RANGES, DocumentError, load_document, save_document
from lama_edge.benchmarks.inspect_ranges import RangesInspection, inspect_ranges
from lama_edge.errors import ModelError
from lama_edge.spec import Size

SIZES = (Size(104, 16), Size(16, 24))
# The dynamic graph makes the DFT's matrices itself; the fixed one has them at float64's accuracy.
# Measured: 5.4e-7 of the largest magnitude.
MATRICES_TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def document(golden_folder: Path) -> dict[str, Any]:
    return inspect_ranges(RangesInspection(str(golden_folder), sizes=SIZES))


def test_a_document_survives_its_own_json(document: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "ranges.json"
    save_document(document, path)
    assert load_document(path, RANGES) == document
    assert json.loads(path.read_text())["kind"] == "lama_edge.ranges"


def test_a_document_that_was_tampered_with_is_refused(
    document: dict[str, Any], tmp_path: Path
) -> None:
    changed = copy.deepcopy(document)
    changed["layers"][0]["marks"] = ["fine"]
    with pytest.raises(DocumentError, match=r"layers\[0\]\.marks\[0\]"):
        save_document(changed, tmp_path / "ranges.json")


def test_sizes_stand_in_the_order_of_their_area_and_pictures_by_name(
    document: dict[str, Any],
) -> None:
    assert document["sizes"] == ["16x24", "104x16"]
    names = [picture["name"] for picture in document["pictures"]]
    assert "flat white, wide hole, 104x16" in names
    assert set(document["layers"][0]["by_size"]) == {"16x24", "104x16"}


def test_every_branch_of_a_fourier_generator_has_its_rows(document: dict[str, Any]) -> None:
    rows = {(row["layer"], row["branch"]) for row in document["layers"]}
    for conv in ("conv1", "conv2"):
        for branch in ("local", "global", "spectrum"):
            assert (f"block01.{conv}", branch) in rows
    assert {"stem", "down2", "up0", "head"} <= {layer for layer, _ in rows}


def test_a_generator_without_fourier_units_has_whole_maps_alone(golden_folder: Path) -> None:
    job = RangesInspection(str(golden_folder.with_name("regular")), sizes=(Size(32, 32),))
    assert {row["branch"] for row in inspect_ranges(job)["layers"]} == {"whole"}


def test_an_exported_model_is_measured_like_its_checkpoint(
    golden_folder: Path, exported: Callable[..., Path]
) -> None:
    size = SIZES[0]
    model = inspect_ranges(RangesInspection(str(exported("fourier", size, composite=False))))
    original = inspect_ranges(RangesInspection(str(golden_folder), sizes=(size,)))
    largest = {value["name"]: value["largest"] for value in original["values"]}
    assert model["pictures"] == original["pictures"]
    for value in model["values"]:
        assert value["largest"] == pytest.approx(
            largest[value["name"]], rel=MATRICES_TOLERANCE, abs=1e-5
        )


def test_loops_show_what_they_give(golden_folder: Path, exported: Callable[..., Path]) -> None:
    size = SIZES[0]
    path = exported("fourier", size, kernels="bands")
    found = {
        value["name"]: value for value in inspect_ranges(RangesInspection(str(path)))["values"]
    }
    assert found["block01.conv2.rows.out0"]["op"] == "Scan"
    plain = inspect_ranges(RangesInspection(str(golden_folder), sizes=(size,)))["values"]
    (head,) = (value["largest"] for value in plain if value["op"] == "Sigmoid")
    (ours,) = (value["largest"] for value in found.values() if value["op"] == "Sigmoid")
    assert ours == pytest.approx(head, rel=MATRICES_TOLERANCE)


def test_steps_are_announced_before_they_begin(golden_folder: Path) -> None:
    seen: list[object] = []
    job = RangesInspection(str(golden_folder), sizes=(Size(16, 16),))
    pictures = inspect_ranges(job, seen.append, seen.append)["pictures"]
    assert seen == ["model", 1 + len(pictures), *(picture["name"] for picture in pictures)]


@pytest.mark.parametrize("name", ["m.tflite", "m.engine"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"")
    with pytest.raises(ModelError, match=r"only \.onnx and \.mlpackage can be emulated"):
        inspect_ranges(RangesInspection(str(path)))
