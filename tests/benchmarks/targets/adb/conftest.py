"""A device of the tests' own, reached as its users do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from adb_device import AdbDevice, adb_device

# What a phone's commands print, by their words.
PHONE = {
    "getprop ro.product.manufacturer": "Google",
    "getprop ro.product.model": "Pixel 9",
    "getprop ro.soc.manufacturer": "Google",
    "getprop ro.soc.model": "Tensor G4",
    "getprop ro.board.platform": "zumapro",
    "getprop ro.build.version.release": "16",
    "getprop ro.build.version.sdk": "36",
    "getprop ro.serialno": "SECRET",
    "settings get global low_power": "1",
    "dumpsys battery": """Current Battery Service state:
  AC powered: false
  USB powered: true
  Max charging current: 500000
  status: 2
  health: 2
  present: true
  level: 85
  scale: 100
  voltage: 4123
  temperature: 285
  technology: Li-ion""",
    "dumpsys thermalservice": """IsStatusOverride: false
Thermal Status: 2
Cached temperatures:
\tTemperature{mValue=99.0, mType=0, mName=CPU, mStatus=0}
HAL Ready: true
Current temperatures from HAL:
\tTemperature{mValue=41.5, mType=0, mName=CPU, mStatus=0}
\tTemperature{mValue=-99.9, mType=6, mName=PA, mStatus=0}
\tTemperature{mValue=29.0, mType=2, mName=battery, mStatus=0}
Current cooling devices from HAL:
\tCoolingDevice{mValue=0, mType=2, mName=cpu}
Temperature static thresholds from HAL:
\tTemperatureThreshold{mType=0, mName=CPU}""",
}


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., AdbDevice]]:
    """Starts a device that is the only one of this process."""
    with ExitStack() as stack:

        def start(*words: Any) -> AdbDevice:
            device = stack.enter_context(adb_device(*words))
            for name, value in device.environment.items():
                monkeypatch.setenv(name, value)
            return device

        yield start


@pytest.fixture
def device(start: Callable[..., AdbDevice]) -> AdbDevice:
    return start()


@pytest.fixture
def phone(device: AdbDevice) -> AdbDevice:
    """A device that says of itself what a phone does."""
    for command, answer in PHONE.items():
        device.says(command, answer)
    return device
