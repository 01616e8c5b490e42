"""Models of other formats than ONNX on machines reached over SSH."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from places import DATA
from ssh_server import HERE, SshServer, reached

from lama_edge import cli
from lama_edge.benchmarks.documents.store import BENCH, PARITY, load_document
from lama_edge.benchmarks.targets import device
from lama_edge.benchmarks.targets.addresses import program_elsewhere
from lama_edge.benchmarks.targets.base import Opening, TargetOptions
from lama_edge.benchmarks.targets.places.local import LocalPlace
from lama_edge.benchmarks.targets.programs.venv import VenvProgram
from lama_edge.benchmarks.targets.subjects import options_for
from lama_edge.exporters.formats.record import Export, format_named
from lama_edge.pipeline import export_model
from lama_edge.process import CrashError
from lama_edge.runtimes.base import open_runner
from lama_edge.spec import Size

FORMATS = {"litert": "ai_edge_litert", "openvino": "openvino"}
QUICK = ["--rounds", "2", "--min-runs", "2", "--min-seconds", "0.1"]
REFERENCE = ["--reference", str(DATA / "fourier")]


@pytest.fixture(scope="module")
def exported_as(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Exports the golden checkpoint to a format, once, in fp32 at 64x96."""
    made: dict[str, Path] = {}

    def export(name: str) -> Path:
        pytest.importorskip(FORMATS[name])
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name) / f"golden{format_named(name).suffix}"
            size, output = Size(64, 96), made[name]
            job = Export(name, DATA / "fourier", output, sizes=(size,), precision="fp32")
            export_model(job)
        return made[name]

    return export


@pytest.mark.ssh
@pytest.mark.parametrize("name", FORMATS)
def test_a_model_is_measured_and_judged_there(
    name: str, server: SshServer, exported_as: Callable[[str], Path], tmp_path: Path
) -> None:
    model = exported_as(name)
    words = ["--target", server.address, "--remote-python", HERE.remote_python]
    bench = ["bench", model, *QUICK, *REFERENCE, "--json-out", tmp_path / "b.json", *words]
    assert cli.main([str(word) for word in bench]) == 0
    (row,) = load_document(tmp_path / "b.json", BENCH)["runs"]
    assert (row["model"]["format"], row["target"], row["size"]) == (name, "ssh", "64x96")
    assert row["parity"]["passed"]
    assert row["runtime"].startswith(f"{name} ")
    parity = ["parity", model, *REFERENCE, "--json-out", tmp_path / "p.json", *words]
    assert cli.main([str(word) for word in parity]) == 0
    (judged,) = load_document(tmp_path / "p.json", PARITY)["models"]
    assert judged["passed"]
    assert server.nothing_left()


@pytest.mark.ssh
@pytest.mark.parametrize("name", FORMATS)
def test_it_gives_there_what_it_gives_here(
    name: str, server: SshServer, exported_as: Callable[[str], Path]
) -> None:
    model = exported_as(name)
    with open_runner(model, threads=1) as runner:
        io = runner.manifest.io
        rng = np.random.default_rng(0)
        image, mask = (rng.random(spec.shape(64, 96), np.float32) for spec in (io.image, io.mask))
        expected = runner.run(image, mask)
    with reached(server, HERE) as target:
        (found,) = target.run(target.push(model), Opening("cpu", 1), [(image, mask)])
    np.testing.assert_array_equal(found, expected)


@pytest.mark.ssh
@pytest.mark.parametrize("name", FORMATS)
def test_another_model_than_the_one_brought_is_noticed(
    name: str,
    server: SshServer,
    exported_as: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = exported_as(name)
    stored = device.stored_manifest
    monkeypatch.setattr(
        device, "stored_manifest", lambda path: replace(stored(path), precision="int8")
    )
    with reached(server, HERE) as target, pytest.raises(CrashError, match="another model"):
        target.describe(target.push(model), Opening("cpu", 1))


@pytest.mark.parametrize(
    ("formats", "extras"),
    [
        (("onnx",), ["onnx"]),
        (("litert",), ["litert"]),
        (("litert", "openvino", "onnx"), ["litert", "openvino", "onnx"]),
        (("checkpoint", "unknown"), []),
    ],
)
def test_an_environment_gets_the_runtimes_that_are_missing_there(
    formats: tuple[str, ...], extras: list[str], tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    program = VenvProgram(str(bare / "bin" / "python"), formats)
    with LocalPlace() as place:
        assert list(program._extras(place)) == extras
    for name in extras:
        module = {"onnx": "onnxruntime", **FORMATS}[name]
        (folder,) = (bare / "lib").glob("python*/site-packages")
        (folder / f"{module}.py").touch()
    with LocalPlace() as place:
        assert list(program._extras(place)) == []


def test_an_environment_is_made_for_the_models_that_are_named() -> None:
    options = options_for(
        TargetOptions(make_venv=True), ["a.tflite", "b.onnx", "c.tflite", "d.onnx"]
    )
    program = program_elsewhere(options)
    assert isinstance(program, VenvProgram)
    assert program._formats == ("litert", "onnx")
