"""This machine as a target: real processes, what they answer, and what becomes of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from measuring import CPU, SHORT, picture

from lama_edge.benchmarks.documents.store import WORKER, check_document
from lama_edge.benchmarks.targets import answers
from lama_edge.benchmarks.targets.base import Opening, Target, TargetOptions
from lama_edge.benchmarks.targets.device import DeviceTarget
from lama_edge.benchmarks.targets.places.base import Ended
from lama_edge.benchmarks.targets.places.local import LocalPlace
from lama_edge.benchmarks.targets.programs.python import TASKS, PythonProgram
from lama_edge.benchmarks.targets.programs.worker import WorkerProgram, read_elf
from lama_edge.benchmarks.targets.registry import open_target
from lama_edge.benchmarks.targets.tasks import answer as answer_module
from lama_edge.benchmarks.targets.tasks import request as request_module
from lama_edge.errors import MissingBackendError, ModelError, UsageError
from lama_edge.process import CrashError
from lama_edge.spec import Size


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with open_target("local") as opened:
        yield opened


@pytest.fixture(scope="module")
def model(exported: Callable[..., Path]) -> Path:
    return exported("fourier", Size(64, 96))


def test_a_description_tells_how_it_was_opened_and_where_its_nodes_run(
    target: Target, model: Path
) -> None:
    found = target.describe(target.push(model), CPU)
    assert (found.runtime, found.provider, found.parts) == ("onnxruntime", "cpu", ())
    assert found.title == f"onnxruntime {found.version} cpu"
    assert found.load_ms is not None
    assert found.load_ms > 0
    assert found.placement is not None
    assert found.placement["providers"].keys() == {"CPUExecutionProvider"}
    assert found.placement["providers"]["CPUExecutionProvider"] > 50
    # The processor was asked for.
    assert found.placement["fell_back"] == []


def test_a_round_has_first_and_warm_runs_and_memory_is_another_process(
    target: Target, model: Path
) -> None:
    handle, steps = target.push(model), []
    measured, output = target.measure(handle, CPU, *picture(), SHORT, steps.append)
    assert [len(measured[name]) for name in ("warmup_ms", "samples_ms")] == [1, 2]
    assert measured["first_run_ms"] == measured["warmup_ms"][0] > 0
    assert "peak_memory_bytes" not in measured
    assert measured["sensors"]["before"].keys() >= {"battery", "clocks_pinned"}
    assert steps == [f"opening {model.name}", "warming up", "sampling", "sampled"]
    peak = target.memory(handle, CPU, *picture())
    assert peak is not None
    assert peak > 20e6
    assert np.array_equal(output, target.run(handle, CPU, [picture()])[0])


def test_runs_without_a_pause_are_told_with_their_times(target: Target, model: Path) -> None:
    found = target.sustain(target.push(model), CPU, *picture(), 0.3)
    assert found["asked_s"] == 0.3
    assert len(found["at_s"]) == len(found["samples_ms"]) >= 2
    assert found["at_s"][0] == pytest.approx(0, abs=0.01)
    assert found["at_s"] == sorted(found["at_s"])
    assert found["at_s"][-1] + found["samples_ms"][-1] / 1e3 >= 0.3
    assert found["watched"][0]["at_s"] == 0
    assert found["watched"][-1].keys() == {"at_s", "clock_mhz", "temperature_c", "throttled"}


def test_the_stopwatch_agrees_with_the_sleepers_record(target: Target) -> None:
    found = target.sleep([1.0, 2.0, 3.0])
    assert len(found["samples_ms"]) == len(found["slept_ms"]) == 2
    assert min(found["samples_ms"]) >= 2


def test_several_pictures_run_in_one_process(
    target: Target, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = target.push(model)
    target.describe(handle, CPU)
    started: list[Sequence[str]] = []
    whole = LocalPlace.run

    def run(place: LocalPlace, command: Sequence[str], **options: Any) -> Ended:
        started.append(command)
        return whole(place, command, **options)

    monkeypatch.setattr(LocalPlace, "run", run)
    first, second = target.run(handle, CPU, [picture(1), picture(2)])
    assert len(started) == 1
    assert not np.array_equal(first, second)


def test_what_cannot_be_opened_keeps_its_error_and_the_users_spelling(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m.tensors").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"^no runtime opens 'm.tensors'; known: \.onnx"):
        target.describe(target.push(Path("m.tensors")), Opening())
    (tmp_path / "n.onnx").write_bytes(b"")
    with pytest.raises(MissingBackendError, match="provider 'qnn' is not available"):
        target.describe(target.push(Path("n.onnx")), Opening("qnn"))


def test_the_clock_of_an_opening_starts_after_the_imports(
    target: Target, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    def noted(place: Any, name: str) -> None:
        whole = getattr(place, name)

        def call(*words: Any, **rest: Any) -> Any:
            order.append(name)
            return whole(*words, **rest)

        monkeypatch.setattr(place, name, call)

    noted(answer_module, "import_runtime")
    noted(answer_module, "open_runner")
    noted(answer_module.time, "perf_counter_ns")
    asked = {"schema_version": 1, "task": "describe", "threads": 1, "providers": []}
    (tmp_path / "request.json").write_text(json.dumps({**asked, "model": str(model)}))
    answer_module.answer(tmp_path / "request.json", lambda step: None)
    assert order[:3] == ["import_runtime", "perf_counter_ns", "open_runner"]


# A library that prints, whichever way it reaches the descriptor.
_NOISY = f"""
import os, runpy
from lama_edge.benchmarks.targets.tasks import answer as module
whole = module.answer
module.answer = lambda *words: (print("hello"), os.write(1, b"there"), whole(*words))[-1]
runpy.run_module("{TASKS}", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("how", [("-m", TASKS), ("-c", _NOISY)], ids=["quiet", "noisy"])
def test_standard_output_has_the_answer_alone(tmp_path: Path, how: tuple[str, str]) -> None:
    file = tmp_path / "request.json"
    file.write_text(json.dumps({"schema_version": 1, "task": "machine"}))
    words = [sys.executable, *how, str(file)]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    document = check_document(json.loads(ended.stdout), WORKER)
    assert document["result"]["environment"]["machine"]
    assert document["model"] is None


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("", "is no request"),
        ("{", "is no request"),
        ("[]", "is no request: it is no object"),
        ({"schema_version": 2}, "schema_version is 2; this worker reads 1"),
        ({"schema_version": 1, "task": "fly"}, "unknown task 'fly'; known: machine, describe"),
        ({"schema_version": 1, "task": "describe"}, "it has no 'model'"),
        ({"schema_version": 1, "task": "sleep", "sleeps_ms": [1]}, "less than 2 sleeps"),
    ],
)
def test_what_is_no_request_is_refused(tmp_path: Path, given: object, reason: str) -> None:
    file = tmp_path / "request.json"
    file.write_text(given if isinstance(given, str) else json.dumps(given))
    with pytest.raises(ModelError, match="is no request") as error:
        request_module.read_request(file)
    assert reason in str(error.value)


