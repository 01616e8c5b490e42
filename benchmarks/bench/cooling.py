"""Waits until the device is as cool as asked for, so that every round begins alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lama_edge.errors import UsageError, parameter
from lama_edge.spec import Progress, untold

# Reading starts a program on the target, which must not be what keeps it warm.
_POLL_S = 5.0

Sensors = Mapping[str, Any]


@dataclass(frozen=True)
class Cooling:
    """What a device has to cool to.

    Attributes:
        max_temperature_c: rounds begin at this temperature or below, in degrees Celsius.
        timeout_s: how long that is waited for, in seconds; then the round begins all the same.
    """

    max_temperature_c: float
    timeout_s: float

    def wait(
        self,
        read: Callable[[], Sensors],
        step: Progress = untold,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> dict[str, Any]:
        """Wait until the device is cool, or the time is up.

        Args:
            read: gives the sensors as the documents have them, see `Target.sensors`.
            step: called with what is waited for, each time that it was too warm.
            clock: seconds from any origin.
            sleep: waits for so many seconds.

        Returns:
            The document's ``waited``.

        Raises:
            UsageError: when no temperature can be read.
            LamaEdgeError: what `read` raises.
        """
        begin = clock()
        while True:
            sensor, temperature_c = self.temperature(read())
            passed = clock() - begin
            cool = temperature_c <= self.max_temperature_c
            if cool or passed >= self.timeout_s:
                return {
                    "seconds": round(passed, 3),
                    "temperature_c": temperature_c,
                    "sensor": sensor,
                    "timed_out": not cool,
                }
            step(f"waiting for {self.max_temperature_c:g} °C: {sensor} is at {temperature_c:.1f}")
            sleep(min(_POLL_S, self.timeout_s - passed))

    def temperature(self, sensors: Sensors) -> tuple[str, float]:
        """Return the label and the degrees Celsius that are gone by.

        That is the battery's where there is one: it tells how warm a phone is as a whole, while
        its processor jumps by ten degrees with every task. Elsewhere the hottest counts.

        Raises:
            UsageError: when no temperature can be read.
        """
        known: Mapping[str, float] = sensors["temperature_c"] or {}
        if not known:
            raise UsageError(
                f"{parameter('max_temperature_c', self.max_temperature_c)}: this target tells no "
                f"temperature; leave it out, {parameter('cool_down_s', 60)} waits a fixed time "
                "before each round"
            )
        of_battery = {label: value for label, value in known.items() if _is_battery(label)}
        return max((of_battery or known).items(), key=lambda item: item[1])


def _is_battery(label: str) -> bool:
    """Tell a battery's sensor: Android says battery, Linux drivers BAT0."""
    word = label.lower()
    return "battery" in word or (word.startswith("bat") and word[3:4].isdigit())
