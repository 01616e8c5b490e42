"""Export to LiteRT: judge, keep, stamp, and what stands at the output path when."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")

from lama_edge import pipeline
from lama_edge.errors import ParityError, UsageError
from lama_edge.exporters.formats.litert import model as litert_model
from lama_edge.exporters.formats.litert.flatbuffer import replace_manifest
from lama_edge.exporters.formats.record import Export
from lama_edge.judging.tolerances import Tolerance
from lama_edge.pipeline import STEPS, export_model
from lama_edge.runtimes.base import open_runner
from lama_edge.runtimes.litert.reading import read_manifest_of
from lama_edge.runtimes.litert.structure import read_structure
from lama_edge.spec import IoForm, Size

SIZE = Size(64, 72)


def test_the_file_carries_its_manifest_and_the_figures_of_the_emulator(
    golden_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "golden.tflite"
    seen: list[str] = []
    result = export_model(Export("litert", golden_folder, path, sizes=(SIZE,)), seen.append)
    with open_runner(path) as runner:
        assert runner.manifest == result.manifest
        assert runner.title.startswith("litert ")
    manifest = result.manifest
    assert (manifest.precision, manifest.io.form) == ("fp16", "float")
    assert {one.layout for one in (manifest.io.image, manifest.io.mask, manifest.io.output)} == {
        "NHWC"
    }
    assert manifest.io.batch == 1
    assert manifest.parity is not None
    assert manifest.parity.passed
    assert manifest.parity.runtime.startswith("emulator ")
    assert manifest.numerics is not None
    assert manifest.numerics["calibration_pictures"] == 10
    assert manifest.tools.keys() >= {"ai-edge-litert", "flatbuffers", "lama-edge", "numpy"}
    assert result.size_bytes == path.stat().st_size
    assert tuple(seen) == STEPS
    assert [one.name for one in tmp_path.iterdir()] == ["golden.tflite"]


def test_fp32_is_judged_in_litert(golden_folder: Path, tmp_path: Path) -> None:
    job = Export("litert", golden_folder, tmp_path / "a.tflite", sizes=(SIZE,), precision="fp32")
    parity = export_model(job).manifest.parity
    assert parity is not None
    assert parity.runtime.startswith("litert ")
    assert 0 < parity.max_abs_diff < 1e-5


@pytest.mark.parametrize("form", ["float", "uint8"])
def test_two_exports_are_the_same_bytes(golden_folder: Path, tmp_path: Path, form: IoForm) -> None:
    paths = [tmp_path / "one.tflite", tmp_path / "two.tflite"]
    for path in paths:
        export_model(Export("litert", golden_folder, path, sizes=(SIZE,), io=form))
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_the_file_names_no_machine_person_path_or_time(golden_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "golden.tflite"
    job = Export("litert", golden_folder, path, sizes=(SIZE,), precision="fp32")
    export_model(job)
    structure = read_structure(path)
    names = " ".join(tensor.name for tensor in structure.tensors)
    for text in (names, structure.metadata["lama_edge"].decode()):
        for secret in (str(tmp_path), str(golden_folder), os.uname().nodename, str(Path.home())):
            assert secret not in text


def test_another_manifest_changes_nothing_else(golden_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "golden.tflite"
    job = Export("litert", golden_folder, path, sizes=(SIZE,), precision="fp32", check_parity=False)
    manifest = export_model(job).manifest
    assert manifest.parity is None
    before, old = read_structure(path), path.stat().st_size
    longer = json.loads(manifest.to_json())
    longer["tools"]["another"] = "9" * 1000
    replace_manifest(path, json.dumps(longer))
    after = read_structure(path)
    assert after.operators == before.operators
    assert [one.name for one in after.tensors] == [one.name for one in before.tensors]
    assert 1000 < path.stat().st_size - old < 1300
    assert read_manifest_of(path).tools["another"] == "9" * 1000
    replace_manifest(path, manifest.to_json())
    with open_runner(path) as runner:
        assert runner.manifest == manifest


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file is near enough."""
    monkeypatch.setattr(pipeline, "tolerance_of", lambda runtime, precision: Tolerance(0.0))


@pytest.mark.usefixtures("strict")
def test_a_file_out_of_tolerance_is_not_kept(golden_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "golden.tflite"
    path.write_bytes(b"what was there before")
    job = Export("litert", golden_folder, path, sizes=(SIZE,), precision="fp32", overwrite=True)
    with pytest.raises(ParityError, match="differs from numpy-fp32"):
        export_model(job)
    assert path.read_bytes() == b"what was there before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("strict")
def test_a_file_is_replaced_kept_and_marked(golden_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "golden.tflite"
    path.write_bytes(b"what was there before")
    job = Export(
        "litert",
        golden_folder,
        path,
        sizes=(SIZE,),
        precision="fp32",
        overwrite=True,
        keep_failed=True,
    )
    export_model(job)
    with open_runner(path) as runner:
        parity = runner.manifest.parity
    assert parity is not None
    assert parity.forced
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_differs_from_its_graph_is_found_by_litert_itself(
    golden_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The emulator judges the graph alone; what is wrong with the file is the second judge's."""
    write = litert_model.translate

    def broken(graph: Any, writer: Any) -> Any:
        for value in graph.initializers.values():
            if value.name == "head.conv.bias":
                off = value.const_value.numpy() + np.float16(0.3)
                value.const_value = litert_model.ir.tensor(off, name=value.name)
        return write(graph, writer)

    monkeypatch.setattr(litert_model, "translate", broken)
    with pytest.raises(ParityError, match="the largest difference is"):
        export_model(Export("litert", golden_folder, tmp_path / "a.tflite", sizes=(SIZE,)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"output": "a.onnx"}, r"must end in \.tflite"),
        ({"io": "image"}, "io='image' is no form of a LiteRT file: use io='float' or 'uint8'"),
        ({"sizes": (None,)}, "size='dynamic' is no size of a LiteRT file, whose delegates plan"),
        ({"sizes": (SIZE, Size(64, 64))}, "a LiteRT file holds one size and 2 were given"),
        ({"sizes": (SIZE, SIZE)}, "give every size once"),
        ({"precision": "pal6"}, "precision='pal6' is none of a LiteRT file's; choose one of: fp32"),
        ({"precision": "fp32", "calibrate": Path()}, "calibrate is of no use for fp32"),
    ],
)
def test_choices_that_do_not_go_together_are_refused_before_any_work(
    unchanged_folder: Path, choices: dict[str, Any], message: str
) -> None:
    output = unchanged_folder / choices.pop("output", "a.tflite")
    with pytest.raises(UsageError, match=message):
        export_model(Export("litert", "no such checkpoint", output, **choices))


def test_a_size_that_the_generator_does_not_take_is_refused(
    golden_folder: Path, unchanged_folder: Path
) -> None:
    job = Export("litert", golden_folder, unchanged_folder / "a.tflite", sizes=(Size(60, 64),))
    with pytest.raises(UsageError, match="size='60x64' cannot be exported"):
        export_model(job)
