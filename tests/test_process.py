"""Tasks in a process of their own: results, errors and deaths come back as such."""

from __future__ import annotations

import errno
import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lama_edge.benchmarks.documents.store import DocumentError
from lama_edge.errors import LamaEdgeError, MissingBackendError, ParityError, UsageError
from lama_edge.process import CrashError, run_isolated
from lama_edge.runtimes.tensorrt.cuda import OutOfDeviceMemoryError

TASKS = """
import importlib, json, os, signal, sys, time
from lama_edge import errors

def echo(payload):
    return {"payload": payload, "process": os.getpid(), "input": sys.stdin.read()}

def noisy(payload):
    print("to stdout"); print("to stderr", file=sys.stderr)
    return {"random": json.__file__}

def fail(payload):
    raise getattr(errors, payload["error"])(payload["message"])

def die(payload):
    os.kill(os.getpid(), payload["signal"])

def leave(payload):
    print("first words", file=sys.stderr)
    print(payload["words"], file=sys.stderr)
    os._exit(payload["code"])

def hang(payload):
    time.sleep(60)

def bug(payload):
    return payload["absent"]

class SomebodysError(errors.MissingBackendError):
    def __init__(self, package, advice):
        super().__init__(f"{package}: {advice}")

def fail_with_a_class_of_its_own(payload):
    raise SomebodysError("ncnn", "build it")

def fail_with(payload):
    module, name = payload["class"]
    raise getattr(importlib.import_module(module), name)("the value 7 is wrong")

def tell(payload, progress):
    print("printed")
    os.write(1, b"by a library\\n")
    progress("64x64"); progress("two\\nlines")
    return {"told": 2}

def tell_and_hang(payload, progress):
    progress(str(os.getpid()))
    time.sleep(60)

def tidy(payload, progress):
    try:
        progress("busy")
        time.sleep(60)
    finally:
        open(payload["file"], "w").close()
"""


@pytest.fixture
def call(tmp_path: Path) -> Any:
    """Runs one of TASKS."""
    (tmp_path / "isolated_tasks.py").write_text(TASKS, encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])

    def run(task: str, payload: Mapping[str, Any], **options: Any) -> dict[str, Any]:
        environment = {"PYTHONPATH": path}
        return run_isolated(f"isolated_tasks:{task}", payload, environment=environment, **options)

    return run


def test_a_task_runs_in_another_process_and_gives_its_result(call: Any) -> None:
    payload = {"text": "Grüße", "numbers": [1, 2.5, None, True]}
    answer = call("echo", payload)
    assert answer["payload"] == payload
    assert answer["process"] != os.getpid()


def test_a_full_temporary_folder_is_told_of_in_one_line(
    call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Path.touch

    def touch(path: Path) -> None:
        if path.name == "log":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        made(path)

    monkeypatch.setattr(Path, "touch", touch)
    with pytest.raises(LamaEdgeError, match=r"temporary folder \(No space left on device\)"):
        call("echo", {})


def test_a_task_cannot_take_what_is_typed(call: Any) -> None:
    assert call("echo", {})["input"] == ""


def test_what_a_task_prints_is_not_its_result(call: Any, capfd: Any) -> None:
    call("noisy", {})
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 has no PYTHONSAFEPATH")
def test_files_in_the_current_folder_do_not_replace_modules(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "json.py").write_text("raise SystemExit('the wrong json')", encoding="utf-8")
    monkeypatch.chdir(folder)
    assert not call("noisy", {})["random"].startswith(str(folder))


@pytest.mark.parametrize("error", [UsageError, ParityError, MissingBackendError])
def test_an_error_keeps_its_class_and_message(call: Any, error: type[LamaEdgeError]) -> None:
    with pytest.raises(error, match=r"^the value 7 is wrong$") as caught:
        call("fail", {"error": error.__name__, "message": "the value 7 is wrong"})
    assert caught.type is error


@pytest.mark.parametrize(
    "error", [DocumentError, CrashError, OutOfDeviceMemoryError], ids=lambda error: error.__name__
)
def test_an_error_keeps_its_class_wherever_in_lama_edge_that_is_defined(
    call: Any, error: type[LamaEdgeError]
) -> None:
    with pytest.raises(error, match=r"^the value 7 is wrong$") as caught:
        call("fail_with", {"class": [error.__module__, error.__qualname__]})
    assert caught.type is error


def test_an_error_of_somebody_elses_class_keeps_the_class_that_was_imported_or_its_base(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MissingBackendError, match=r"^ncnn: build it$") as caught:
        call("fail_with_a_class_of_its_own", {})
    assert caught.type is MissingBackendError
    monkeypatch.syspath_prepend(tmp_path)
    known = importlib.import_module("isolated_tasks")
    monkeypatch.setitem(sys.modules, "isolated_tasks", known)
    with pytest.raises(MissingBackendError, match=r"^ncnn: build it$") as caught:
        call("fail_with_a_class_of_its_own", {})
    assert caught.type is known.SomebodysError


def test_steps_are_told_and_what_is_printed_is_none(call: Any) -> None:
    steps: list[str] = []
    assert call("tell", {}, progress=steps.append) == {"told": 2}
    assert steps == ["64x64", "two lines"]


def test_the_process_does_not_outlive_the_interrupted_wait(call: Any) -> None:
    """What Ctrl-C raises comes up while the process is waited for, as it does here."""
    told: list[int] = []

    def interrupt(step: str) -> None:
        told.append(int(step))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call("tell_and_hang", {}, progress=interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(told[0], 0)


def test_whoever_is_told_of_the_process_can_interrupt_it_and_it_cleans_up(
    call: Any, tmp_path: Path
) -> None:
    told: list[subprocess.Popen[str]] = []
    sessions: list[int] = []

    def interrupt(step: str) -> None:
        sessions.append(os.getsid(told[0].pid))
        told[0].send_signal(signal.SIGINT)

    with pytest.raises(CrashError, match="SIGINT"):
        call("tidy", {"file": str(tmp_path / "clean")}, progress=interrupt, started=told.append)
    assert (tmp_path / "clean").exists()
    # The terminal's own Ctrl-C would be the second one, in the middle of cleaning up.
    assert sessions == [told[0].pid]


def test_a_death_by_signal_is_a_crash_that_names_it(call: Any) -> None:
    with pytest.raises(CrashError, match=r"killed by SIGSEGV$"):
        call("die", {"signal": signal.SIGSEGV})
    with pytest.raises(CrashError, match=r"SIGKILL: .*out of memory"):
        call("die", {"signal": signal.SIGKILL})


def test_an_early_end_is_a_crash_with_the_last_words(call: Any) -> None:
    with pytest.raises(CrashError, match=r"ended with code 3: cannot go on$"):
        call("leave", {"code": 3, "words": "cannot go on"})
    with pytest.raises(CrashError, match=r"ended with code 0: \?\[31mred"):
        call("leave", {"code": 0, "words": "\x1b[31mred"})


def test_a_fault_in_the_task_is_a_crash_that_names_it(call: Any) -> None:
    with pytest.raises(CrashError, match="code 1: KeyError: 'absent'"):
        call("bug", {})


def test_a_task_that_takes_too_long_is_stopped(call: Any) -> None:
    with pytest.raises(CrashError, match=r"did not finish within 0\.5 s"):
        call("hang", {}, timeout_s=0.5)
