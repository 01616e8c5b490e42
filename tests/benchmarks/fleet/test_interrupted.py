"""A fleet that is interrupted: nothing runs on, nothing lies about, what was done is kept."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from lama_edge.errors import INTERRUPTED
from lama_edge.spec import Size

PATIENCE_S = 60.0
DEVICES = """
[[device]]
name = "one"
target = "local"

[[device]]
name = "other"
target = "local"
threads = 1
"""


@pytest.fixture
def started(
    exported: Callable[..., Path], tmp_path: Path
) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """A fleet whose first device samples for an hour, and all processes of it."""
    (tmp_path / "devices.toml").write_text(DEVICES)
    (tmp_path / "tmp").mkdir()
    model = exported("fourier", Size(32, 48))
    words = ["bench", model, "--fleet", "devices.toml", "--json-out", "f.json"]
    command = [sys.executable, "-m", "lama_edge.cli", *words, "--rounds", "1", "--min-seconds"]
    with subprocess.Popen(
        [str(word) for word in (*command, 3600)],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        family: list[psutil.Process] = []
        try:
            yield process, _family(process, family)
        finally:
            process.kill()
            for one in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()


def _family(process: subprocess.Popen[str], family: list[psutil.Process]) -> list[psutil.Process]:
    """Wait until a model is being measured."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and process.poll() is None:
        family[:] = psutil.Process(process.pid).children(recursive=True)
        if any(_measures(one) for one in family):
            return family
        time.sleep(0.1)
    pytest.fail(f"nothing was measured: {process.communicate()[1] if process.poll() else family}")


def _measures(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error, OSError, ValueError):
        words = process.cmdline()
        if "lama_edge.benchmarks.targets.tasks" in words:
            return json.loads(Path(words[-1]).read_text())["task"] == "measure"
    return False


def _left(folder: Path) -> set[str]:
    """Return what lies about."""
    return {path.name for path in folder.iterdir()}


def test_ctrl_c_leaves_nothing_running_or_lying_about(
    started: tuple[subprocess.Popen[str], list[psutil.Process]], tmp_path: Path
) -> None:
    process, family = started
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == INTERRUPTED
    assert errors.splitlines()[-1] == "lama-edge: interrupted"
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []
    assert _left(tmp_path / "tmp") == set()
    assert {path.name for path in tmp_path.iterdir()} == {"devices.toml", "tmp"}


def test_a_killed_fleet_does_not_go_on_measuring(
    started: tuple[subprocess.Popen[str], list[psutil.Process]], tmp_path: Path
) -> None:
    process, family = started
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(family, timeout=PATIENCE_S)
    assert alive == []
    end = time.monotonic() + PATIENCE_S
    while _left(tmp_path / "tmp") and time.monotonic() < end:
        time.sleep(0.1)
    assert _left(tmp_path / "tmp") == set()
