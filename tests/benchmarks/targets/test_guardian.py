"""The script that watches over a session on a target, in the shells that targets have."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from places import lying_in

from lama_edge.benchmarks.targets.places.guardian import GUARDIAN, SESSION

SHELLS = ("dash", "bash", "busybox", "mksh")
# What the script calls.
TOOLS = ("cat", "flock", "grep", "ln", "mkdir", "mv", "readlink", "rm", "rmdir", "sleep", "uname")


class Session:
    """A guardian, its input held open."""

    def __init__(self, shell: list[str], tools: Path, folder: Path, patience: int) -> None:
        words = ("lama-edge-guardian", str(folder / "home"), str(folder / "lock"), str(patience))
        self._shell, self._tools = shell, {"PATH": str(tools)}
        self.process = subprocess.Popen(
            [*shell, "-c", GUARDIAN, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=self._tools,
            start_new_session=True,
        )
        self.answer = self._line()

    def ask(self, word: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        return self._line()

    @property
    def folder(self) -> Path:
        return Path(self.answer.removeprefix("folder "))

    def run(self, script: str, first: str = "") -> psutil.Process:
        """Start a program of the session's; it and what it starts ends only when it is killed."""
        begin = SESSION.format(folder=self.folder)
        command = [*self._shell, "-c", first + begin + script]
        started = subprocess.Popen(command, env=self._tools, start_new_session=True)
        return psutil.Process(started.pid)

    def kill(self) -> None:
        """Kill the guardian with all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def left(self) -> list[str]:
        """Return what lies in the home, and the lock."""
        home = self.folder.parent
        lock = home.with_name("lock")
        return [*lying_in(home), *([lock.name] if lock.exists() else ())]

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[list[str], Path]:
    """A shell, and a folder with the tools that it finds."""
    found = shutil.which(request.param)
    if found is None:
        pytest.skip(f"there is no {request.param}: apt-get install {request.param}")
    if not Path("/proc/self/environ").exists():
        pytest.skip("the guardian wants /proc")
    tools = tmp_path / "tools"
    tools.mkdir()
    its = []
    if request.param == "busybox":
        listed = subprocess.run([found, "--list"], check=True, capture_output=True, text=True)
        its = listed.stdout.split()
    for tool in TOOLS:
        where = found if tool in its else None if its else shutil.which(tool)
        if where is not None:
            (tools / tool).symlink_to(where)
    return ([found, "sh"] if request.param == "busybox" else [found]), tools


@pytest.fixture
def begin(shell: tuple[list[str], Path], tmp_path: Path) -> Iterator[Callable[..., Session]]:
    sessions: list[Session] = []

    def begin(patience: int = 60) -> Session:
        sessions.append(Session(*shell, tmp_path, patience))
        return sessions[-1]

    yield begin
    for session in sessions:
        session.kill()


def soon(true: Callable[[], object], within_s: float = 20.0) -> bool:
    until = time.monotonic() + within_s
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_it_ends_what_runs_and_removes_what_lies_there(
    begin: Callable[..., Session], shell: tuple[list[str], Path]
) -> None:
    session = begin()
    assert session.folder.parent.is_dir()
    assert session.ask("beat") == "beat"
    # The one is found by the variable alone, which busybox's grep does not, the other by both.
    folder = "/" if shell[0][1:] != ["sh"] else "."
    programs = [session.run(f"cd {folder} && sleep 99; true"), session.run("exec sleep 99")]
    assert soon(lambda: programs[0].children() and programs[1].cmdline() == ["sleep", "99"])
    kept = programs[0].children()
    (session.folder / "file").touch()
    assert session.ask("stop") == "stop"
    assert all(ended(program) for program in (*programs, *kept))
    assert (session.folder / "file").exists()
    program = session.run("exec sleep 99")
    assert soon(lambda: program.cmdline() == ["sleep", "99"])
    assert session.ask("end") == "end"
    assert session.process.wait(20) == 0
    assert ended(program)
    assert session.left() == []
    assert not session.folder.parent.exists()


def test_temporary_files_go_with_the_session(begin: Callable[..., Session]) -> None:
    session = begin()
    session.run('echo here >"${TMPDIR:-.}/file"')
    assert soon((session.folder / "tmp" / "file").exists)
    assert session.ask("end") == "end"
    assert session.left() == []


@pytest.mark.parametrize("silent", [False, True])
def test_it_does_so_when_nothing_is_heard_any_more(
    begin: Callable[..., Session], silent: bool
) -> None:
    session = begin(patience=1 if silent else 60)
    program = session.run("exec sleep 99")
    if not silent:
        assert session.process.stdin is not None
        session.process.stdin.close()
    assert soon(lambda: ended(program) and session.left() == [])
    assert soon(lambda: session.process.poll() is not None)


def test_a_program_that_begins_while_it_does_so_does_not_outlive_it(
    begin: Callable[..., Session], shell: tuple[list[str], Path], tmp_path: Path
) -> None:
    session = begin()
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    program = session.run("exec sleep 99", first=f"read go <{gate}; ")
    # What is left to end has been looked for when the folder is removed.
    slow, rm = shell[1] / "rm", shutil.which("rm")
    open_gate = f"[ ! -p {gate} ] || {{ echo go >{gate}; {rm} {gate}; sleep 0.5; }}"
    slow.unlink()
    slow.write_text(f'#!/bin/sh\n{open_gate}\nexec {rm} "$@"\n')
    slow.chmod(0o755)
    assert session.ask("end") == "end"
    assert soon(lambda: ended(program), within_s=5)
    assert session.left() == []


def test_words_keep_it_waiting(begin: Callable[..., Session]) -> None:
    session = begin(patience=2)
    for _ in range(30):
        assert session.ask("beat") == "beat"
        time.sleep(0.1)
    assert session.folder.exists()


@pytest.mark.parametrize("tool", ["flock", "ln"])
def test_one_session_at_a_time_has_the_device(
    begin: Callable[..., Session], shell: tuple[list[str], Path], tool: str
) -> None:
    if tool == "ln":
        (shell[1] / "flock").unlink(missing_ok=True)
    elif not (shell[1] / "flock").exists():
        pytest.skip("these tools have no flock")
    first, second = begin(), begin()
    assert first.answer.startswith("folder ")
    assert second.answer == "busy"
    assert first.folder.exists()
    assert first.ask("end") == "end"
    third = begin()
    assert third.answer.startswith("folder ")
    # What the power cut off is in nobody's way.
    third.kill()
    # A tool that it had started may hold the lock for a moment longer.
    assert soon(lambda: begin().answer.startswith("folder "))
    assert not third.folder.exists()


def test_a_folder_that_cannot_be_made_is_told(
    begin: Callable[..., Session], tmp_path: Path
) -> None:
    (tmp_path / "home").write_bytes(b"")
    session = begin()
    assert session.answer.startswith("failed ")
    assert "home" in session.answer
    assert not os.path.lexists(tmp_path / "lock")
