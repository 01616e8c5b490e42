"""The Swift package builds, agrees with Python on the shared vectors, and finds a toolchain."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from places import ROOT

FINDER = ROOT / ".ci" / "swift"
# A first build and all tests took 21 s on two quiet cores.
TIMEOUT_S = 570


def run(swift: Path, package: Path, *words: str) -> str:
    """Run a command of the Swift package manager; a warning of the compiler is an error."""
    command = [swift, *words, "--package-path", package, "-Xswiftc", "-warnings-as-errors"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


@pytest.mark.swift
def test_the_package_builds_and_agrees_with_python_on_the_shared_vectors(
    swift: Path, swift_package: Path
) -> None:
    assert "Build complete!" in run(swift, swift_package, "build", "--build-tests")
    output = run(swift, swift_package, "test")
    sources = (path.read_text() for path in (swift_package / "Tests").rglob("*.swift"))
    written = sum(len(re.findall(r"^ +func test", text, re.MULTILINE)) for text in sources)
    executed = [int(count) for count in re.findall(r"Executed (\d+) tests?, with 0 fail", output)]
    assert written > 0
    assert max(executed) == written, output


@pytest.mark.swift
def test_every_source_is_formatted(swift: Path, swift_package: Path) -> None:
    if subprocess.run([swift, "format", "--version"], capture_output=True).returncode:
        pytest.skip("this toolchain has no formatter: Swift 6 brings one")
    sources = [*swift_package.rglob("*.swift")]
    written = [path for path in sources if ".build" not in path.parts]
    result = subprocess.run(
        [swift, "format", "lint", "--strict", *written],
        capture_output=True,
        text=True,
        cwd=swift_package,
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.swift
def test_the_finder_prints_the_toolchain_that_is_there_without_fetching(swift: Path) -> None:
    found = subprocess.run(
        [FINDER],
        capture_output=True,
        text=True,
        env=os.environ | {"LAMA_EDGE_DEBIAN_MIRROR": "http://127.0.0.1:9/none"},
    )
    assert found.returncode == 0, found.stderr
    assert Path(found.stdout.strip()) == swift
    assert found.stderr == ""
