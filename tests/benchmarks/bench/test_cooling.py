"""Waiting for a device to cool: which sensor counts, how long, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from lama_edge.benchmarks.bench.cooling import Cooling
from lama_edge.errors import UsageError


class Device:
    """Gives one temperature after the other, and a clock that its sleeps move."""

    def __init__(self, temperatures: Iterable[float], label: str = "cpu") -> None:
        self.temperatures = iter(temperatures)
        self.label = label
        self.now = 100.0
        self.slept: list[float] = []

    def read(self) -> dict[str, Any]:
        return {"temperature_c": {self.label: next(self.temperatures), "fan": 20.0}}

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def wait(self, cooling: Cooling, steps: list[str] | None = None) -> dict[str, Any]:
        told = [] if steps is None else steps
        return cooling.wait(self.read, told.append, clock=lambda: self.now, sleep=self.sleep)


def test_a_cool_device_is_not_waited_for() -> None:
    device = Device([35.0])
    assert device.wait(Cooling(35.0, 300.0)) == {
        "seconds": 0.0, "temperature_c": 35.0, "sensor": "cpu", "timed_out": False,
    }  # fmt: skip
    assert device.slept == []


def test_a_warm_device_is_waited_for_until_it_is_cool() -> None:
    device, steps = Device([44.0, 38.5, 34.9, 10.0]), []
    found = device.wait(Cooling(35.0, 300.0), steps)
    assert (found["temperature_c"], found["timed_out"]) == (34.9, False)
    assert found["seconds"] == sum(device.slept) > 0
    assert steps == [
        "waiting for 35 °C: cpu is at 44.0",
        "waiting for 35 °C: cpu is at 38.5",
    ]


def test_a_device_that_never_cools_is_given_up_in_time_and_that_is_told() -> None:
    device = Device([44.0] * 100)
    found = device.wait(Cooling(35.0, 12.0))
    assert (found["seconds"], found["temperature_c"], found["timed_out"]) == (12.0, 44.0, True)
    assert sum(device.slept) == 12.0


def test_without_time_it_is_looked_at_once() -> None:
    device = Device([44.0])
    assert device.wait(Cooling(35.0, 0.0))["timed_out"]


@pytest.mark.parametrize("label", ["battery", "BAT0", "bat1", "Battery 2"])
def test_where_there_is_a_battery_its_temperature_counts(label: str) -> None:
    sensors = {"temperature_c": {"cpu": 71.0, label: 31.0, "skin": 36.0}}
    assert Cooling(35.0, 0.0).temperature(sensors) == (label, 31.0)


def test_elsewhere_the_hottest_counts() -> None:
    sensors = {"temperature_c": {"gpu": 71.0, "cpu": 60.0, "bath": 90.0}}
    assert Cooling(35.0, 0.0).temperature(sensors) == ("bath", 90.0)


@pytest.mark.parametrize("nothing", [None, {}])
def test_a_device_that_tells_no_temperature_is_refused(nothing: Any) -> None:
    with pytest.raises(
        UsageError, match=r"max_temperature_c=35.*: .* no temperature; .*cool_down_s=60"
    ):
        Cooling(35.0, 300.0).wait(lambda: {"temperature_c": nothing})
