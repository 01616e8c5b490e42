"""Node and Vitest for the tests of the browser's library."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from chromium import find_browser
from web_library import WEB, node

# Chromium's start and a minute of work, ten times that on busy cores.
TIMEOUT_S = 900


@pytest.fixture
def vitest() -> Callable[..., None]:
    """Return what runs one of Vitest's projects on a folder of cases."""
    program = WEB / "node_modules/vitest/vitest.mjs"
    if not program.is_file():
        pytest.skip("runtimes/web has no node_modules: make web")
    command = [node(), str(program), "run", "--project"]

    def run(project: str, *files: str, cases: Path | None = None) -> None:
        browser = find_browser()
        if project != "node" and browser is None:
            pytest.skip("there is no Chromium on the PATH")
        environment = dict(os.environ, NO_COLOR="1", LAMA_EDGE_CASES=str(cases or ""))
        environment.setdefault("CHROMIUM", browser or "")
        done = subprocess.run(
            [*command, project, *files],
            cwd=WEB,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]

    return run
