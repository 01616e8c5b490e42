"""A target without Python: devices that are there, are not, break off, or tell when they work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from same_process import call

from lama_edge.benchmarks.fleet import run as fleet
from lama_edge.benchmarks.targets.base import Description, Opening, Target, TargetOptions
from lama_edge.benchmarks.targets.registry import TARGETS
from lama_edge.benchmarks.targets.tasks.sensors import read_sensors
from lama_edge.benchmarks.targets.tasks.stopwatch import Policy
from lama_edge.errors import ModelError
from lama_edge.manifest import METADATA_KEY, Manifest
from lama_edge.spec import Progress, untold

NOTHING = dict.fromkeys(read_sensors(Path("/nowhere")))


class Toys:
    """What the devices do, by address, and what they did.

    Attributes:
        opening: called as a device is opened; raises where it is not there.
        measuring: called before each round.
        opened: addresses, in the order in which they were opened.
        closed: the same for closing.
        options: what each address was opened with.
    """

    def __init__(self) -> None:
        self.opening: dict[str, Callable[[], None]] = {}
        self.measuring: dict[str, Callable[[], None]] = {}
        self.opened: list[str] = []
        self.closed: list[str] = []
        self.options: dict[str, TargetOptions] = {}
        self.lock = threading.Lock()


# One at a time: a target is made by its address alone.
TOYS = Toys()


def register(patch: pytest.MonkeyPatch) -> Toys:
    """Add ``toy://NAME`` to the targets, all of them new and well; fleets call them from here."""
    TOYS.__init__()  # type: ignore[misc]
    patch.setattr(fleet, "run_isolated", call)
    patch.setitem(TARGETS, "toy", f"{__name__}:ToyDevice")
    return TOYS


class ToyDevice(Target):
    """A device whose every run takes 7, 8 or 9 ms."""

    name = "toy"
    program = "toy"
    program_version = "1.0"

    def __init__(self, address: str, options: TargetOptions) -> None:
        self.address = address
        TOYS.options[address] = options

    def __enter__(self) -> Target:
        with TOYS.lock:
            TOYS.opened.append(self.address)
        TOYS.opening.get(self.address, lambda: None)()
        return self

    def close(self) -> None:
        with TOYS.lock:
            TOYS.closed.append(self.address)

    def environment(self) -> dict[str, Any]:
        return {
            "device": "Abacus 12", "chip": "beads", "cores": 3, "memory_bytes": 120,
            "os": "none", "machine": "wood",
        }  # fmt: skip

    def sensors(self) -> dict[str, Any]:
        return NOTHING

    def default_threads(self) -> int:
        return 3

    def push(self, path: Path) -> Any:
        assert self.address in TOYS.opened
        found = {one.key: one.value for one in onnx.load(path).metadata_props}
        return Manifest.from_json(found[METADATA_KEY])

    def describe(self, handle: Any, opening: Opening) -> Description:
        return Description(handle, "onnxruntime", "1.0", "beads", "beads 1.0", load_ms=3.0)

    def measure(
        self,
        handle: Any,
        opening: Opening,
        image: np.ndarray,
        mask: np.ndarray,
        policy: Policy,
        step: Progress = untold,
    ) -> tuple[dict[str, Any], np.ndarray]:
        TOYS.measuring.get(self.address, lambda: None)()
        samples = [float(7 + n % 3) for n in range(policy.min_runs)]
        measured = {
            "load_ms": 3.0, "first_run_ms": 9.0, "warmup_ms": [9.0], "samples_ms": samples,
            "other_load": None, "sensors": {"before": self.sensors(), "after": self.sensors()},
        }  # fmt: skip
        return measured, np.where(mask > 0, 1 - image, image)

    def memory(self, *arguments: Any) -> int | None:
        return 12 << 20

    def sustain(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        raise ModelError("beads wear out")

    def sleep(self, sleeps_ms: Sequence[float]) -> dict[str, Any]:
        return {"samples_ms": list(sleeps_ms[1:]), "slept_ms": list(sleeps_ms[1:])}
