"""`bench` and `parity` on devices reached by adb, as their users type them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from adb_device import SERIAL, AdbDevice, waits
from places import DATA
from worker_bundle import worker_bundle

from lama_edge import cli
from lama_edge.benchmarks.documents.store import load_bench
from lama_edge.benchmarks.targets.programs.venv import pack

pytestmark = pytest.mark.adb
# One of each kind: its times are looked at by nobody.
QUICK = ["--rounds=1", "--min-runs=1", "--min-seconds=0", "--threads=1"]


def bench(device: AdbDevice, out: Path, model: Path, *words: Any) -> dict[str, Any]:
    """Return the result of a bench that passed, and look whether something was left."""
    options = ["--target", "adb://", "--json-out", out, *QUICK, *words]
    assert cli.main(["bench", *map(str, [model, *options])]) == 0
    waits(lambda: not device.processes())
    assert device.files() == []
    assert SERIAL not in out.read_text()
    return load_bench(out)


def test_a_phone_by_the_worker(
    phone: AdbDevice, exported: Callable[..., Path], tmp_path: Path
) -> None:
    result = bench(
        phone, tmp_path / "r.json", exported(None), "--worker", worker_bundle(), "--size", "64",
        "--sustained", "1s", "--max-temperature", "30",
    )  # fmt: skip
    found, (run,) = result["environment"], result["runs"]
    assert (found["device"], found["chip"]) == ("Google Pixel 9", "Google Tensor G4")
    assert found["os"].startswith("Android 16 (API 36), Linux ")
    assert (found["machine"], found.get("python")) == ("x86_64", None)
    assert (run["target"], run["program"]["name"]) == ("adb", "lama-edge-worker")
    assert run["parity"]["passed"]
    assert run["memory_bytes"] > 0
    assert run["sustained"]["samples_ms"]
    before = run["rounds"][0]["sensors"]["before"]
    assert before["battery"] == {"percent": 85.0, "status": "Charging"}
    assert before["temperature_c"] == {"battery": 28.5, "CPU": 41.5}
    assert before["power_mode"] == "battery saver"
    # It is the battery that has to be cool.
    assert run["rounds"][0]["waited"] == {
        "seconds": pytest.approx(0, abs=30),
        "temperature_c": 28.5,
        "sensor": "battery",
        "timed_out": False,
    }
    assert "SECRET" not in json.dumps(result)


def test_parity_by_the_worker(
    device: AdbDevice, exported: Callable[..., Path], tmp_path: Path
) -> None:
    out = tmp_path / "p.json"
    words = ["parity", exported("fourier"), "--reference", DATA / "fourier", "--target", "adb://"]
    words += ["--worker", worker_bundle(), "--provider", "cpu", "--json-out", out]
    assert cli.main([*map(str, words)]) == 0
    assert json.loads(out.read_text())["models"][0]["passed"]
    waits(lambda: not device.processes())
    assert device.files() == []


@pytest.mark.parametrize("program", ["worker", pytest.param("python", marks=pytest.mark.slow)])
def test_an_arm64_board_under_an_emulator(
    start: Callable[..., AdbDevice], exported: Callable[..., Path], tmp_path: Path, program: str
) -> None:
    device = start("aarch64")
    words = ["--size", "64", "--reference", DATA / "fourier"]
    if program == "worker":
        words += ["--worker", worker_bundle("aarch64")]
    else:
        device.install(pack(tmp_path))
    result = bench(device, tmp_path / "r.json", exported("fourier"), *words)
    (run,) = result["runs"]
    assert result["environment"]["machine"] == "aarch64"
    assert ("python" in result["environment"]) == (program == "python")
    assert run["parity"]["passed"]
    assert run["runtime"].startswith("onnxruntime ")
    assert run["placement"]["providers"]
