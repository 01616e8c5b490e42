"""What the machine says of itself while it works: clocks, temperatures, power, load of others."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

from lama_edge.benchmarks.targets.tasks.environment import read_text
from lama_edge.errors import needs_extra

with needs_extra("bench"):
    import psutil

_ROOT = Path("/")
# The kernel counts busy time in ticks of 10 ms; over less than this they say nothing.
_MIN_LOAD_SECONDS = 0.3
# Bits of the Raspberry Pi's firmware: under-voltage, clock capped, throttled, soft limit, now.
_PI_THROTTLED_NOW = 0xF


def read_sensors(root: Path = _ROOT) -> dict[str, Any]:
    """Read what is readable now; the rest is None. Most only Linux tells without rights or tools.

    psutil knows neither throttling nor what limits the power, and of a battery only its charge:
    that much is read from Linux' files.

    Args:
        root: the file system's root, of what is read from files.

    Returns:
        `clock_mhz` per core, `temperature_c` by label, `throttled` (the sum of the processor's
        throttle counters, or whether the device says it is throttled now), `power_w` (of a
        battery while it discharges), `power_mode` and `governor` (their names, or number),
        `battery` (`percent` and `status`), and `clocks_pinned`: whether every core's least clock
        is its highest, as `jetson_clocks` makes it.
    """
    cpus = root / "sys/devices/system/cpu"
    governors = {read_text(path) for path in cpus.glob("cpu[0-9]*/cpufreq/scaling_governor")} - {
        None
    }
    battery = _battery_folder(root / "sys/class/power_supply")
    return {
        "clock_mhz": _clocks() or None,
        "temperature_c": _temperatures() or None,
        "throttled": _throttled(root, cpus),
        "power_w": _battery_power(battery),
        "power_mode": _power_mode(root),
        "governor": ", ".join(sorted(map(str, governors))) or None,
        "battery": _battery(battery),
        "clocks_pinned": _clocks_pinned(cpus),
    }


def _clocks() -> list[float]:
    # psutil has no such function where the system tells nothing, and fails where it should.
    with contextlib.suppress(AttributeError, NotImplementedError, OSError, RuntimeError):
        return [core.current for core in psutil.cpu_freq(percpu=True)]
    return []


def _temperatures() -> dict[str, float]:
    found: dict[str, float] = {}
    for chip, readings in getattr(psutil, "sensors_temperatures", dict)().items():
        for reading in readings:
            # Sensors that are switched off read as absolute zero or as a huge number.
            if not -60 < reading.current < 250:
                continue
            label = name = reading.label or chip
            index = 2
            while name in found:
                name, index = f"{label} {index}", index + 1
            found[name] = reading.current
    return found


def _throttled(root: Path, cpus: Path) -> bool | int | None:
    counts = [_number(path) for path in cpus.glob("cpu[0-9]*/thermal_throttle/*_throttle_count")]
    known = [int(count) for count in counts if count is not None]
    if known:
        return sum(known)
    flags = read_text(root / "sys/devices/platform/soc/soc:firmware/get_throttled")
    if flags is not None:
        with contextlib.suppress(ValueError):
            return bool(int(flags, 16) & _PI_THROTTLED_NOW)
    return None


def _battery_folder(supplies: Path) -> Path | None:
    """Return the folder of the battery that the machine runs on, not of one of a mouse."""
    for supply in sorted(supplies.glob("*")):
        scope = read_text(supply / "scope")
        if read_text(supply / "type") == "Battery" and scope != "Device":
            return supply
    return None


def _battery_power(supply: Path | None) -> float | None:
    if supply is None or read_text(supply / "status") != "Discharging":
        return None
    microwatts = _number(supply / "power_now")
    return None if microwatts is None else microwatts / 1e6


def _battery(supply: Path | None) -> dict[str, Any] | None:
    if supply is not None:
        percent = _number(supply / "capacity")
        status = read_text(supply / "status")
        return None if percent is None else {"percent": percent, "status": status}
    # Where Linux' folders are not there.
    found = getattr(psutil, "sensors_battery", lambda: None)()
    if found is None:
        return None
    status = {True: "Charging", False: "Discharging"}.get(found.power_plugged)
    return {"percent": float(found.percent), "status": status}


def _clocks_pinned(cpus: Path) -> bool | None:
    limits = [
        [_number(folder / f"scaling_{which}_freq") for which in ("min", "max")]
        for folder in cpus.glob("cpu[0-9]*/cpufreq")
    ]
    known = [least == most for least, most in limits if least is not None and most is not None]
    return all(known) if known else None


def _power_mode(root: Path) -> str | None:
    profile = read_text(root / "sys/firmware/acpi/platform_profile")
    jetson = read_text(root / "var/lib/nvpmodel/status")
    return profile or (jetson and _jetson_mode(jetson, read_text(root / "etc/nvpmodel.conf")))


def _jetson_mode(status: str, settings: str | None) -> str:
    """Return the name of the mode whose number NVIDIA's nvpmodel keeps, or else the number."""
    number = re.match(r"pmode:0*(\d+)", status)
    if number is None:
        return f"nvpmodel {status}"
    for mode in re.findall(r"<\s*POWER_MODEL\s([^>]*)>", settings or ""):
        fields = dict(re.findall(r"(\w+)=(\S+)", mode))
        if fields.get("ID") == number[1] and "NAME" in fields:
            return f"nvpmodel {fields['NAME']}"
    return f"nvpmodel {number[1]}"


def _number(path: Path) -> float | None:
    try:
        return float(read_text(path) or "")
    except ValueError:
        return None


class Watch:
    """Looks at the machine before and after the block, and at who else used the processor.

    Attributes:
        before: `read_sensors` at the begin of the block.
        after: the same at its end.
        other_load: processor time that was used meanwhile, less that of this process and its
            children, over the time that passed: in cores. On a virtual machine it includes what
            the host took away. None when the block was too short to tell.
    """

    before: dict[str, Any]
    after: dict[str, Any]
    other_load: float | None = None

    def __enter__(self) -> Watch:
        self.before = read_sensors()
        self._start = time.perf_counter(), _busy_seconds(), _own_seconds()
        return self

    def __exit__(self, *_: object) -> None:
        passed = time.perf_counter() - self._start[0]
        busy, own = _busy_seconds() - self._start[1], _own_seconds() - self._start[2]
        if passed >= _MIN_LOAD_SECONDS:
            self.other_load = round(max(0.0, (busy - own) / passed), 3)
        self.after = read_sensors()


def _busy_seconds() -> float:
    """Return the time that all cores together have worked since the machine started."""
    times = psutil.cpu_times()
    # Guests' time is part of `user`, and Windows' interrupts are part of `system`.
    kinds = ("user", "nice", "system", "irq", "softirq", "steal")
    return float(sum(getattr(times, kind, 0.0) for kind in kinds))


def _own_seconds() -> float:
    """Return the processor time of this process, its threads and its children, living or dead."""
    ended = os.times()
    total = time.process_time() + ended.children_user + ended.children_system
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            used = child.cpu_times()
            total += used.user + used.system
    return total


def peak_memory_bytes() -> int | None:
    """Return the most memory that this process has had resident, or None where nobody tells.

    Linux counts it since the program was started (`VmHWM`); `ru_maxrss` would not do there: it is
    inherited from the process that started this one.
    """
    status = read_text(Path("/proc/self/status"))
    match = re.search(r"^VmHWM:\s*(\d+) kB", status or "", re.MULTILINE)
    if match is not None:
        return int(match.group(1)) * 1024
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024
