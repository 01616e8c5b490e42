"""A format and a runtime of a plug-in's own, by one line each, work in every command."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from same_process import without_processes

from lama_edge import cli
from lama_edge.exporters.formats import record
from lama_edge.judging.tolerances import Tolerance
from lama_edge.runtimes import registry

# The whole of a format and a runtime: an ONNX file behind a line that says what it is, whose
# floats have the channels last. For w8 an ONNX file is judged too, before it.
TOY = """
import io
from dataclasses import replace
from pathlib import Path

import onnx

from lama_edge.exporters.formats.record import Format, Judge, Option
from lama_edge.judging.tolerances import Tolerance
from lama_edge.manifest import METADATA_KEY, Manifest
from lama_edge.runtimes.base import Runner, check_inputs
from lama_edge.runtimes.registry import Runtime
from lama_edge.spec import io_spec

HEAD = b"toy model\\n"


class ToyFormat(Format):
    name = "toy"
    title = "a toy"
    about = "for nobody"
    suffix = ".toy"
    extra = "onnx"
    io_forms = ("float",)
    precisions = ("fp32", "w8")
    precision = "fp32"
    precision_help = "w8 stores bytes"
    sizes = ("64",)
    size_help = "64 (the default) or another"
    options = (Option("paint", "the toy's colour", default="red", choices=("red", "blue")),)

    def contract(self, job):
        return io_spec("float", composite=job.composite, channels_last=True)

    def graph_options(self, job, config, part):
        options = super().graph_options(job, config, part)
        return replace(options, io=io_spec("float", composite=job.composite))

    def described(self, job, config):
        return {"name": "toy", "paint": job.options["paint"]}

    def tools(self):
        return {"toy": "1"}

    def write(self, job, drawn, target, scratch, within):
        from lama_edge.exporters.formats.onnx.file import finish, write_onnx

        (one,) = drawn
        model = finish(one.graph)
        if job.precision == "w8":
            plain = replace(one.manifest, format={"name": "onnx"}, io=io_spec("float"))
            write_onnx(finish(one.graph), plain, scratch / "w8.onnx")
        self._write(model, one.manifest, target)
        return [one.manifest]

    def stamp(self, manifests, target):
        self._write(onnx.load(io.BytesIO(target.read_bytes()[len(HEAD):])), manifests[0], target)

    def judges(self, job, part, target, scratch):
        own = Judge(str(target), "auto")
        return (Judge(str(scratch / "w8.onnx"), "cpu"), own) if job.precision == "w8" else (own,)

    def _write(self, model, manifest, target):
        del model.metadata_props[:]
        model.metadata_props.add(key=METADATA_KEY, value=manifest.to_json())
        target.write_bytes(HEAD + model.SerializeToString(deterministic=True))


class ToyRunner(Runner):
    def __init__(self, path, *, provider="auto", threads=None):
        import onnxruntime

        self._session = onnxruntime.InferenceSession(Path(path).read_bytes()[len(HEAD):])
        text = self._session.get_modelmeta().custom_metadata_map[METADATA_KEY]
        self.manifest = Manifest.from_json(text)
        self.runtime, self.runtime_version, self.provider = RUNTIME, "1", "abacus"

    def run(self, image, mask):
        io = self.manifest.io
        check_inputs(io, self.manifest.size, image, mask)
        feeds = {io.image.name: image, io.mask.name: mask}
        first = {name: value.transpose(0, 3, 1, 2) for name, value in feeds.items()}
        return self._session.run(None, first)[0].transpose(0, 2, 3, 1)

    def close(self):
        self._session = None


FORMAT = ToyFormat()
RUNTIME = Runtime(
    name="toyland",
    title="Toyland",
    format="toy",
    suffixes=(".toy",),
    opener="toy:ToyRunner",
    providers=("abacus",),
    modules=("onnxruntime",),
    tolerances={"fp32": Tolerance(1e-4), "w8": Tolerance(0.2, psnr_db=40)},
)
"""
# What a plug-in's package would do; fresh processes come by here too.
REGISTER = """
from lama_edge.exporters.formats.record import FORMATS
from lama_edge.runtimes.registry import RUNTIMES
FORMATS.append("toy:FORMAT")
RUNTIMES.append("toy:RUNTIME")
"""


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "toy.py").write_text(TOY, encoding="utf-8")
    (folder / "sitecustomize.py").write_text(REGISTER, encoding="utf-8")
    return folder


def _run_afresh(plugin: Path, *words: object) -> str:
    """Run a command in a process of its own, as are those that the command starts."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "lama_edge.cli", *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(plugin)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


Run = Callable[..., str]


