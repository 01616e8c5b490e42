"""The wheel: what is in it, and that it works where nothing else is installed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
import tomllib
import torch
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image
from places import ROOT

from lama_edge.errors import MissingBackendError
from lama_edge.exporters.formats.record import Format, formats

# JetPack 6 has Python 3.10 and a numpy of the 1.x line.
JETPACK_PYTHON, JETPACK_PINS = (
    "python3.10",
    ("numpy==1.26.4", "pillow==10.4.0", "onnxruntime==1.18.1"),
)

# Runs in the bare environment: imports every module of the wheel, then opens a model and inpaints.
PROBE = """
import importlib, importlib.util, json, pkgutil, sys
assert importlib.util.find_spec("torch") is None
import numpy as np
import lama_edge
from lama_edge.errors import MissingBackendError
modules = {}
for info in pkgutil.walk_packages(lama_edge.__path__, "lama_edge.", onerror=lambda name: None):
    try:
        importlib.import_module(info.name)
        modules[info.name] = None
    except MissingBackendError as error:
        modules[info.name] = str(error)
from lama_edge import Inpainter, export, open_runner
wanting = {}
for output in sys.argv[2:]:
    try:
        export("lama-tiny", output)
    except MissingBackendError as error:
        wanting[output] = str(error)
with open_runner(sys.argv[1], threads=1) as runner:
    assert runner.provider == "cpu"
image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
mask = np.zeros((50, 70), np.uint8)
mask[10:30, 20:40] = 255
with Inpainter.open(sys.argv[1]) as inpainter:
    result = inpainter(image, mask)
assert np.array_equal(result[mask == 0], image[mask == 0])
assert not np.array_equal(result, image)
found = {"file": lama_edge.__file__, "numpy": np.__version__}
print(json.dumps({"modules": modules, "wanting": wanting, **found}))
"""

# Runs each module named as `python -m` does, in one process because most import torch.
HELP = """
import json, runpy, sys
import lama_edge
codes = {}
for name in sys.argv[1:]:
    sys.argv = [name, "--help"]
    try:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        codes[name] = ended.code or 0
