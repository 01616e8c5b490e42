"""What runs models over SSH where lama-edge is not: the worker in C++, and an environment."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tomllib
from measuring import CPU, SHORT, picture
from places import DATA, ROOT
from ssh_server import HERE, SshServer, reached
from worker_bundle import worker_bundle

from lama_edge import cli
from lama_edge.benchmarks.documents.store import BENCH, load_document
from lama_edge.benchmarks.targets.base import TargetOptions
from lama_edge.benchmarks.targets.programs import venv
from lama_edge.errors import MissingBackendError

QUICK = ["--rounds", "2", "--min-runs", "2", "--min-seconds", "0.1", "--size", "64x96"]


def bench(model: Path, out: Path, *words: object) -> dict[str, object]:
    """Measure a model by the command line, and return the document's only row."""
    reference = ["--reference", DATA / "fourier", "--provider", "cpu"]
    command = ["bench", model, *QUICK, *reference, "--json-out", out, *words]
    assert cli.main([str(word) for word in command]) == 0
    document = load_document(out, BENCH)
    (row,) = document["runs"]
    assert row["target"] == "ssh"
    assert row["parity"]["passed"]
    assert document["environment"]["cores"] > 0
    return dict(row)


@pytest.mark.ssh
@pytest.mark.cpp
def test_the_worker_measures_there_what_python_measures(
    server: SshServer, model: Path, tmp_path: Path
) -> None:
    bundle = worker_bundle("x86_64")
    row = bench(model, tmp_path / "w.json", "--target", server.address, "--worker", bundle)
    assert row["program"]["name"] == "lama-edge-worker"
    assert server.nothing_left()
    python = ["--target", server.address, "--remote-python", sys.executable]
    assert bench(model, tmp_path / "p.json", *python)["program"]["name"] == "python"
    assert server.nothing_left()
    with reached(server, TargetOptions(worker=bundle)) as target:
        _, output = target.measure(target.push(model), CPU, *picture(), SHORT)
    with reached(server, HERE) as target:
        (expected,) = target.run(target.push(model), CPU, [picture()])
    np.testing.assert_array_equal(output, expected)


@pytest.mark.ssh
def test_an_environment_is_made_there_and_goes(server: SshServer, model: Path) -> None:
    options = TargetOptions(remote_python=sys.executable, make_venv=True)
    try:
        with reached(server, options) as target:
            found, output = target.measure(target.push(model), CPU, *picture(), SHORT)
            used = target._program.command()[0]
            assert used.startswith(str(server.home))
            where = ["-c", "import lama_edge; print(lama_edge.__file__)"]
            assert str(server.home) in target._place.run([used, *where]).output
    except MissingBackendError as error:
        if any(sign in str(error) for sign in ("NewConnectionError", "Temporary failure")):
            pytest.skip("no package registry is within reach")
        raise
    assert len(found["samples_ms"]) == 2
    assert output.shape == (1, 3, 64, 96)


def test_the_wheel_that_is_brought_has_all_of_the_package(tmp_path: Path) -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    asked = {pattern for patterns in settings["package-data"].values() for pattern in patterns}
    # All but the compiled pages: a board shows none.
    assert asked == {*venv.DATA, "compiled/**/*"}
    with zipfile.ZipFile(venv.pack(tmp_path)) as wheel:
        names = set(wheel.namelist())
        assert wheel.testzip() is None
    for package, folder in settings["package-dir"].items():
        patterns = ("*.py", *set(settings["package-data"].get(package, ())) & set(venv.DATA))
        for file in (file for pattern in patterns for file in (ROOT / folder).glob(pattern)):
            inside = file.relative_to(ROOT / folder).as_posix()
            assert f"{package.replace('.', '/')}/{inside}" in names
    assert not [name for name in names if "/tests/" in name or "/build/" in name]
    assert sum(name.endswith((".dist-info/METADATA", "/WHEEL", "/RECORD")) for name in names) == 3