@pytest.fixture
def run(
    plugin: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """Runs commands in this process, where the toy is registered for a while."""
    monkeypatch.syspath_prepend(plugin)
    monkeypatch.setattr(record, "FORMATS", [*record.FORMATS, "toy:FORMAT"])
    monkeypatch.setattr(registry, "RUNTIMES", [*registry.RUNTIMES, "toy:RUNTIME"])
    without_processes(monkeypatch)

    def run(*words: object, code: int = 0) -> str:
        with contextlib.suppress(SystemExit):  # of --help
            assert cli.main([str(word) for word in words]) == code
        return capsys.readouterr().out

    yield run
    sys.modules.pop("toy", None)


@pytest.fixture(scope="module")
def model(plugin: Path, golden_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("toys") / "a.toy"
    said = _run_afresh(plugin, "export", "toy", golden_folder, "-o", path, "--paint", "blue")
    assert "parity: max difference" in said
    return path


def test_the_help_names_them(run: Run) -> None:
    assert "a toy for nobody" in run("export", "--help")
    said = run("export", "toy", "--help")
    assert "--paint {red,blue}" in said
    assert "w8 stores bytes" in said
    for command in ("parity", "bench", "inpaint"):
        assert "abacus" in run(command, "--help")
    assert "toy" in run("tradeoff", "--help")


def test_inspect_and_bench_know_the_model(run: Run, model: Path) -> None:
    assert "toy, paint blue" in run("inspect", model)
    assert "image float32 [N,H,W,3]" in run("inspect", model)
    words = ("--rounds", "1", "--min-seconds", "0", "--min-runs", "1", "--json")
    (measured,) = json.loads(run("bench", model, "--provider", "abacus", *words))["runs"]
    assert measured["runtime"] == "toyland 1"
    assert measured["quality"]["passed"]


def test_parity_knows_the_model_in_processes_of_its_own(
    plugin: Path, golden_folder: Path, model: Path
) -> None:
    words = ("parity", model, "--reference", golden_folder, "--json")
    rows = json.loads(_run_afresh(plugin, *words))
    (row,) = rows["models"]
    assert row["passed"]
    assert row["runtime"] == "toyland 1 abacus"
    assert row["model"]["format"] == "toy"


def test_tradeoff_weighs_its_precisions(run: Run, golden_folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "t.html"
    words = ("--format", "toy", "--size", "64", "--no-speed", "--json", "--report", page)
    found = json.loads(run("tradeoff", golden_folder, *words))
    assert [row["precision"] for row in found["precisions"]] == ["fp32", "w8"]
    # All judges passed; the first one's figures count.
    assert [row["judged_by"] for row in found["precisions"]] == ["toyland", "onnxruntime"]
    assert page.is_file()


def test_tradeoff_shows_the_figures_of_the_judge_that_failed(
    run: Run, golden_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = importlib.import_module("toy").RUNTIME
    monkeypatch.setitem(runtime.tolerances, "w8", Tolerance(0.2, psnr_db=99))
    words = ("--format", "toy", "--size", "64", "--no-speed", "--json")
    fp32, w8 = json.loads(run("tradeoff", golden_folder, *words, code=1))["precisions"]
    assert fp32["closeness"]["passed"]
    assert (w8["judged_by"], w8["closeness"]["passed"]) == ("toyland", False)


def test_a_judge_that_cannot_run_leaves_tradeoff_no_figures(
    run: Run, golden_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = importlib.import_module("toy").ToyFormat
    whole = toy.judges

    def judges(form: object, job: record.Export, *rest: object) -> tuple[record.Judge, ...]:
        missing = (record.Judge("missing.onnx", "cpu"),) if job.precision == "w8" else ()
        return (*missing, *whole(form, job, *rest)[-1:])

    monkeypatch.setattr(toy, "judges", judges)
    words = ("--format", "toy", "--size", "64", "--no-speed", "--json")
    _, w8 = json.loads(run("tradeoff", golden_folder, *words, code=2))["precisions"]
    assert "missing.onnx" in w8["error"]
    assert w8["closeness"] is w8["judged_by"] is w8["size_bytes"] is None


def test_inpaint_fills_a_picture_with_it(run: Run, model: Path, tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    hole = np.zeros((50, 60), np.uint8)
    hole[10:20, 30:50] = 255
    Image.fromarray(picture).save(tmp_path / "a.png")
    Image.fromarray(hole).save(tmp_path / "m.png")
    out = tmp_path / "out.png"
    run("inpaint", model, tmp_path / "a.png", tmp_path / "m.png", "-o", out)
    filled = np.asarray(Image.open(out))
    assert np.array_equal(filled[hole == 0], picture[hole == 0])
    assert not np.array_equal(filled, picture)


def test_what_it_is_not_is_refused_by_name(run: Run, golden_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.toy"
    run("export", "toy", golden_folder, "-o", out, "--precision", "int8", code=2)
    run("export", "toy", golden_folder, "-o", tmp_path / "a.onnx", code=2)
    assert list(tmp_path.iterdir()) == []
