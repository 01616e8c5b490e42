"""A fleet that is interrupted: nothing runs on, nothing lies about, what was done is kept."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from commands import PATIENCE_S, SOON_S, left, started

from lama_edge.errors import INTERRUPTED
from lama_edge.spec import Size

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
def command(exported: Callable[..., Path], tmp_path: Path) -> list[str]:
    """A fleet, for `tmp_path`, whose first device samples for an hour."""
    (tmp_path / "devices.toml").write_text(DEVICES)
    (tmp_path / "tmp").mkdir()
    words = ["bench", str(exported("fourier", Size(32, 48))), "--fleet", "devices.toml"]
    words += ["--json-out", "f.json", "--rounds", "1", "--min-seconds", "3600"]
    return [sys.executable, "-m", "lama_edge.cli", *words]


def test_ctrl_c_leaves_nothing_running_or_lying_about(command: list[str], tmp_path: Path) -> None:
    with started(command, tmp_path / "tmp", folder=tmp_path) as (process, family):
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == INTERRUPTED
        assert errors.splitlines()[-1] == "lama-edge: interrupted"
        assert psutil.wait_procs(family, timeout=SOON_S)[1] == []
        assert left(tmp_path / "tmp") == []
        assert {path.name for path in tmp_path.iterdir()} == {"devices.toml", "tmp"}


def test_a_killed_fleet_does_not_go_on_measuring(command: list[str], tmp_path: Path) -> None:
    with started(command, tmp_path / "tmp", folder=tmp_path) as (process, family):
        process.kill()
        process.wait(PATIENCE_S)
        assert psutil.wait_procs(family, timeout=PATIENCE_S)[1] == []
        assert left(tmp_path / "tmp") == []
