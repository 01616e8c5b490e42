"""Kotlin and a JVM for the tests of the Android library."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from android_library import ANDROID, JUnit, building, run_python, written_tests
from places import DATA, ROOT


@pytest.fixture(scope="session")
def kotlin() -> Path:
    """Return the folder of tools that `.ci/kotlin` has fetched."""
    if shutil.which("javac") is None:
        pytest.skip("no JDK: apt-get install openjdk-17-jdk-headless")
    try:
        return Path(building("compile").tools())
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def selftest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of resources with what providers are tested with."""
    folder = tmp_path_factory.mktemp("selftest")
    run_python(ROOT / "runtimes/web/building/selftest.py", folder / "io/github/lamaedge")
    return folder


@pytest.fixture(scope="session")
def junit(kotlin: Path, selftest: Path) -> JUnit:
    """Return what runs tests of one of the modules that `building/compile.py` names.

    All that are written, or some classes of them; as many as are said may be skipped. The
    self-test's files are on their class path, and LAMA_EDGE_DATA names `tests/data`.
    """

    def run(
        module: str,
        *classes: str,
        environment: Mapping[str, str] = {},
        resources: tuple[Path, ...] = (),
        jvm: tuple[str, ...] = (),
        skipped: int = 0,
    ) -> None:
        words = [f"--resources={folder}" for folder in (selftest, *resources)]
        words += [f"--jvm={option}" for option in jvm]
        output = run_python(
            *(ANDROID / "building/compile.py", "--test", module, *classes, *words),
            environment={"LAMA_EDGE_DATA": str(DATA), **environment},
        )
        passed = re.search(r"^OK \((\d+) tests?\)", output, re.MULTILINE)
        assert passed, output
        # What is skipped, as it was not given something, is among the tests that are OK.
        assert f"\nskipped: {skipped}\n" in output, output
        written = written_tests(module)
        assert int(passed[1]) == sum(written[name] for name in classes or written) > 0

    return run
