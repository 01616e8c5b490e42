"""What Android tells of a device through its own commands, where its files may not be read."""

from __future__ import annotations

import re
from typing import Any

_PROPERTIES = (
    *("ro.product.manufacturer", "ro.product.model", "ro.soc.manufacturer", "ro.soc.model"),
    *("ro.board.platform", "ro.build.version.release", "ro.build.version.sdk"),
)
# Scripts without backslashes; where a command is not there, its part of the output is empty.
FACTS = (
    f"for name in {' '.join(_PROPERTIES)}; do "
    'echo "$name=$(getprop "$name" 2>/dev/null)"; done; echo "kernel=$(uname -r)"'
)
SENSORS = (
    "dumpsys battery 2>/dev/null; dumpsys thermalservice 2>/dev/null; "
    'echo "Battery saver: $(settings get global low_power 2>/dev/null)"'
)
# As Linux' files of batteries call them, by the number of android.os.BatteryManager.
_CHARGING = {1: "Unknown", 2: "Charging", 3: "Discharging", 4: "Not charging", 5: "Full"}
_TEMPERATURES = re.compile(r"Current temperatures from HAL:\n(.*?)(?:\n\S|\Z)", re.DOTALL)
_TEMPERATURE = re.compile(r"Temperature\{mValue=(-?\d+(?:\.\d+)?), mType=\d+, mName=([^,}]+)")


def read_facts(output: str) -> dict[str, Any]:
    """Read what `FACTS` printed.

    Returns:
        Fields of the documents' `environment`: those that Android tells. No serial number.
    """
    found = dict(line.partition("=")[::2] for line in output.splitlines())
    values = [found.get(name, "").strip() for name in _PROPERTIES]
    maker, model, chip_maker, chip, platform, release, level = values
    facts = {}
    if model:
        facts["device"] = model if model.lower().startswith(maker.lower()) else f"{maker} {model}"
    if chip or platform:
        facts["chip"] = f"{chip_maker} {chip}".strip() if chip else platform
    if release:
        kernel = re.match(r"[\d.]*\d", found.get("kernel", ""))
        number = f", Linux {kernel.group()}" if kernel else ""
        facts["os"] = f"Android {release} (API {level}){number}"
    return facts


def read_sensors(output: str) -> dict[str, Any]:
    """Read what `SENSORS` printed.

    Returns:
        Those of the keys `battery`, `temperature_c`, `throttled` and `power_mode` that Android
        tells, as `lama_edge.benchmarks.targets.tasks.sensors.read_sensors` gives them.
    """
    sensors: dict[str, Any] = {}
    temperatures: dict[str, float] = {}
    if _field(output, "present") == "true":
        level, scale = _number(output, "level"), _number(output, "scale") or 100
        charging = _CHARGING.get(_number(output, "status") or 0)
        if level is not None and 0 <= level <= scale:
            sensors["battery"] = {"percent": 100.0 * level / scale, "status": charging}
        tenths = _number(output, "temperature")
        if tenths is not None:
            temperatures["battery"] = tenths / 10
    current = _TEMPERATURES.search(output)
    for value, name in _TEMPERATURE.findall(current.group(1) if current else ""):
        # Sensors that are switched off read as -99.9 or as a huge number.
        if -60 < float(value) < 250:
            temperatures.setdefault(name.strip(), float(value))
    if temperatures:
        sensors["temperature_c"] = temperatures
    status = _number(output, "Thermal Status")
    if status is not None:
        sensors["throttled"] = status > 0
    saver = _number(output, "Battery saver")
    if saver is not None:
        sensors["power_mode"] = "battery saver" if saver else "normal"
    return sensors


def _field(output: str, name: str) -> str | None:
    match = re.search(rf"^\s*{name}: *(\S+)\s*$", output, re.MULTILINE)
    return match and match.group(1)


def _number(output: str, name: str) -> int | None:
    value = _field(output, name)
    return int(value) if value is not None and re.fullmatch(r"-?\d{1,9}", value) else None
