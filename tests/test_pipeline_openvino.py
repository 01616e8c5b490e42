"""Export to OpenVINO: judge, keep, and what stands at the output path when."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

pytest.importorskip("openvino")

from lama_edge import cli, pipeline
from lama_edge.errors import ModelError, ParityError, UsageError
from lama_edge.exporters.formats.openvino.ir import write_ir
from lama_edge.exporters.formats.record import Export
from lama_edge.judging.tolerances import Tolerance
from lama_edge.manifest import Manifest
from lama_edge.pipeline import STEPS, export_model
from lama_edge.runtimes.base import changed_since_export, open_runner
from lama_edge.spec import Size

SIZE = Size(64, 72)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _types(xml: Path) -> set[str]:
    """Return the element types of a model's constants, ids and shapes aside."""
    layers = ElementTree.parse(xml).iterfind("layers/layer[@type='Const']/data")
    return {str(data.get("element_type")) for data in layers} - {"i64"}


def test_the_model_carries_its_manifest_and_the_figures_measured_on_it(
    golden_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "golden.xml"
    seen: list[str] = []
    result = export_model(Export("openvino", golden_folder, path, sizes=(SIZE,)), seen.append)
    manifest = result.manifest
    with open_runner(path) as runner:
        assert runner.manifest == manifest
    assert tuple(seen) == STEPS
    assert _names(tmp_path) == ["golden.bin", "golden.xml"]
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert result.size_bytes == sum(sizes)
    weights = hashlib.sha256((tmp_path / "golden.bin").read_bytes()).hexdigest()
    assert manifest.format == {"name": "openvino", "weights_sha256": weights}
    assert not changed_since_export(manifest, path)
    assert (manifest.precision, manifest.dft, manifest.io.batch) == ("fp32", "matmul", 1)
    assert manifest.size.fixed == SIZE
    assert manifest.tools.keys() == {"lama-edge", "numpy", "onnx", "onnx-ir", "openvino"}
    assert manifest.parity is not None
    assert manifest.parity.passed
    assert re.fullmatch(r"openvino [0-9.]+ cpu", manifest.parity.runtime)


def test_the_default_takes_any_size_and_float32_stays_float32(
    golden_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "golden.xml"
    manifest = export_model(Export("openvino", golden_folder, path)).manifest
    assert (manifest.size.fixed, manifest.precision) == (None, "fp32")
    assert manifest.parity is not None
    assert len(manifest.parity.sizes) == 5
    assert _types(path) == {"f32"}


def test_a_model_that_cannot_be_written_is_told_of_in_one_line(
    golden_folder: Path, tmp_path: Path
) -> None:
    job = Export("openvino", golden_folder, tmp_path / "a.xml", sizes=(SIZE,), check_parity=False)
    manifest = export_model(job, scratch=tmp_path).manifest
    (tmp_path / "b.bin").symlink_to("/dev/full")
    message = r"^OpenVINO cannot write 'b\.xml' or 'b\.bin' \(.*\): see whether there is room"
    with pytest.raises(ModelError, match=message):
        write_ir(tmp_path / "source.onnx", manifest, tmp_path / "b.xml")


def test_the_same_checkpoint_gives_the_same_bytes(golden_folder: Path, tmp_path: Path) -> None:
    """OpenVINO numbers what has no name through the life of a process."""
    texts = []
    for name in ("first", "second"):
        path = tmp_path / f"{name}.xml"
        export_model(Export("openvino", golden_folder, path, check_parity=False))
        texts.append((path.read_bytes(), path.with_suffix(".bin").read_bytes()))
    assert texts[0] == texts[1]
    manifest = Manifest.from_json(_rt_info(path, "lama_edge"))
    assert manifest.parity is None
    assert [child.tag for child in _rt_info_of(path)] == ["lama_edge"]


def _rt_info_of(path: Path) -> ElementTree.Element:
    found = ElementTree.parse(path).find("rt_info")
    assert found is not None
    return found


def _rt_info(path: Path, name: str) -> str:
    found = _rt_info_of(path).find(name)
    assert found is not None
    return str(found.get("value"))


def test_fp16_is_judged_by_the_emulator_and_by_openvino(
    golden_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The figures are the emulator's, which rounds every result; a processor computes wide."""
    path = tmp_path / "golden.xml"
    job = Export("openvino", golden_folder, path, sizes=(SIZE,), precision="fp16", overwrite=True)
    asked = []
    tolerance_of = pipeline.tolerance_of

    def asking(runtime: str, precision: str) -> Tolerance:
        asked.append(runtime)
        return tolerance_of(runtime, precision)

    monkeypatch.setattr(pipeline, "tolerance_of", asking)
    manifest = export_model(job).manifest
    assert asked == ["emulator", "openvino"]
    assert manifest.parity is not None
    assert manifest.parity.runtime.startswith("emulator ")
    assert manifest.parity.psnr_db is not None
    assert manifest.parity.psnr_db >= 55
    assert manifest.numerics is not None
    assert manifest.numerics["calibration_pictures"] == 10
    assert _types(path) <= {"f16", "f32"}
    assert "f16" in _types(path)
    for strict in ("emulator", "openvino"):
        monkeypatch.setattr(
            pipeline, "tolerance_of", lambda runtime, _, strict=strict: _tolerance(runtime, strict)
        )
        with pytest.raises(ParityError):
            export_model(job)


def _tolerance(runtime: str, strict: str) -> Tolerance:
    return Tolerance(0.0 if runtime == strict else 1.0)


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model is near enough."""
    monkeypatch.setattr(pipeline, "tolerance_of", lambda runtime, precision: Tolerance(0.0))


def _previous(path: Path) -> None:
    for one in (path, path.with_suffix(".bin")):
        one.write_text(f"what {one.name} was before")


@pytest.mark.usefixtures("strict")
def test_a_model_out_of_tolerance_leaves_both_files_as_they_were(
    golden_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "golden.xml"
    _previous(path)
    with pytest.raises(ParityError, match="differs from numpy-fp32"):
        export_model(Export("openvino", golden_folder, path, sizes=(SIZE,), overwrite=True))
    assert _names(tmp_path) == ["golden.bin", "golden.xml"]
    for one in tmp_path.iterdir():
        assert one.read_text() == f"what {one.name} was before"


@pytest.mark.usefixtures("strict")
def test_a_model_is_replaced_kept_and_marked(golden_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "golden.xml"
    _previous(path)
    job = Export("openvino", golden_folder, path, sizes=(SIZE,), overwrite=True, keep_failed=True)
    assert export_model(job).kept_failed
    with open_runner(path) as runner:
        assert runner.manifest.parity is not None
        assert runner.manifest.parity.forced
    assert _names(tmp_path) == ["golden.bin", "golden.xml"]


@pytest.mark.parametrize(
    ("standing", "message"),
    [
        ("golden.xml", "golden.xml' exists: add overwrite=True"),
        ("golden.bin", "golden.bin' would be replaced and is without a 'golden.xml'"),
    ],
)
def test_neither_file_is_replaced_unasked(tmp_path: Path, standing: str, message: str) -> None:
    (tmp_path / standing).write_text("somebody's")
    with pytest.raises(UsageError, match=message):
        export_model(Export("openvino", "no such checkpoint", tmp_path / "golden.xml"))
    assert _names(tmp_path) == [standing]


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"output": "a.onnx"}, r"must end in \.xml: runtimes go by that"),
        ({"output": "a.XML"}, r"must end in \.xml: runtimes go by that"),
        ({"io": "image"}, "io='image' is no form of an OpenVINO model: use io='float' or 'uint8'"),
        ({"precision": "pal4"}, "precision='pal4' is none of an OpenVINO model's"),
        ({"precision": "fp32", "calibrate": Path()}, "calibrate is of no use for fp32"),
        ({"options": {"opset": 17}}, "an OpenVINO model has no option 'opset'; its own are: none"),
    ],
)
def test_choices_that_do_not_go_together_are_refused_before_any_work(
    unchanged_folder: Path, choices: dict[str, Any], message: str
) -> None:
    output = unchanged_folder / choices.pop("output", "a.xml")
    with pytest.raises(UsageError, match=message):
        export_model(Export("openvino", "no such checkpoint", output, **choices))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((Size(60, 64),), "size='60x64' cannot be exported"),
        ((SIZE, None), "an OpenVINO model holds one size and 2 were given"),
    ],
)
def test_sizes_that_cannot_be_are_refused(
    golden_folder: Path, unchanged_folder: Path, sizes: tuple[Size | None, ...], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        export_model(Export("openvino", golden_folder, unchanged_folder / "a.xml", sizes=sizes))


def test_the_command_line_exports_inspects_and_judges(
    golden_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "golden.xml"
    words = ["export", "openvino", str(golden_folder), "-o", str(path), "--size", "64", "--json"]
    assert cli.main(words) == 0
    written = json.loads(capsys.readouterr().out)
    assert written["size_bytes"] == sum(one.stat().st_size for one in tmp_path.iterdir())
    assert cli.main(["inspect", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {name: told[name] for name in written["manifest"]} == written["manifest"]
    assert "changed_since_export" not in told
    assert cli.main(["support", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["support"][0]["device"] == "cpu"
