"""The scripts that unpack other tools beside the system say in one line what they lack."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from places import ROOT


@pytest.mark.parametrize(
    ("finder", "folder", "problem"),
    [
        ("swift", "LAMA_EDGE_SWIFT_ROOT", "no Swift"),
        ("cpp", "LAMA_EDGE_CPP_ROOT", "no ONNX Runtime headers"),
        ("cpp-arm64", "LAMA_EDGE_CPP_ARM64_ROOT", "no emulator for arm64"),
        ("kotlin", "LAMA_EDGE_KOTLIN_ROOT", "no Kotlin"),
    ],
)
def test_the_finder_says_what_it_lacks(
    tmp_path: Path, finder: str, folder: str, problem: str
) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash here")
    bare = tmp_path / "bin"
    bare.mkdir()
    environment = {"PATH": str(bare), "HOME": str(tmp_path), folder: str(tmp_path)}
    script = ROOT / ".ci" / finder
    found = subprocess.run([bash, script], capture_output=True, text=True, env=environment)
    assert found.returncode == 3
    assert re.fullmatch(rf"{problem}: .*apt-get.*\n", found.stderr)
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]