def test_a_refusal_is_the_last_line_and_nothing_is_answered(tmp_path: Path) -> None:
    (tmp_path / "request.json").write_text("{")
    words = [sys.executable, "-m", TASKS, str(tmp_path / "request.json")]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("lama-edge: error: ")
    assert ended.stderr.count("\n") == 1


class Fake(PythonProgram):
    """Shell code in the interpreter's place; the request is ``$1``."""

    def __init__(self, script: str) -> None:
        super().__init__()
        self._script = script

    def command(self) -> list[str]:
        return ["sh", "-c", self._script, "fake"]


@pytest.mark.parametrize(
    ("script", "kind", "reason"),
    [
        ("exit 0", CrashError, "answer cannot be used"),
        ("echo '{}'", CrashError, "answer cannot be used"),
        ("echo gone >&2; exit 7", CrashError, "ended with code 7: 'gone'"),
        ("kill -9 $$", CrashError, "was killed by SIGKILL: the system may have run out of memory"),
        ("kill -SEGV $$", CrashError, "was killed by SIGSEGV$"),
        ("echo 'lama-edge: error: no such thing' >&2; exit 3", MissingBackendError, "^no such"),
        ("echo 'lama-edge-worker: error: bad' >&2; exit 2", ModelError, "^bad$"),
    ],
)
def test_a_program_that_dies_or_babbles_is_told(
    script: str, kind: type[Exception], reason: str
) -> None:
    with DeviceTarget(LocalPlace(), Fake(script)) as target, pytest.raises(kind, match=reason):
        target.ask("machine", {})