print(json.dumps({"exit_codes": codes, "file": lama_edge.__file__}))
"""

STUDIES = ROOT / "benchmarks/studies"
# Promised to users: these stay in the wheel.
IN_THE_WHEEL = {
    "lama_edge.benchmarks.check_stopwatch",
    "lama_edge.benchmarks.gpu",
    "lama_edge.models.training.train",
    "lama_edge.runtimes.vectors",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # By way of the source distribution, as a release goes: nothing stale gets in, and what the
    # source distribution lacks shows here.
    command = [sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)]
    # Pages are compiled by `make web` alone: whoever installs needs no Node, and none is asked.
    for name in ("node", "npm", "npx"):
        tool = folder / "bin" / name
        tool.parent.mkdir(exist_ok=True)
        tool.write_text(f"#!/bin/sh\ntouch {folder}/{name}-was-called\nexit 1\n")
        tool.chmod(0o755)
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PATH": path}
    )
    if result.returncode:
        _skip_without_registry(result.stdout + result.stderr)
    assert result.returncode == 0, result.stdout + result.stderr
    assert not list(folder.glob("*-was-called"))
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def model(exported: Callable[..., Path]) -> Path:
    return exported()


def _skip_without_registry(output: str) -> None:
    unreachable = ("NewConnectionError", "Temporary failure in name resolution", "ConnectTimeout")
    if any(sign in output for sign in unreachable):
        pytest.skip("no package registry is within reach")


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def _packages() -> dict[str, Path]:
    setuptools = PROJECT["tool"]["setuptools"]
    return {name: ROOT / setuptools["package-dir"][name] for name in setuptools["packages"]}


def _brought(extras: str) -> set[str]:
    """Return what an install with some extras brings, as far as it is installed here."""
    own = PROJECT["project"]
    pending = [f"lama-edge[{extras}]", *own["dependencies"]]
    seen: set[str] = set()
    while pending:
        text = pending.pop()
        if text in seen:
            continue
        seen.add(text)
        asked = Requirement(text)
        if asked.name == "lama-edge":
            needs = [need for extra in asked.extras for need in own["optional-dependencies"][extra]]
        else:
            try:
                needs = metadata.requires(asked.name) or []
            except metadata.PackageNotFoundError:
                continue
        for need in map(Requirement, needs):
            chosen = asked.extras or {""}
            if not need.marker or any(need.marker.evaluate({"extra": one}) for one in chosen):
                need.marker = None
                pending.append(str(need))
    return {canonicalize_name(Requirement(text).name) for text in seen}


@pytest.mark.parametrize(
    "extras",
    [
        "export,onnx,bench",
        "coreml,onnx",
        "tensorrt,export",
        "export,litert,openvino",
        "demo",
        "web",
        "torch",
        "train",
    ],
)
def test_only_the_extras_that_say_so_bring_torch(extras: str) -> None:
    brought = _brought(extras)
    assert {"numpy", "pillow", "platformdirs", "tqdm"} < brought
    assert ("torch" in brought) == (extras in ("torch", "train"))


@pytest.mark.parametrize("form", formats(), ids=lambda form: form.name)
def test_what_an_export_needs_comes_with_what_its_help_says(form: Format) -> None:
    try:
        tools = {canonicalize_name(name) for name in form.tools()}
    except MissingBackendError as error:
        pytest.skip(str(error))
    assert tools <= _brought(form.extra)


def test_every_folder_with_code_is_listed_as_a_package_but_the_studies() -> None:
    found = {
        init.parent
        for top in ("src", "models", "exporters", "runtimes", "benchmarks")
        for init in (ROOT / top).rglob("__init__.py")
        if not any(parent.is_symlink() for parent in init.parents)
    }
    studies = {folder for folder in found if STUDIES in (folder, *folder.parents)}
    assert len(studies) > 1
    assert set(_packages().values()) == found - studies


def test_the_wheel_holds_every_module_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    modules = {
        f"{package.replace('.', '/')}/{path.name}"
        for package, folder in _packages().items()
        for path in folder.glob("*.py")
    }
    folders = ("models/embedded", "benchmarks/documents/schema", "benchmarks/reports/templates")
    data = {
        f"lama_edge/{folder}/{path.name}"
        for folder in folders
        for path in (ROOT / folder).iterdir()
    }
    # None of them in a clone where `make web` has not run.
    compiled = {
        str(path.relative_to(ROOT / "src"))
        for path in (ROOT / "src/lama_edge/web/compiled").rglob("*")
        if path.is_file()
    }
    data |= compiled | {"lama_edge/py.typed", "lama_edge/models/zoo.toml"}
    assert names == modules | data


def test_the_source_holds_what_the_wheel_does_and_nothing_of_npms(wheel: Path) -> None:
    (source,) = wheel.parent.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        names = archive.getnames()
    assert not [name for name in names if "node_modules" in name or "package-lock" in name]
    assert len(names) < 2000


def test_a_release_knows_every_file_of_the_wheel_and_its_notices_are_in_it(wheel: Path) -> None:
    command = [sys.executable, ROOT / ".ci/releasing/contents.py", wheel]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    sbom = wheel.with_name(f"lama-edge-{PROJECT['project']['version']}.cdx.json")
    parts = {part["name"] for part in json.loads(sbom.read_text())["components"]}
    assert {"lama-tiny", "numpy", "onnxruntime"} <= parts
    # As `make web` made the pages, or not.
    assert ("preact" in parts) == (ROOT / "src/lama_edge/web/compiled").is_dir()
    with zipfile.ZipFile(wheel) as archive:
        names = {Path(name).name for name in archive.namelist() if "/licenses/" in name}
    assert names == {"LICENSE", "THIRD_PARTY_NOTICES.md"}


def _install(
    wheel: Path, python: str, folder: Path, pins: tuple[str, ...] = (), extras: str = "onnx"
) -> Path:
    """Make an environment with the wheel and some of its extras alone; return its interpreter."""
    # Without pip, which takes seconds to unpack: the one that runs here installs from outside.
    subprocess.run(
        [python, "-m", "venv", "--without-pip", str(folder)], check=True, capture_output=True
    )
    interpreter = folder / "bin" / "python"
    command = [
        sys.executable, "-m", "pip", "--python", interpreter, "install", "--quiet",
        f"{wheel}[{extras}]", *pins,
    ]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        _skip_without_registry(result.stderr)
    assert result.returncode == 0, result.stderr
    return interpreter


@pytest.mark.parametrize(
    ("python", "pins"), [(sys.executable, ()), (JETPACK_PYTHON, JETPACK_PINS)], ids=["own", "3.10"]
)
def test_the_onnx_extra_alone_opens_a_model_and_inpaints(
    wheel: Path, model: Path, tmp_path: Path, python: str, pins: tuple[str, ...]
) -> None:
    if python != sys.executable:
        found = shutil.which(python)
        if not found or subprocess.run([found, "--version"], capture_output=True).returncode:
            pytest.skip(f"there is no {python} here")
        python = found
    interpreter = _install(wheel, python, tmp_path / "environment", pins)
    # An engine's library is looked for first, and needs no more to build from an ONNX file.
    outputs = {
        f"m{one.suffix}": "tensorrt" if one.name == "tensorrt" else one.extra for one in formats()
    }
    result = subprocess.run(
        [interpreter, "-c", PROBE, str(model), *outputs],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert str(tmp_path) in report["file"], "the probe imported another lama-edge"
    assert report["wanting"].keys() == outputs.keys()
    for output, extra in outputs.items():
        assert f'pip install "lama-edge[{extra}]"' in report["wanting"][output]
    without_extra = {name for name, error in report["modules"].items() if error is None}
    expected = {
        "lama_edge.cli",
        "lama_edge.runtimes.inpainting.inpainter",
        "lama_edge.models.checkpoint",
    }
    assert expected <= without_extra
    for name, error in report["modules"].items():
        if error is not None:
            runtimes = "coreml|litert|openvino|executorch|mnn|ncnn"
            known = f"export|torch|train|bench|ssh|dev|web|{runtimes}"
            assert re.search(rf'pip install "lama-edge\[({known})\]"', error), name
    _check_command_line(interpreter, model, tmp_path)


def _check_command_line(interpreter: Path, model: Path, folder: Path) -> None:
    tool = interpreter.with_name("lama-edge")
    Image.new("RGB", (40, 30), "red").save(folder / "in.png")
    Image.new("L", (40, 30), 255).save(folder / "mask.png")
    words = [tool, "inpaint", model, "in.png", "mask.png", "-o", "out.png"]
    subprocess.run(words, check=True, capture_output=True, cwd=folder)
    assert Image.open(folder / "out.png").size == (40, 30)
    result = subprocess.run(
        [tool, "export", "onnx", "-o", "m.onnx"], capture_output=True, text=True, cwd=folder
    )
    assert result.returncode == 3
    assert result.stderr.count("\n") == 1
    assert 'pip install "lama-edge[export,onnx]"' in result.stderr


@pytest.fixture(scope="module")
def bench_interpreter(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench") / "environment"
    return _install(wheel, sys.executable, folder, extras="onnx,bench")


def test_the_bench_extra_measures_and_compares_without_torch(
    bench_interpreter: Path, model: Path, tmp_path: Path
) -> None:
    tool = bench_interpreter.with_name("lama-edge")

    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([tool, *words], capture_output=True, text=True, cwd=tmp_path)

    quick = ("--size", "64", "--rounds", "1", "--min-seconds", "0.1")
    measured = run("bench", model, *quick, "--json-out", "r.json", "--report", "r.html")
    assert measured.returncode == 0, measured.stderr
    assert "<html" in (tmp_path / "r.html").read_text()
    compared = run("compare", "r.json", "r.json")
    assert compared.returncode == 0, compared.stderr
    parity = run("parity", model, "--reference", "lama-tiny")
    assert parity.returncode == 3
    assert 'pip install "lama-edge[export]"' in parity.stderr


def documented_modules() -> set[str]:
    """Return each module that a page or the Makefile says to run with `python -m`."""
    pages = [ROOT / "Makefile", ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    for folder in ("docs", "models/embedded", "benchmarks/results", "tests/data/vectors"):
        pages += (ROOT / folder).rglob("*.md")
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    return set(re.findall(r"python3? -m (lama_edge[\w.]*\w)", text))


def test_each_module_that_pages_say_to_run_explains_itself(
    bench_interpreter: Path, tmp_path: Path
) -> None:
    """The studies from the clone, the rest from the wheel, which has no studies."""
    named = documented_modules()
    studies = {name for name in named if name.startswith("lama_edge.benchmarks.studies.")}
    assert named >= IN_THE_WHEEL
    assert len(studies) > 4
    # Training and exporting want torch and its like, which are taken from here: from a folder
    # on the path no link to the clone is followed, so that `lama_edge` is the wheel's.
    installed = str(Path(torch.__file__).parents[1])
    for interpreter, path, modules in (
        (sys.executable, "", studies),
        (bench_interpreter, installed, named - studies),
    ):
        result = subprocess.run(
            [interpreter, "-c", HELP, *sorted(modules)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path},
        )
        assert result.returncode == 0, result.stderr
        report = json.loads(result.stdout.splitlines()[-1])
        assert report["exit_codes"] == dict.fromkeys(modules, 0)
        assert (str(ROOT) in report["file"]) == (interpreter == sys.executable)
        assert result.stdout.count("usage: ") == len(modules)
