"""The C++ library's libFuzzer targets build, and find nothing in a few thousand inputs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from places import DATA

pytestmark = pytest.mark.cpp


@pytest.mark.parametrize("name", ["fuzz_manifest", "fuzz_pictures"])
def test_a_few_thousand_inputs_bring_no_finding(
    cpp_library: Path, cmake_build: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    program = cmake_build(cpp_library / "fuzz", "fuzz-clang") / name
    cases = json.loads((DATA / "vectors" / "manifests.json").read_text())["manifests"]
    for index, case in enumerate(cases):
        (tmp_path / str(index)).write_text(case["json"])
    command = [program, "-runs=3000", "-seed=1", "-max_len=4096", tmp_path]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "Done 3000 runs" in result.stderr
