"""What is left of a command that is killed, terminated or hung up while it measures."""

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

from lama_edge.benchmarks.targets.places import local
from lama_edge.benchmarks.targets.places.base import BUSY
from lama_edge.benchmarks.targets.places.local import LocalPlace
from lama_edge.cli import _in_order
from lama_edge.errors import LamaEdgeError
from lama_edge.spec import Size

PATIENCE_S = 60.0
# What the kernel and a shell need, on a machine that is busy.
SOON_S = 10.0
TIDIED = -1
# A task that has computed for as long reads no file any more, whose lack would end it by itself.
SETTLED_S = 4.0
ASKS = """
from lama_edge.process import run_isolated
run_isolated("naps:nap", {})
"""
NAPS = """
import pathlib, time
def nap(payload):
    pathlib.Path(__file__).with_name("napping").touch()
    time.sleep(3600)
"""


@pytest.fixture
def model(exported: Callable[..., Path]) -> Path:
    return exported("fourier", Size(32, 48))


def _bench(model: Path, seconds: float) -> list[str]:
    words = ["bench", str(model), "--rounds", "1", "--min-seconds", str(seconds)]
    return [sys.executable, "-m", "lama_edge.cli", *words]


@contextlib.contextmanager
def _started(
    command: list[str], temporary: Path, is_there: Callable[[psutil.Process], bool]
) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """Start a command and wait for a process of its; none of them outlives the block."""
    environment = {**os.environ, "TMPDIR": str(temporary)}
    family: list[psutil.Process] = []
    with subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            end = time.monotonic() + PATIENCE_S
            while not any(is_there(one) for one in family):
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < end, family
                time.sleep(0.05)
                family[:] = psutil.Process(process.pid).children(recursive=True)
            yield process, family
        finally:
            process.kill()
            for one in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()


def _measures(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error, OSError, ValueError):
        words = process.cmdline()
        if "lama_edge.benchmarks.targets.tasks" in words:
            task = json.loads(Path(words[-1]).read_text())["task"]
            return bool(task == "measure" and process.cpu_times().user > SETTLED_S)
    return False


def _left(folder: Path) -> list[str]:
    """Return what lies there in the end."""
    end = time.monotonic() + SOON_S
    while (names := {path.name for path in folder.iterdir()}) and time.monotonic() < end:
        time.sleep(0.02)
    return sorted(names)


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
)
def test_a_bench_that_is_ended_leaves_nothing_running_and_no_folder(
    model: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with _started(_bench(model, 3600), tmp_path, _measures) as (process, family):
        process.send_signal(number)
        # Both the terminal and the shell tell that it is gone; what was killed hears nothing.
        process.send_signal(number)
        process.wait(PATIENCE_S)
        assert psutil.wait_procs(family, timeout=SOON_S)[1] == []
        assert _left(tmp_path) == []
        assert process.returncode == code
        assert process.stderr is not None
        assert process.stderr.read() == ("" if code < 0 else "lama-edge: interrupted\n")


def test_a_task_does_not_outlive_who_asked_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "naps.py").write_text(NAPS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command, naps = [sys.executable, "-c", ASKS], tmp_path / "napping"
    with _started(command, temporary, lambda one: naps.exists()) as (process, family):
        process.kill()
        process.wait(PATIENCE_S)
        assert psutil.wait_procs(family, timeout=SOON_S)[1] == []
        assert _left(temporary) == []


def _told(stopped: list[int]) -> None:
    os.kill(os.getpid(), signal.SIGHUP)
    assert stopped == []
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(SOON_S)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        stopped.append(TIDIED)


def test_what_is_ignored_stays_ignored_and_handlers_come_back() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    term = signal.getsignal(signal.SIGTERM)
    try:
        stopped: list[int] = []
        with pytest.raises(KeyboardInterrupt), _in_order(stopped):
            _told(stopped)
        assert stopped == [signal.SIGTERM, TIDIED]
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is term
    finally:
        signal.signal(signal.SIGHUP, before)


def test_one_session_measures_at_a_time_and_a_killed_one_makes_room(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime, temporary = tmp_path / "runtime", tmp_path / "temporary"
    runtime.mkdir(mode=0o700)
    temporary.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    with LocalPlace() as place:
        with _started(_bench(model, 3600), temporary, _measures) as (process, _):
            refused = subprocess.run(
                _bench(model, 0), capture_output=True, text=True, timeout=PATIENCE_S
            )
            assert (refused.returncode, refused.stdout) == (2, "")
            assert refused.stderr == f"lama-edge: error: {BUSY}\n"
            with pytest.raises(LamaEdgeError, match="another measurement runs on this target"):
                place.claim()
            # What is not measured does not wait for it.
            assert place.run(["sh", "-c", "echo here"]).output == "here\n"
            assert (runtime / "lama-edge" / "measuring.lock").exists()
            process.kill()
            process.wait(PATIENCE_S)
            assert _left(temporary) == []
        place.claim()
    subprocess.run(_bench(model, 0), check=True, capture_output=True, timeout=PATIENCE_S)


def test_where_no_lock_can_be_made_it_is_measured_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "lama-edge" / "measuring.lock").mkdir(parents=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert local._locked() is None
