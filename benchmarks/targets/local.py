"""This machine, each measurement in a fresh process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lama_edge.benchmarks.environment import available_cores, environment
from lama_edge.benchmarks.measure_task import DESCRIBE, MEASURE
from lama_edge.benchmarks.targets.base import Target
from lama_edge.errors import UsageError
from lama_edge.process import run_isolated


class LocalTarget(Target):
    """See `Target`."""

    name = "local"

    def __init__(self, address: str) -> None:
        """Take the address ``local``, which has no parts."""
        if address != self.name:
            raise UsageError(f"--target {address!r}: {self.name!r} takes nothing after its name")

    def environment(self) -> dict[str, Any]:
        """See `Target.environment`."""
        return environment()

    def default_threads(self) -> int:
        """See `Target.default_threads`: one for each physical core that may be used."""
        return available_cores()

    def describe(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """See `Target.describe`."""
        return run_isolated(DESCRIBE, payload, timeout_s=payload["timeout_s"])

    def measure(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """See `Target.measure`."""
        return run_isolated(MEASURE, payload, timeout_s=payload["timeout_s"])
