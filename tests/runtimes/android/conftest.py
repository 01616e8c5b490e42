"""Kotlin and a JVM for the tests of the Android library."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from android_library import ANDROID, JUnit, run_python, tests_written
from places import DATA, ROOT, TOOLS


@pytest.fixture(scope="session")
def kotlin() -> Path:
    """Return the folder of tools that `.ci/kotlin` has fetched."""
    folder = Path(os.environ.get("LAMA_EDGE_KOTLIN_ROOT") or TOOLS / "kotlin")
    if not (folder / "made").is_file():
        pytest.skip("no Kotlin: .ci/kotlin fetches it")
    if shutil.which("javac") is None:
        pytest.skip("no JDK: apt-get install openjdk-17-jdk-headless")
    return folder


@pytest.fixture(scope="session")
def selftest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of resources with what providers are tested with."""
    folder = tmp_path_factory.mktemp("selftest")
    run_python(ROOT / "runtimes/web/building/selftest.py", folder / "io/github/lamaedge")
    return folder


@pytest.fixture(scope="session")
def junit(kotlin: Path, selftest: Path) -> JUnit:
    """Return what runs tests of one of the modules that `building/compile.py` names.

    All that are written, or some classes of them. The self-test's files are on their class path,
    and LAMA_EDGE_DATA names `tests/data`.
    """

    def run(
        module: str,
        *classes: str,
        environment: Mapping[str, str] = {},
        resources: tuple[Path, ...] = (),
        jvm: tuple[str, ...] = (),
    ) -> None:
        words = [f"--resources={folder}" for folder in (selftest, *resources)]
        words += [f"--jvm={option}" for option in jvm]
        output = run_python(
            *(ANDROID / "building/compile.py", "--test", module, *classes, *words),
            environment={"LAMA_EDGE_DATA": str(DATA), **environment},
        )
        passed = re.search(r"^OK \((\d+) tests?\)", output, re.MULTILINE)
        assert passed, output
        if not classes:
            assert int(passed[1]) == tests_written(module) > 0

    return run
