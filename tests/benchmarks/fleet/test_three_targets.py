"""A fleet of this machine, one over SSH and one over adb, of which one is lost half way."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from adb_device import SERIAL, AdbDevice, adb_device, waits
from measuring import CPU, picture
from ssh_server import SshServer, start_for
from worker_bundle import worker_bundle

from lama_edge.benchmarks.bench.run import Bench, run_bench
from lama_edge.benchmarks.documents.store import FLEET, load_document
from lama_edge.benchmarks.targets.base import TargetOptions
from lama_edge.benchmarks.targets.registry import open_target
from lama_edge.spec import Size

pytestmark = [pytest.mark.ssh, pytest.mark.adb]
SECONDS = 300
# The guardian's connection notices it, or the worker's.
LOST = "the connection to the (target|device) was lost"
DEVICES = """
[[device]]
name = "here"
target = "local"

[[device]]
name = "board"
target = "ssh://box"
remote-python = "{python}"

[[device]]
name = "phone"
target = "adb://{serial}"
worker = "{worker}"
"""


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Iterator[SshServer]:
    server = start_for(monkeypatch)
    yield server
    server.stop()


@pytest.fixture
def phone(monkeypatch: pytest.MonkeyPatch) -> Iterator[AdbDevice]:
    with adb_device() as device:
        for name, value in device.environment.items():
            monkeypatch.setenv(name, value)
        yield device


@pytest.fixture
def command(exported: Callable[..., Path], tmp_path: Path) -> list[str]:
    """The command, for `tmp_path`. Its model is lama-tiny, which parity knows the reference of."""
    text = DEVICES.format(python=sys.executable, serial=SERIAL, worker=worker_bundle())
    (tmp_path / "devices.toml").write_text(text)
    words = ["bench", exported(None, Size(64, 64)), "--fleet", "devices.toml", "--threads", "1"]
    words += ["--rounds", "2", "--min-seconds", "2", "--json-out", "f.json", "--report", "f.html"]
    return [str(word) for word in (sys.executable, "-P", "-m", "lama_edge.cli", *words)]


_BEGUN: dict[str, float] = {}


def _samples(device: AdbDevice) -> bool:
    """Return whether a worker there has run for a second: all others are shorter than sampling."""
    now = time.monotonic()
    workers = [line for line in device.processes() if "/lib/worker" in line]
    return any(now - _BEGUN.setdefault(line, now) > 1 for line in workers)


def test_a_fleet_of_three_with_one_lost_half_way_completes_the_next_time(
    command: list[str], board: SshServer, phone: AdbDevice, tmp_path: Path
) -> None:
    with subprocess.Popen(
        command, cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        waits(lambda: _samples(phone) or process.poll() is not None, SECONDS)
        phone.unplug()
        _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 2, errors
    assert re.search(f"^lama-edge: error: phone: {LOST}", errors, re.MULTILINE), errors
    here, over_ssh, over_adb = load_document(tmp_path / "f.json", FLEET)["devices"]
    for device, target in ((here, "local"), (over_ssh, "ssh")):
        (run,) = device["result"]["runs"]
        assert (run["target"], run["parity"]["passed"]) == (target, True)
    assert (over_adb["target"], over_adb["result"]) == ("adb", None)
    assert re.match(LOST, over_adb["error"])
    assert "1\u00a0device has no result: phone." in (tmp_path / "f.html").read_text()
    assert sorted(path.name for path in (tmp_path / "f.json.d").iterdir()) == [
        "board.json",
        "here.json",
    ]

    phone.plug()
    again = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, timeout=SECONDS)
    assert again.returncode == 0, again.stderr
    devices = load_document(tmp_path / "f.json", FLEET)["devices"]
    assert devices[:2] == [here, over_ssh]
    (run,) = devices[2]["result"]["runs"]
    assert (run["target"], run["program"]["name"]) == ("adb", "lama-edge-worker")
    assert run["parity"]["passed"]
    assert not (tmp_path / "f.json.d").exists()
    assert SERIAL not in (tmp_path / "f.json").read_text() + (tmp_path / "f.html").read_text()

    assert board.nothing_left()
    waits(lambda: not phone.processes())
    assert phone.files() == []


def test_one_program_gives_the_same_bytes_and_figures_wherever_it_runs(
    board: SshServer, phone: AdbDevice, exported: Callable[..., Path]
) -> None:
    options = TargetOptions(worker=worker_bundle())
    any_size, tiny = exported("fourier"), exported(None, Size(64, 64))
    outputs, parities, hashes = [], [], set()
    job = Bench((tiny,), rounds=2, min_runs=1, min_seconds=0.0, threads=1, options=options)
    for address in ("local", board.address, f"adb://{SERIAL}"):
        with open_target(address, options) as target:
            outputs.append(target.run(target.push(any_size), CPU, [picture()])[0])
        (run,) = run_bench(replace(job, target=address)).document["runs"]
        parities.append(run["parity"])
        hashes.add(run["program"]["sha256"])
    for output in outputs[1:]:
        np.testing.assert_array_equal(outputs[0], output)
    assert parities[0]["passed"]
    assert parities == parities[:1] * 3
    assert len(hashes) == 1
    assert board.nothing_left()
    waits(lambda: not phone.processes())
    assert phone.files() == []
