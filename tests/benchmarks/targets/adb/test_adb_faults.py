"""What goes wrong over adb: one clear line here, and nothing left there."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from adb_device import AdbDevice, waits
from measuring import CPU, LONG, SHORT, picture, when_sampling
from worker_bundle import worker_bundle

from lama_edge import cli
from lama_edge.benchmarks.bench.run import Bench, run_bench
from lama_edge.benchmarks.documents.store import load_bench
from lama_edge.benchmarks.targets.base import Target, TargetOptions
from lama_edge.benchmarks.targets.places import adb, remote
from lama_edge.benchmarks.targets.places.adb import AdbTransport
from lama_edge.benchmarks.targets.places.remote import LostError
from lama_edge.benchmarks.targets.registry import open_target
from lama_edge.errors import LamaEdgeError, MissingBackendError
from lama_edge.process import CrashError
from lama_edge.spec import Size

pytestmark = pytest.mark.adb
WORKER = "/lib/worker"


@pytest.fixture
def model(exported: Callable[..., Path]) -> Path:
    return exported("fourier")


@contextmanager
def reached(device: AdbDevice) -> Iterator[Target]:
    """Open a target there and look, when it is closed, whether something was left."""
    with open_target("adb://", TargetOptions(worker=worker_bundle())) as target:
        yield target
    waits(lambda: not device.processes())
    assert device.files() == []


def test_a_worker_that_is_killed_is_an_error_and_the_target_goes_on(
    device: AdbDevice, model: Path
) -> None:
    with reached(device) as target:
        handle = target.push(model)
        kill = when_sampling(lambda: device.kill(WORKER))
        with pytest.raises(CrashError, match="killed by SIGKILL: the system may have run out"):
            target.measure(handle, CPU, *picture(), LONG, kill)
        assert target.measure(handle, CPU, *picture(), SHORT)


def test_a_device_that_is_unplugged_ends_the_run_on_both_sides(
    device: AdbDevice, model: Path
) -> None:
    with reached(device) as target:
        handle = target.push(model)
        with pytest.raises(LamaEdgeError, match=r"connection to the (target|device) was lost"):
            target.measure(handle, CPU, *picture(), LONG, when_sampling(device.unplug))
        with pytest.raises(LamaEdgeError, match="lost"):
            target.measure(handle, CPU, *picture(), SHORT)
    device.plug()
    with reached(device) as target:
        assert target.measure(target.push(model), CPU, *picture(), SHORT)


def test_a_script_that_was_cut_off_is_not_taken_for_one_that_ended(device: AdbDevice) -> None:
    # adb's own client ends with 0 there, and no guardian has told of it yet.
    transport = AdbTransport("")
    transport.open()
    threading.Timer(1, device.unplug).start()
    with pytest.raises(LostError, match="lost"):
        transport.execute("echo half; sleep 5; echo done")


def test_a_device_that_falls_silent_ends_the_run_on_both_sides(
    device: AdbDevice, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "BEAT_S", 0.2)
    monkeypatch.setattr(remote, "PATIENCE_S", 3)
    with reached(device) as target:
        handle = target.push(model)
        with pytest.raises(LamaEdgeError, match="nothing was heard of the target for 3 s"):
            target.measure(handle, CPU, *picture(), LONG, when_sampling(device.freeze))
        # Before the place is closed: over there nobody hears of that.
        waits(lambda: not device.processes())
        assert device.files() == []


def test_a_run_that_takes_too_long_is_stopped(device: AdbDevice, model: Path) -> None:
    with reached(device) as target:
        handle = target.push(model)
        target.describe(handle, CPU)
        with pytest.raises(CrashError, match="did not finish within 3 s and was stopped"):
            target.measure(handle, replace(CPU, timeout_s=3), *picture(), LONG)
        waits(lambda: not any(WORKER in line for line in device.processes()))
        assert target.measure(handle, CPU, *picture(), SHORT)


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_command_that_is_ended_leaves_nothing_there(
    device: AdbDevice, model: Path, sign: signal.Signals, code: int
) -> None:
    words = ["bench", str(model), "--target", "adb://", "--worker", str(worker_bundle())]
    command = [sys.executable, "-P", "-m", "lama_edge.cli", *words, "--min-seconds", "120"]
    # As Ctrl-C does: all that the terminal's command started hears of it.
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as bench:
        waits(lambda: any(f"{WORKER} " in line for line in device.processes()))
        os.killpg(bench.pid, sign)
        told = bench.communicate(timeout=60)[1]
    assert bench.returncode == code
    assert "left" not in told
    waits(lambda: not device.processes())
    assert device.files() == []


def test_floods_take_bounded_room_here(
    device: AdbDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adb, "MOST_OUTPUT", 1 << 20)
    with reached(device) as target:
        place = target._place
        with pytest.raises(CrashError, match="what was printed is larger than"):
            place.run(["sh", "-c", "exec cat /dev/zero"])
        file = place.new_path("file")
        place.run(["sh", "-c", f"head -c 3000000 /dev/zero >{file}"])
        with pytest.raises(CrashError, match="the output is larger than 1000000 bytes"):
            place.fetch(file, tmp_path / "here", 1_000_000)
        assert place.run(["echo", "here"]).output == "here\n"


def test_no_room_for_a_model(start: Callable[..., AdbDevice], model: Path, tmp_path: Path) -> None:
    room = sum(file.stat().st_size for file in worker_bundle().rglob("*") if file.is_file())
    device = start("x86_64", str(room + (8 << 20)))
    large = tmp_path / "large.onnx"
    graph = onnx.helper.make_graph([], "large", [], [])
    onnx.save(onnx.helper.make_model(graph, doc_string="x" * (16 << 20)), large)
    with reached(device) as target:
        with pytest.raises(LamaEdgeError, match=r"'large.onnx' .*No space left.*free some room"):
            target.push(large)
        assert target.measure(target.push(model), CPU, *picture(), SHORT)


def test_no_room_for_the_worker(start: Callable[..., AdbDevice]) -> None:
    device = start("x86_64", "2m")
    with pytest.raises(LamaEdgeError, match="No space left"), reached(device):
        pass
    assert (device.files(), device.processes()) == ([], [])


def test_a_worker_for_another_processor_is_told_from_one_without_its_libraries(
    device: AdbDevice, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(worker_bundle(), bundle)
    worker = bundle / "lib" / "worker"
    content = bytearray(worker.read_bytes())
    content[18:20] = (183).to_bytes(2, "little")  # ELF's number of aarch64
    worker.write_bytes(content)
    alone = tmp_path / "lama-edge-worker"
    shutil.copy(worker_bundle() / "lib" / "worker", alone)
    for path, reason in (
        (bundle, r"is for aarch64 and the target is x86_64; .*ARCH=x86_64"),
        (alone, r"libonnxruntime.so.1.*bring a bundle: .*ARCH=x86_64"),
    ):
        with pytest.raises(MissingBackendError, match=reason):
            open_target("adb://", TargetOptions(worker=path)).__enter__()
        assert (device.files(), device.processes()) == ([], [])


def test_a_phone_has_no_python(device: AdbDevice) -> None:
    with pytest.raises(MissingBackendError, match=r"no program 'python3' .*with worker, "):
        open_target("adb://").__enter__()
    assert (device.files(), device.processes()) == ([], [])


def test_a_clock_that_went_another_way_than_ours_gives_no_figure(
    device: AdbDevice, model: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(worker_bundle(), bundle)
    script = bundle / "lama-edge-worker"
    script.rename(bundle / "whole")
    # As if it had been set between the readings of its runs.
    samples = 's/"samples_ms": *[[][^]]*[]]/"samples_ms":[1200000,600000]/'
    text = f"""#!/bin/sh