def _living(mark: Path) -> list[psutil.Process]:
    """Return the processes whose command line names a file of the test's own."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        if process.info["status"] == psutil.STATUS_ZOMBIE:
            continue
        if any(str(mark) in word for word in process.info["cmdline"] or ()):
            found.append(process)
    return found


def _gone(mark: Path) -> bool:
    deadline = time.monotonic() + 10
    while _living(mark):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("end", ["", "kill -9 $$; "], ids=["timed out", "killed"])
def test_nothing_of_a_program_that_is_stopped_or_killed_runs_on(
    tmp_path: Path, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it started itself would keep a core busy beside the next round."""
    started = tmp_path / "program" / "started"
    started.parent.mkdir()
    child = f"sh -c 'echo > {started}; for i in $(seq 400); do sleep 0.05; done' &"
    script = f"{child} while [ ! -e {started} ]; do sleep 0.01; done; {end} sleep 20"
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with DeviceTarget(LocalPlace(), Fake(script)) as target:
        message = "killed by SIGKILL" if end else "did not finish within 1 s and was stopped"
        with pytest.raises(CrashError, match=message):
            target.ask("machine", {}, timeout_s=None if end else 1.0)
        assert started.exists()
        assert _gone(started.parent)
    assert [*temporary.iterdir()] == []


def test_an_interrupted_call_stops_its_program(tmp_path: Path) -> None:
    script = f"echo ready >&2; for i in $(seq 400); do sleep 0.05; done; : {tmp_path}"

    def interrupt(step: str) -> None:
        assert _living(tmp_path)
        raise KeyboardInterrupt

    with DeviceTarget(LocalPlace(), Fake(script)) as target:
        with pytest.raises(KeyboardInterrupt):
            target.ask("machine", {}, step=interrupt)
        assert _gone(tmp_path)


def test_files_of_the_user_are_never_removed(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("mine")
    with LocalPlace() as place:
        there = place.put(mine)
        own = Path(place.new_path("own"))
        own.write_text("")
        place.remove(there)
        place.remove(str(own))
        assert not own.exists()
    assert mine.read_text() == "mine"
    assert not own.parent.parent.exists()


@pytest.mark.parametrize(
    ("samples_ms", "seconds"),
    [([9000.0], 0.0), ([1.0, 1.0], 4.0)],
    ids=["clock ran ahead", "device slept"],
)
def test_a_clock_that_goes_another_way_than_ours_is_no_result(
    samples_ms: list[float], seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(answers.time, "monotonic", lambda: now[0])
    clock = answers.Clock(lambda step: None)
    with pytest.raises(CrashError, match="did not tell when it sampled"):
        clock.check_sampling(samples_ms)
    clock("sampling")
    now[0] += seconds
    clock("sampled")
    with pytest.raises(answers.ClockError, match="the target's clock counted"):
        clock.check_sampling(samples_ms)
    clock.check_sampling([seconds * 1e3 - 1900])


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a.engine", "a.engine.json", "b.engine.json"], ["a.engine", "a.engine.json"]),
        (["a.pt", "a.json"], ["a.pt"]),
    ],
)
def test_what_belongs_to_a_model_is_brought_with_it(
    tmp_path: Path, names: list[str], expected: list[str]
) -> None:
    brought: list[str] = []

    class Elsewhere(LocalPlace):
        def put(self, path: Path, beside: Sequence[Path] = ()) -> str:
            brought.extend(one.name for one in (path, *beside))
            return super().put(path, beside)

    for name in names:
        (tmp_path / name).write_text("")
    with DeviceTarget(Elsewhere(), PythonProgram()) as target:
        target.push(tmp_path / names[0])
    assert brought == expected


def test_local_takes_no_options_of_other_targets() -> None:
    for options in (
        TargetOptions(remote_python="python3"),
        TargetOptions(make_venv=True),
        TargetOptions(remote_folder="/tmp"),
    ):
        with pytest.raises(UsageError, match="go with a target elsewhere"):
            open_target("local", options)


def _script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


USAGE = '[ $# = 0 ] && { echo "lama-edge-worker: error: usage" >&2; exit 2; }'


def test_a_worker_is_a_program_or_its_bundles_folder(tmp_path: Path) -> None:
    worker = _script(tmp_path / "lama-edge-worker", USAGE)
    for given in (worker, tmp_path):
        with open_target("local", TargetOptions(worker=given)) as target:
            assert target.program == "lama-edge-worker"
            assert target.program_sha256 is not None
            assert len(target.program_sha256) == 64


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "there is no worker"),
        (lambda path: path.write_text("text"), "is no program: give the folder that"),
        (lambda path: (path.write_text("text"), path.chmod(0o755)), r"does not start there \(code"),
        (lambda path: _script(path, "exit 0"), r"\(code 0: no message\)"),
        (lambda path: _script(path, "exec /nowhere/loader"), r"\(code 127: .*not found"),
    ],
)
def test_a_worker_that_does_not_start_is_told_when_the_target_is_opened(
    tmp_path: Path, make: Callable[[Path], object], reason: str
) -> None:
    worker = tmp_path / "worker"
    make(worker)
    with pytest.raises(MissingBackendError, match=reason) as error:
        open_target("local", TargetOptions(worker=worker)).__enter__()
    assert "make worker ARCH=" in str(error.value)


