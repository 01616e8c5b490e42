"""The C++ library's pure part builds without a warning and agrees with the shared vectors."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from places import DATA

VECTORS = DATA / "vectors"
TOPICS = ("windows", "pixels", "masks", "inpainting", "manifests")
BUILDS = {
    "plain": ["-DCMAKE_BUILD_TYPE=Release"],
    "clang": ["-DCMAKE_BUILD_TYPE=Release"],
    "sanitized": ["-DCMAKE_BUILD_TYPE=Debug", "-DLAMA_EDGE_SANITIZE=address,undefined"],
}

pytestmark = pytest.mark.cpp


@pytest.fixture(scope="module", params=BUILDS)
def program(
    request: pytest.FixtureRequest, cpp_library: Path, cmake_build: Callable[..., Path]
) -> Path:
    name: str = request.param
    return cmake_build(cpp_library / "tests", f"contract-{name}", *BUILDS[name]) / "contract_tests"


def run(program: Path, vectors: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, vectors], capture_output=True, text=True, timeout=120)


def test_the_contract_agrees_with_python_on_every_shared_vector(program: Path) -> None:
    result = run(program, VECTORS)
    lines = result.stdout.splitlines()
    assert [line for line in lines if not line.startswith("ok ")] == [], result.stderr
    assert result.returncode == 0, result.stderr
    expected = set()
    for topic in TOPICS:
        document = json.loads((VECTORS / f"{topic}.json").read_text())
        for name, cases in document.items():
            if name != "version":
                expected |= {f"ok {topic}.{name}[{index}]" for index in range(len(cases))}
    assert expected <= set(lines)


def test_vectors_of_another_version_are_refused_by_name(program: Path, tmp_path: Path) -> None:
    for topic in TOPICS:
        (tmp_path / f"{topic}.json").write_text('{"version": 4, "plans": "of another kind"}')
    result = run(program, tmp_path)
    assert result.returncode == 1
    assert "version 4; these tests read 3" in result.stdout