[ $# = 0 ] && exec sh "${{0%/*}}/whole"
answer=$(sh "${{0%/*}}/whole" "$@") || exit
echo "$answer" | sed '{samples}'
"""
    script.write_text(text)
    script.chmod(0o755)
    with open_target("adb://", TargetOptions(worker=bundle)) as target:
        handle = target.push(model)
        with pytest.raises(LamaEdgeError, match=r"clock counted 1800\.0 s of runs while 0\.\d s"):
            target.measure(handle, CPU, *picture(), SHORT)
    waits(lambda: not device.processes())
    assert device.files() == []


@pytest.mark.parametrize("phase", ["round 2", "sustained"])
def test_a_row_whose_device_is_lost_between_its_runs_has_no_figures(
    device: AdbDevice, model: Path, phase: str
) -> None:
    job = Bench(
        (model,), "adb://", TargetOptions(worker=worker_bundle()), sizes=(Size(64, 64),),
        threads=1, rounds=2, min_runs=2, min_seconds=0.0, sustained_s=60.0,
    )  # fmt: skip

    def progress(step: str) -> None:
        if step.endswith(phase):
            device.unplug()

    result = run_bench(job, progress)
    (run,) = result.document["runs"]
    assert "lost" in run["error"]
    assert (run["statistics"], len(run["rounds"])) == (None, 1 if phase == "round 2" else 2)
    assert result.exit_code == 2
    waits(lambda: not device.processes())
    assert device.files() == []


def test_a_device_that_never_cools_says_so_and_is_left_clean(
    phone: AdbDevice, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "r.json"
    words = ["bench", model, "--target=adb://", "--worker", worker_bundle(), "--size=64"]
    words += ["--rounds=1", "--min-runs=1", "--min-seconds=0", "--max-temperature=20"]
    assert cli.main([*map(str, words), "--cool-timeout=1s", "--json-out", str(out)]) == 0
    (run,) = load_bench(out)["runs"]
    waited = run["rounds"][0]["waited"]
    assert (waited["timed_out"], waited["temperature_c"]) == (True, 28.5)
    assert any("before the device had cooled (battery was at 28.5" in w for w in run["warnings"])
    waits(lambda: not phone.processes())
    assert phone.files() == []