def _with_machine(path: Path, number: int) -> Path:
    """Copy this machine's own sh and change the processor that its head names."""
    content = bytearray(Path("/bin/sh").resolve().read_bytes())
    content[18:20] = number.to_bytes(2, "little")
    path.write_bytes(content)
    path.chmod(0o755)
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="programs of Linux")
def test_a_worker_for_another_processor_is_told_so(tmp_path: Path) -> None:
    here = os.uname().machine
    number, other = (183, "aarch64") if here == "x86_64" else (62, "x86_64")
    worker = _with_machine(tmp_path / "worker", number)
    with pytest.raises(MissingBackendError, match=f"is for {other} and the target is {here}"):
        open_target("local", TargetOptions(worker=worker)).__enter__()


@pytest.mark.skipif(sys.platform != "linux", reason="programs of Linux")
def test_a_worker_whose_loader_is_missing_is_told_so(tmp_path: Path) -> None:
    content = Path("/bin/sh").resolve().read_bytes()
    found = read_elf(Path("/bin/sh").resolve())
    assert found is not None
    assert found.loader is not None
    gone = found.loader[:-1] + "X"
    worker = tmp_path / "worker"
    worker.write_bytes(content.replace(found.loader.encode(), gone.encode()))
    worker.chmod(0o755)
    with pytest.raises(MissingBackendError, match=f"it needs the loader {gone} and its libraries"):
        open_target("local", TargetOptions(worker=worker)).__enter__()


def test_what_is_no_program_has_no_head(tmp_path: Path) -> None:
    (tmp_path / "cut").write_bytes(b"\x7fELF\x02\x01")
    (tmp_path / "text").write_text("#!/bin/sh\n")
    assert read_elf(tmp_path / "cut") is None
    assert read_elf(tmp_path / "text") is None


def test_a_worker_takes_no_checkpoint(tmp_path: Path) -> None:
    worker = _script(tmp_path / "lama-edge-worker", USAGE)
    with (
        open_target("local", TargetOptions(worker=worker)) as target,
        pytest.raises(UsageError, match=r"runs ONNX files, and 'g\.ckpt' is none: lama-edge"),
    ):
        target.push(Path("g.ckpt"))


def test_a_worker_and_an_interpreter_do_not_go_together(tmp_path: Path) -> None:
    from lama_edge.benchmarks.targets.addresses import program_elsewhere

    worker = _script(tmp_path / "lama-edge-worker", USAGE)
    assert isinstance(program_elsewhere(TargetOptions(worker=worker)), WorkerProgram)
    assert program_elsewhere(TargetOptions()).command()[0] == "python3"
    with pytest.raises(UsageError, match="worker goes without remote_python"):
        program_elsewhere(TargetOptions(worker=worker, remote_python="python3"))


def test_an_interpreter_without_lama_edge_is_told_with_what_to_type(tmp_path: Path) -> None:
    bare = _script(tmp_path / "python", f'exec {sys.executable} -S -I "$@"')
    for python, reason in (
        (str(bare), r"does not run lama-edge \(.*lama_edge.*pip install.*make_venv=True"),
        (
            "/nowhere/python",
            "there is no program '/nowhere/python' on the target: measure with worker",
        ),
        # As a shell here makes it of ~/nowhere/python.
        (f"{Path.home()}/nowhere/python", r"for the target's home quote it: '~/nowhere/python'\)"),
    ):
        target = DeviceTarget(LocalPlace(), PythonProgram(python))
        with pytest.raises(MissingBackendError, match=reason):
            target.__enter__()


def test_a_model_of_another_size_of_output_is_no_array(tmp_path: Path) -> None:
    from lama_edge.benchmarks.targets.device import _array

    (tmp_path / "output").write_bytes(bytes(12))
    assert _array(tmp_path / "output", "float32", (1, 3)).shape == (1, 3)
    with pytest.raises(ModelError, match="the output has 12 bytes where float32"):
        _array(tmp_path / "output", "float32", (1, 4))
