"""Where the Android library is, and how its tools and its tests are run."""

from __future__ import annotations

import importlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Protocol

import pytest
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
        skipped: int = ...,
    ) -> None:
        """Fail as they do."""


def run_program(
    *words: str | Path,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    limit_s: float = TIMEOUT_S,
) -> subprocess.CompletedProcess[str]:
    """Run a program; one that hangs is ended, with what it has started, and fails the test."""
    with subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
        cwd=folder,
        start_new_session=True,
    ) as process:
        try:
            output, complaints = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            pytest.fail(f"{Path(words[0]).name} was ended after {limit_s:g} s: it hangs")
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    return subprocess.CompletedProcess(words, process.returncode, output, complaints)


def run_python(*words: str | Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a Python program, which must end well; return what it prints, its complaints last."""
    result = run_program(sys.executable, *words, environment=environment)
    output = result.stdout + result.stderr
    assert result.returncode == 0, output[-8000:]
    return output


def written_tests(module: str) -> dict[str, int]:
    """Return how many JUnit tests the files of a module's tests have, by their names."""
    folder = ANDROID / ("sample" if module in ("app", "drawing") else "") / module
    counts = {
        path.stem: len(re.findall(r"^\s*@Test\b", path.read_text(), re.MULTILINE))
        for path in (folder / "src/test/kotlin").rglob("*.*")
    }
    return {name: count for name, count in counts.items() if count}


def building(name: str) -> ModuleType:
    """Return a module of `building`."""
    sys.path.insert(0, str(ANDROID / "building"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(ANDROID / "building"))


def compiler_says(modules: Iterable[str], sources: Sequence[Path], *options: str) -> str:
    """Compile some sources against modules; return what the compiler says against them."""
    compiling = building("compile")
    path = os.pathsep.join(map(str, compiling.class_path(*modules)))
    with compiling.alone(), tempfile.TemporaryDirectory() as folder:
        try:
            compiling.kotlinc(
                *("-no-stdlib", "-no-reflect", "-classpath", path, "-d", folder),
                *(*options, *map(str, sources)),
            )
        except compiling.CompileError as error:
            return str(error)
    return ""
