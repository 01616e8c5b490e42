"""What is left of a command that is killed, terminated or hung up while it measures."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from commands import PATIENCE_S, SOON_S, left, started

from lama_edge.benchmarks.targets.places import local
from lama_edge.benchmarks.targets.places.base import BUSY
from lama_edge.benchmarks.targets.places.local import LocalPlace
from lama_edge.cli.signals import in_order
from lama_edge.errors import LamaEdgeError
from lama_edge.spec import Size

TIDIED = -1
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


@pytest.fixture(autouse=True)
def _hangs_up() -> Iterator[None]:
    """Let a hangup end commands also where these tests run under nohup, which hands down that."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def model(exported: Callable[..., Path]) -> Path:
    return exported("fourier", Size(32, 48))


def _bench(model: Path, seconds: float) -> list[str]:
    words = ["bench", str(model), "--rounds", "1", "--min-seconds", str(seconds)]
    return [sys.executable, "-m", "lama_edge.cli", *words]


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
)
def test_a_bench_that_is_ended_leaves_nothing_running_and_no_folder(
    model: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with started(_bench(model, 3600), tmp_path) as (process, family):
        process.send_signal(number)
        # Both the terminal and the shell tell that it is gone; what was killed hears nothing.
        process.send_signal(number)
        process.wait(PATIENCE_S)
        assert psutil.wait_procs(family, timeout=SOON_S)[1] == []
        assert left(tmp_path) == []
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
    with started(command, temporary, lambda one: naps.exists()) as (process, family):
        process.kill()
        process.wait(PATIENCE_S)
        assert psutil.wait_procs(family, timeout=SOON_S)[1] == []
        assert left(temporary) == []


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
        with pytest.raises(KeyboardInterrupt), in_order(stopped):
            _told(stopped)
        assert stopped == [signal.SIGTERM, TIDIED]
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is term
    finally:
        signal.signal(signal.SIGHUP, before)


def _wait(soon: threading.Timer, late: threading.Timer, pipe: int) -> None:
    soon.start()
    late.start()
    os.read(pipe, 4)


def test_a_signal_that_misses_the_main_thread_ends_its_wait() -> None:
    waits, wakes = os.pipe()

    # As when it comes between Python's look for signals and the wait that begins then.
    def tell() -> None:
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

    in_time, stopped = [True], list[int]()

    def wake() -> None:
        in_time.clear()
        os.write(wakes, b"late")

    soon, late = threading.Timer(0.2, tell), threading.Timer(SOON_S, wake)
    try:
        with pytest.raises(KeyboardInterrupt), in_order(stopped):
            _wait(soon, late, waits)
        assert (in_time, stopped) == ([True], [signal.SIGTERM])
    finally:
        late.cancel()
        os.close(waits)
        os.close(wakes)


def test_one_session_measures_at_a_time_and_a_killed_one_makes_room(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime, temporary = tmp_path / "runtime", tmp_path / "temporary"
    runtime.mkdir(mode=0o700)
    temporary.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    with LocalPlace() as place:
        with started(_bench(model, 3600), temporary) as (process, _):
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
            assert left(temporary) == []
        place.claim()
    subprocess.run(_bench(model, 0), check=True, capture_output=True, timeout=PATIENCE_S)


def test_where_no_lock_can_be_made_it_is_measured_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "lama-edge" / "measuring.lock").mkdir(parents=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert local._locked() is None
