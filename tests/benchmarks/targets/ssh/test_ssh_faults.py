"""What goes wrong over SSH: one clear line here, and nothing left there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from commands import words_of
from measuring import CPU, LONG, SHORT, picture, when_sampling
from ssh_server import HERE, SshServer, reached

from lama_edge.benchmarks.targets.base import TargetOptions
from lama_edge.benchmarks.targets.places import remote, ssh
from lama_edge.benchmarks.targets.places.base import MOST_LINE
from lama_edge.benchmarks.targets.registry import open_target
from lama_edge.errors import LamaEdgeError, MissingBackendError
from lama_edge.process import CrashError

pytestmark = pytest.mark.ssh


def workers(server: SshServer) -> list[int]:
    return [
        process.pid
        for process in server.processes()
        if any("targets.tasks" in word for word in words_of(process))
    ]


def test_a_worker_that_is_killed_is_an_error_and_the_target_goes_on(
    server: SshServer, model: Path
) -> None:
    def kill() -> None:
        for pid in workers(server):
            os.kill(pid, signal.SIGKILL)

    with reached(server) as target:
        handle = target.push(model)
        with pytest.raises(CrashError, match="killed by SIGKILL: the system may have run out"):
            target.measure(handle, CPU, *picture(), LONG, when_sampling(kill))
        assert target.measure(handle, CPU, *picture(), SHORT)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exec cat /dev/zero", "what was printed is larger than"),
        ("head -c 50000000 /dev/zero >&2; exit 7", None),
    ],
    ids=["an answer", "a line of steps"],
)
def test_a_flood_takes_bounded_room_here(
    server: SshServer, monkeypatch: pytest.MonkeyPatch, script: str, said: str | None
) -> None:
    monkeypatch.setattr(ssh, "MOST_OUTPUT", 1 << 20)
    longest = 0

    def step(line: str) -> None:
        nonlocal longest
        longest = max(longest, len(line))

    with reached(server) as target:
        tracemalloc.start()
        try:
            if said is None:
                assert target._place.run(["sh", "-c", script], step=step).code == 7
            else:
                with pytest.raises(CrashError, match=said):
                    target._place.run(["sh", "-c", script], step=step)
            assert tracemalloc.get_traced_memory()[1] < 32 << 20
        finally:
            tracemalloc.stop()
        assert longest <= MOST_LINE
        # It was ended, and the target goes on.
        assert target._place.run(["echo", "here"]).output == "here\n"


def test_a_file_without_an_end_is_not_fetched(server: SshServer, tmp_path: Path) -> None:
    here = tmp_path / "here"
    with reached(server) as target:
        with pytest.raises(CrashError, match="the output is larger than 1000000 bytes"):
            target._place.fetch("/dev/zero", here, 1_000_000)
        assert here.stat().st_size <= 1_000_000
        assert target._place.run(["echo", "here"]).output == "here\n"


def test_a_shell_that_does_not_stop_talking_is_not_listened_to(
    server: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "GUARDIAN", "while :; do echo folder of mine; done")
    with pytest.raises(LamaEdgeError) as caught, open_target(server.address, HERE):
        pass
    assert "the target's shell said 'folder of mine' at first" in str(caught.value)
    assert server.nothing_left()


def test_a_connection_that_is_cut_ends_the_run_on_both_sides(
    server: SshServer, model: Path
) -> None:
    with reached(server) as target:
        handle = target.push(model)
        with pytest.raises(LamaEdgeError, match="the connection to the target was lost"):
            target.measure(handle, CPU, *picture(), LONG, when_sampling(server.cut))
        with pytest.raises(LamaEdgeError, match="lost"):
            target.measure(handle, CPU, *picture(), SHORT)


def test_a_connection_that_falls_silent_ends_the_run_on_both_sides(
    server: SshServer, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "BEAT_S", 0.2)
    monkeypatch.setattr(remote, "PATIENCE_S", 3)

    with reached(server) as target:
        handle = target.push(model)
        with pytest.raises(LamaEdgeError, match="nothing was heard of the target for 3 s"):
            target.measure(handle, CPU, *picture(), LONG, when_sampling(server.silence))
        # Before the place is closed: over there nobody hears of that.
        assert server.nothing_left()


def test_a_run_that_takes_too_long_is_stopped(server: SshServer, model: Path) -> None:
    with reached(server) as target:
        handle = target.push(model)
        target.describe(handle, CPU)
        with pytest.raises(CrashError, match="did not finish within 5 s and was stopped"):
            target.measure(handle, replace(CPU, timeout_s=5), *picture(), LONG)
        assert workers(server) == []
        assert target.measure(handle, CPU, *picture(), SHORT)


def test_an_interrupted_run_leaves_nothing(server: SshServer, model: Path) -> None:
    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt), reached(server) as target:
        target.measure(target.push(model), CPU, *picture(), LONG, when_sampling(interrupt))
    assert server.nothing_left()


def test_a_command_that_is_killed_leaves_nothing_there(server: SshServer, model: Path) -> None:
    words = ["bench", str(model), "--target", server.address, "--remote-python", sys.executable]
    command = [sys.executable, "-P", "-m", "lama_edge.cli", *words, "--min-seconds", "120"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as bench:
        until = time.monotonic() + 60
        while not workers(server) and time.monotonic() < until:
            time.sleep(0.1)
        assert workers(server)
        bench.kill()
    assert server.nothing_left()


def test_a_full_disk_is_told_and_left_empty(
    start: Callable[..., SshServer], tmp_path: Path
) -> None:
    server = start(tmp_bytes=1 << 20)
    large = tmp_path / "large.onnx"
    large.write_bytes(bytes(32 << 20))
    with reached(server, replace(HERE, remote_folder="/tmp")) as target:
        with pytest.raises(
            LamaEdgeError, match=r"'large.onnx' .*No space left.*with remote_folder"
        ):
            target._place.put(large)
        assert not [name for name in server.files() if "large" in name]
        assert target._place.run(["true"]).code == 0


def test_a_disk_that_fills_up_meanwhile_is_an_error(
    start: Callable[..., SshServer], model: Path
) -> None:
    server = start(tmp_bytes=4 << 20)
    with reached(server, replace(HERE, remote_folder="/tmp")) as target:
        handle = target.push(model)
        target.describe(handle, CPU)
        filler = target._place.new_path("filler")

        def fill() -> None:
            with (server.tmp / filler.removeprefix("/tmp/")).open("wb") as file:
                file.write(bytes(8 << 20))

        def step(line: str) -> None:
            if line == "sampling":
                with pytest.raises(OSError, match="No space"):
                    fill()

        # It samples until the disk is full, on a busy machine too.
        policy = replace(SHORT, min_seconds=3)
        with pytest.raises(LamaEdgeError, match=r"cannot write .*0\.output"):
            target.measure(handle, CPU, *picture(), policy, step)


def test_a_folder_that_cannot_be_made_is_told(server: SshServer) -> None:
    with pytest.raises(LamaEdgeError, match=r"cannot be used: mkdir: .*/proc/nothing"):
        open_target(server.address, replace(HERE, remote_folder="/proc/nothing")).__enter__()
    assert server.nothing_left()


def test_a_login_shell_that_talks_is_told(server: SshServer) -> None:
    # Bash reads it for commands over SSH as well.
    (server.home / ".bashrc").write_text("echo Welcome to this machine")
    with pytest.raises(LamaEdgeError, match=r"said 'Welcome to this machine' at first: .*silent"):
        open_target(server.address, HERE).__enter__()
    (server.home / ".bashrc").unlink()
    assert server.nothing_left()


def test_two_do_not_measure_on_one_device(server: SshServer, model: Path) -> None:
    with reached(server) as target:
        with pytest.raises(LamaEdgeError, match="another measurement runs on this target"):
            open_target(server.address, HERE).__enter__()
        # The first one is not disturbed.
        assert target.measure(target.push(model), CPU, *picture(), SHORT)
    with reached(server) as target:
        assert target._place.machine()


def test_what_a_session_left_when_the_power_went_is_removed_by_the_next(
    server: SshServer,
) -> None:
    parent = server.home / ".cache" / "lama-edge"
    left = parent / f"lama-edge-{os.uname().nodename}-1"
    others = parent / "lama-edge-another-device-1"
    for folder in (left, others):
        folder.mkdir(parents=True)
    (server.tmp / "lama-edge.lock").touch()
    with open_target(server.address, HERE):
        assert not left.exists()
    assert others.exists()


def test_a_worker_for_another_processor_is_told_from_one_without_its_loader(
    server: SshServer, tmp_path: Path
) -> None:
    program = Path("/bin/true").read_bytes()
    other = program[:18] + (183).to_bytes(2, "little") + program[20:]
    loader = program.replace(b"/ld-linux-", b"/ld-linuz-")
    for content, message in (
        (other, r"is for aarch64 and the target is x86_64; .*ARCH=x86_64"),
        (loader, r"needs the loader /lib64/ld-linuz-.*bring a bundle: .*ARCH=x86_64"),
        (program, r"does not start there \(code 0: no message\)"),
    ):
        worker = tmp_path / "lama-edge-worker"
        worker.write_bytes(content)
        worker.chmod(0o755)
        with pytest.raises(MissingBackendError, match=message):
            open_target(server.address, TargetOptions(worker=worker)).__enter__()
        assert server.nothing_left()
    bundle = tmp_path / "bundle"
    (bundle / "lib").mkdir(parents=True)
    (bundle / "lib" / "worker").write_bytes(other)
    worker = bundle / "lama-edge-worker"
    worker.write_text('#!/bin/sh\nexec "$(dirname "$0")/lib/worker"')
    for file in (worker, bundle / "lib" / "worker"):
        file.chmod(0o755)
    with pytest.raises(MissingBackendError, match="is for aarch64 and the target is x86_64"):
        open_target(server.address, TargetOptions(worker=bundle)).__enter__()
    assert server.nothing_left()


def test_a_target_without_python_or_without_lama_edge_says_what_to_type(
    server: SshServer,
) -> None:
    bare = [sys.executable, "-m", "venv", "--without-pip", server.folder / "bare"]
    subprocess.run(bare, check=True)
    for python, message in (
        ("python9", r"no program 'python9' on the target: .*worker.*remote_python"),
        (
            str(server.folder / "bare/bin/python"),
            r"No module named 'lama_edge'.*pip install .*make_venv=True",
        ),
    ):
        with pytest.raises(MissingBackendError, match=message):
            open_target(server.address, TargetOptions(remote_python=python)).__enter__()
        assert server.nothing_left()
