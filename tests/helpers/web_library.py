"""The TypeScript library as pages get it, compiled from the sources that are tested."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from places import ROOT

WEB = ROOT / "runtimes/web"


def node() -> str:
    """Return the path of Node, or skip the test where there is none."""
    path = shutil.which("node")
    if path is None:
        pytest.skip("there is no node on the PATH")
    return path


def compile_library(folder: Path) -> None:
    """Compile the library into a folder, or skip the test where what that takes is missing."""
    compiler = WEB / "node_modules/typescript/bin/tsc"
    if not compiler.is_file():
        pytest.skip("runtimes/web has no node_modules: make web")
    run_node(compiler, "-p", WEB / "tsconfig.build.json", "--outDir", folder)


def run_node(*words: str | Path, folder: Path | None = None) -> str:
    """Run a program of Node, in a folder, and return what it says; what it warns of is said too."""
    command = [node(), *map(str, words)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
