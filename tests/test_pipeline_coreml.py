"""Export to Core ML: judge, keep, and what stands at the output path when."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("coremltools")

from same_process import call

from lama_edge import pipeline
from lama_edge.errors import ParityError, UsageError
from lama_edge.exporters.formats.coreml import conversion
from lama_edge.exporters.formats.record import Export
from lama_edge.judging.tolerances import Tolerance
from lama_edge.pipeline import STEPS, export_model
from lama_edge.runtimes.coreml.emulated_runner import CoremlEmulatedRunner
from lama_edge.spec import Size

SIZE = Size(64, 72)


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Convert here: a process of its own takes three seconds longer."""
    monkeypatch.setattr(conversion, "run_isolated", call)


def test_the_package_carries_its_manifest_and_the_figures_measured_on_it(
    golden_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "golden.mlpackage"
    seen: list[str] = []
    within: list[tuple[str, float]] = []
    job = Export("coreml", golden_folder, path, sizes=(SIZE,), io="image")
    result = export_model(job, seen.append, lambda what, done: within.append((what, done)))
    with CoremlEmulatedRunner(path) as runner:
        assert runner.manifest == result.manifest
    parity, numerics = result.manifest.parity, result.manifest.numerics
    assert parity is not None
    assert parity.passed
    assert parity.runtime.startswith("coreml-emulator ")
    assert numerics is not None
    assert numerics["calibration_pictures"] == 10
    assert result.manifest.tools.keys() >= {"coremltools", "lama-edge", "numpy"}
    assert result.size_bytes == sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
    assert tuple(seen) == STEPS
    assert within == [("64x72", 0.0)]
    assert [one.name for one in tmp_path.iterdir()] == ["golden.mlpackage"]


@pytest.mark.usefixtures("in_this_process")
def test_several_sizes_become_functions_that_are_each_judged(
    golden_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "golden.mlpackage"
    sizes = (SIZE, Size(96, 64))
    seen: list[str] = []
    job = Export("coreml", golden_folder, path, sizes=sizes, precision="w8")
    result = export_model(job, within=lambda what, done: seen.append(what))
    assert seen == ["64x72", "96x64", "merge"]
    assert result.manifest.format["functions"] == "64x72 96x64"
    assert result.manifest.format["target"] == "iOS18"
    assert result.manifest.numerics is not None
    assert result.manifest.numerics["weight_bits"] == 8
    for size in sizes:
        with CoremlEmulatedRunner(path, part=f"size_{size}") as runner:
            parity = runner.manifest.parity
            assert parity is not None
            assert parity.sizes == (str(size),)


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """No package is near enough."""
    monkeypatch.setattr(pipeline, "tolerance_of", lambda runtime, precision: Tolerance(0.0))


@pytest.mark.usefixtures("in_this_process", "strict")
def test_a_package_out_of_tolerance_is_not_kept(golden_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "golden.mlpackage"
    _previous(path)
    job = Export("coreml", golden_folder, path, sizes=(SIZE,), precision="fp32", overwrite=True)
    with pytest.raises(ParityError, match="differs from numpy-fp32"):
        export_model(job)
    assert [one.name for one in path.iterdir()] == ["Manifest.json"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("in_this_process", "strict")
def test_a_package_is_replaced_kept_and_marked(golden_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "golden.mlpackage"
    _previous(path)
    job = Export(
        "coreml",
        golden_folder,
        path,
        sizes=(SIZE,),
        precision="fp32",
        overwrite=True,
        keep_failed=True,
    )
    export_model(job)
    with CoremlEmulatedRunner(path) as runner:
        parity = runner.manifest.parity
    assert parity is not None
    assert parity.forced
    assert list(tmp_path.iterdir()) == [path]


def _previous(path: Path) -> None:
    path.mkdir()
    (path / "Manifest.json").write_text("what was there before")


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"output": "a.onnx"}, r"must end in \.mlpackage"),
        ({"io": "uint8"}, "io='uint8' is no form of a Core ML package: use io='float' or 'image'"),
        ({"sizes": (SIZE, None)}, "size='dynamic' stands alone"),
        ({"sizes": (SIZE, SIZE)}, "give every size once"),
        (
            {"sizes": (SIZE, Size(64, 64)), "options": {"target": "iOS17"}},
            "a package for iOS17 holds one size and 2 were given: use target='iOS18'",
        ),
        ({"precision": "fp32", "calibrate": Path()}, "calibrate is of no use for fp32"),
    ],
)
def test_choices_that_do_not_go_together_are_refused_before_any_work(
    unchanged_folder: Path, choices: dict[str, Any], message: str
) -> None:
    output = unchanged_folder / choices.pop("output", "a.mlpackage")
    with pytest.raises(UsageError, match=message):
        export_model(Export("coreml", "no such checkpoint", output, **choices))


def test_an_existing_package_is_refused_before_any_work(tmp_path: Path) -> None:
    path = tmp_path / "golden.mlpackage"
    _previous(path)
    with pytest.raises(UsageError, match="overwrite=True"):
        export_model(Export("coreml", "no such checkpoint", path))


def test_a_folder_that_is_no_package_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "pictures.mlpackage"
    path.mkdir()
    with pytest.raises(UsageError, match="is a folder, and no package"):
        export_model(Export("coreml", "no such checkpoint", path, overwrite=True))
