"""Sensors on planted system files, and the load and memory of real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from lama_edge.benchmarks.targets.tasks import sensors as module
from lama_edge.benchmarks.targets.tasks.sensors import Watch, peak_memory_bytes, read_sensors

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
FROM_FILES = ("throttled", "power_w", "power_mode", "governor", "battery", "clocks_pinned")
UNREADABLE = dict.fromkeys(("clock_mhz", "temperature_c", *FROM_FILES))


def _fails(percpu: bool) -> None:
    raise NotImplementedError


def _plant(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize("stand_in", [SimpleNamespace(), SimpleNamespace(cpu_freq=_fails)])
def test_what_cannot_be_read_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stand_in: SimpleNamespace
) -> None:
    monkeypatch.setattr(module, "psutil", stand_in)
    assert read_sensors(tmp_path) == UNREADABLE


def test_clocks_and_temperatures_are_psutils(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chips = {
        "coretemp": [("Package id 0", 61.0), ("Core 0", 59.5), ("Core 0", 58.0)],
        "acpitz": [("", -274.0), ("", 40.25)],
    }
    readings = {
        chip: [SimpleNamespace(label=label, current=current) for label, current in found]
        for chip, found in chips.items()
    }
    cores = [SimpleNamespace(current=clock) for clock in (1000.0, 1002.0)]
    monkeypatch.setattr(psutil, "cpu_freq", lambda percpu: cores, raising=False)
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: readings, raising=False)
    found = read_sensors(tmp_path)
    assert found["clock_mhz"] == [1000.0, 1002.0]
    assert found["temperature_c"] == {
        "Package id 0": 61.0,
        "Core 0": 59.5,
        "Core 0 2": 58.0,
        "acpitz": 40.25,
    }


def test_a_laptop_tells_throttling_and_power(tmp_path: Path) -> None:
    cpu = "sys/devices/system/cpu"
    files = {
        f"{cpu}/cpu0/cpufreq/scaling_governor": "powersave\n",
        f"{cpu}/cpu2/cpufreq/scaling_governor": "powersave\n",
        f"{cpu}/cpu0/thermal_throttle/core_throttle_count": "3\n",
        f"{cpu}/cpu0/thermal_throttle/package_throttle_count": "4\n",
        f"{cpu}/cpu0/cpufreq/scaling_min_freq": "800000\n",
        f"{cpu}/cpu0/cpufreq/scaling_max_freq": "3200000\n",
        # A mouse's.
        "sys/class/power_supply/AAA/type": "Battery\n",
        "sys/class/power_supply/AAA/scope": "Device\n",
        "sys/class/power_supply/AAA/capacity": "5\n",
        "sys/class/power_supply/AC/type": "Mains\n",
        "sys/class/power_supply/BAT0/type": "Battery\n",
        "sys/class/power_supply/BAT0/capacity": "81\n",
        "sys/class/power_supply/BAT0/status": "Discharging\n",
        "sys/class/power_supply/BAT0/power_now": "15400000\n",
        "sys/firmware/acpi/platform_profile": "balanced\n",
    }
    found = read_sensors(_plant(tmp_path, files))
    assert {name: found[name] for name in FROM_FILES} == {
        "throttled": 7,
        "power_w": 15.4,
        "power_mode": "balanced",
        "governor": "powersave",
        "battery": {"percent": 81.0, "status": "Discharging"},
        "clocks_pinned": False,
    }


def test_boards_tell_their_own_way(tmp_path: Path) -> None:
    files = {
        "sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
        "var/lib/nvpmodel/status": "pmode:0002\n",
        **{
            f"sys/devices/system/cpu/cpu{core}/cpufreq/scaling_{which}_freq": "1510400\n"
            for core in range(2)
            for which in ("min", "max")
        },
    }
    found = read_sensors(_plant(tmp_path, files))
    assert found["throttled"] is True
    assert found["power_mode"] == "nvpmodel 2"
    assert found["clocks_pinned"] is True
    modes = (
        "# < POWER_MODEL ID=2 >\n< POWER_MODEL ID=0 NAME=MAXN >\n< POWER_MODEL ID=2 NAME=15W >\n"
    )
    _plant(tmp_path, {"etc/nvpmodel.conf": modes})
    assert read_sensors(tmp_path)["power_mode"] == "nvpmodel 15W"
    # The upper bits say what happened since the start, which is not now.
    _plant(tmp_path, {"sys/devices/platform/soc/soc:firmware/get_throttled": "50000\n"})
    assert read_sensors(tmp_path)["throttled"] is False


@LINUX
def test_another_process_at_work_is_seen_and_ones_own_work_is_not() -> None:
    """Compared with the kernel's own counts, so the limits hold on a busy machine as well."""
    slack_cores = 0.1  # ten ticks of 10 ms over 0.6 s would be 0.17, of which most cancel out
    # Started by a process that has ended: a child's work would be one's own.
    orphan = "import subprocess, sys; print(subprocess.Popen(sys.argv[1:]).pid)"
    command = [sys.executable, "-c", orphan, sys.executable, "-c", "while True: pass"]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    process = psutil.Process(int(started.stdout.readline()))
    started.wait()
    try:
        with Watch() as watch:
            start, own, machine = time.perf_counter(), time.process_time(), psutil.cpu_times()
            before = process.cpu_times().user
            while time.perf_counter() - start < 0.6:
                pass
            passed, own = time.perf_counter() - start, time.process_time() - own
            burnt, after = process.cpu_times().user - before, psutil.cpu_times()
    finally:
        process.kill()
    idle = after.idle + after.iowait - machine.idle - machine.iowait
    assert watch.other_load is not None
    assert watch.other_load >= burnt / passed - slack_cores
    assert watch.other_load <= (os.cpu_count() or 1) - (idle + own) / passed + slack_cores


def test_the_work_of_children_is_ones_own_whether_they_live_or_have_ended() -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass\ntime.sleep(60 * {})"
    before = module._own_seconds()
    subprocess.run([sys.executable, "-c", burn.format(0)], check=True)
    assert module._own_seconds() - before >= 0.29
    living = subprocess.Popen([sys.executable, "-c", burn.format(1)])
    try:
        deadline = time.perf_counter() + 30
        while sum(psutil.Process(living.pid).cpu_times()[:2]) < 0.28:
            assert time.perf_counter() < deadline
            time.sleep(0.02)
        assert module._own_seconds() - before >= 0.57
    finally:
        living.kill()
        living.wait()


def test_a_moment_is_too_short_to_tell_the_load() -> None:
    with Watch() as watch:
        pass
    assert watch.other_load is None
    assert set(watch.before) == set(watch.after) == set(UNREADABLE)


def test_peak_memory_remembers_what_was_given_back() -> None:
    before = peak_memory_bytes()
    extra = 200 << 20
    block = np.ones(extra, dtype=np.uint8)
    del block
    after = peak_memory_bytes()
    assert before is not None
    assert after is not None
    assert after >= psutil.Process().memory_info().rss
    assert after - before > 0.5 * extra or after > 2 * extra


@LINUX
def test_peak_memory_is_not_inherited_from_the_process_that_started_this_one() -> None:
    """`ru_maxrss` is: a small child of a large parent would be charged for the parent."""
    block = np.ones(400 << 20, dtype=np.uint8)
    code = (
        "from lama_edge.benchmarks.targets.tasks.sensors import peak_memory_bytes as p; print(p())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    del block
    assert int(done.stdout) < 200 << 20
