"""The program that measures what the library takes beside the model."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lama_edge.benchmarks.studies.cpp_overhead import Case, measure
from lama_edge.models.config import FfcResnetConfig
from lama_edge.spec import Size

pytestmark = pytest.mark.cpp


@pytest.fixture(scope="module")
def program(cpp_library: Path, cmake_build: Callable[..., Path], onnxruntime_roots: str) -> Path:
    options = ("-DCMAKE_BUILD_TYPE=Release", "-DLAMA_EDGE_BENCHMARKS=ON")
    roots = f"-DOnnxRuntime_ROOT={onnxruntime_roots}"
    folder = cmake_build(cpp_library, "library-plain", roots, *options)
    return folder / "benchmarks" / "lama_edge_overhead"


def test_both_languages_measure_the_same_work(program: Path) -> None:
    size = Size(96, 160)
    cases = {
        "overhead": [Case("big", "small", size, size, "full", 2)],
        "pictures": [
            Case("given-back", "float", size, Size(96, 96), "crop", 3),
            Case("given-back-uint8", "uint8", size, Size(96, 96), "crop", 3),
        ],
    }
    document = measure(program, 2, config=FfcResnetConfig(ngf=8, n_blocks=1), cases=cases)
    measured = document["measured"]
    assert len(measured) == 3 * 2 * 2
    for one in measured:
        assert one["windows"] == 1
        assert (
            len(one["bare_ms"]) == len(one["inpaint_ms"]) == (4 if one["title"] == "small" else 6)
        )
        assert min(*one["bare_ms"], *one["inpaint_ms"]) > 0


def test_what_the_program_cannot_do_it_says_in_one_line(program: Path, tmp_path: Path) -> None:
    result = subprocess.run([program], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "12 arguments are needed: see the source\n"
    words = [tmp_path / "none.onnx", "p", "m", 1, 1, 1, 1, "full", 1, 1, 1, tmp_path / "result"]
    result = subprocess.run([program, *map(str, words)], capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.startswith("there is no file")
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
