"""Where the Android library is, and how its tools and its tests are run."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from places import ROOT

ANDROID = ROOT / "runtimes" / "android"
# A first compilation of all modules and their tests took a minute on two quiet cores.
TIMEOUT_S = 900


class JUnit(Protocol):
    """Runs JUnit tests of a module; see the fixture ``junit``."""

    def __call__(
        self,
        module: str,
        *classes: str,
        environment: Mapping[str, str] = ...,
        resources: tuple[Path, ...] = ...,
        jvm: tuple[str, ...] = ...,
    ) -> None:
        """Fail as they do."""


def run_python(*words: str | Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a Python program, which must end well; return what it prints, its complaints last."""
    result = subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env={**os.environ, **(environment or {})},
    )
    output = result.stdout + result.stderr
    assert result.returncode == 0, output[-8000:]
    return output


def tests_written(module: str) -> int:
    """Return how many JUnit tests a module's sources have."""
    folder = ANDROID / ("sample" if module in ("app", "drawing") else "") / module
    sources = [path.read_text() for path in (folder / "src/test/kotlin").rglob("*.*")]
    return sum(len(re.findall(r"^\s*@Test\b", text, re.MULTILINE)) for text in sources)


def compiler_says(modules: Iterable[str], sources: Sequence[Path], *options: str) -> str:
    """Compile some sources against modules; return what the compiler says against them."""
    sys.path.insert(0, str(ANDROID / "building"))
    try:
        building = importlib.import_module("compile")
    finally:
        sys.path.remove(str(ANDROID / "building"))
    path = os.pathsep.join(map(str, building.class_path(*modules)))
    with building.alone(), tempfile.TemporaryDirectory() as folder:
        try:
            building.kotlinc(
                *("-no-stdlib", "-no-reflect", "-classpath", path, "-d", folder),
                *(*options, *map(str, sources)),
            )
        except building.CompileError as error:
            return str(error)
    return ""
