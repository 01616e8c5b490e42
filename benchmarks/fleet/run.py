"""Measures a fleet: every device by bench in a process of its own, and goes on past dead ones."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

from lama_edge.benchmarks.bench.run import Bench
from lama_edge.benchmarks.documents.store import FLEET, check_document, heading
from lama_edge.benchmarks.fleet.devices import Device
from lama_edge.benchmarks.fleet.kept import Kept, fingerprint
from lama_edge.benchmarks.fleet.one import as_plain
from lama_edge.benchmarks.targets.places.remote import LostError, UnreachedError
from lama_edge.benchmarks.targets.tasks.environment import anonymous
from lama_edge.errors import LamaEdgeError, one_line, worst_exit_code
from lama_edge.process import run_isolated
from lama_edge.runtimes.model_files import located
from lama_edge.spec import Progress, untold

_ONE = "lama_edge.benchmarks.fleet.one:measure_one"
# An interrupted device removes what it brought; one that cannot be reached has this long for it.
_GRACE_SECONDS = 20.0


@dataclass(frozen=True)
class Fleet:
    """What `run_fleet` shall measure, and how.

    Attributes:
        devices: one or more.
        job: how each is measured; target and options are the devices' own, provider and threads
            where they have them.
        kept: where the results of devices that are done wait for the others.
    """

    devices: tuple[Device, ...]
    job: Bench
    kept: Kept

    def job_of(self, device: Device) -> Bench:
        """Return how a device is measured."""
        return replace(
            self.job,
            target=device.target,
            options=device.options,
            provider=device.provider or self.job.provider,
            threads=device.threads or self.job.threads,
        )


@dataclass(frozen=True)
class Measured:
    """What became of a device.

    Attributes:
        device: which one.
        document: its bench document; None where it failed.
        exit_code: bench's.
        failure: why there is no document; unlike what documents say it may name the address.
    """

    device: Device
    document: dict[str, Any] | None
    exit_code: int
    failure: LamaEdgeError | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the document's entry: no address, and nothing of anybody's folders."""
        error = None if self.failure is None else _without_address(self.failure, self.device)
        return {
            "name": self.device.name,
            "target": self.device.scheme,
            "result": self.document,
            "error": error,
        }


@dataclass(frozen=True)
class FleetResult:
    """What `run_fleet` found.

    Attributes:
        document: plain data as ``schema/fleet-1.schema.json`` describes it.
        devices: the same with the errors themselves.
    """

    document: dict[str, Any]
    devices: tuple[Measured, ...]

    @property
    def exit_code(self) -> int:
        """The worst of the devices': 1 wins over 3 over 2."""
        return worst_exit_code(device.exit_code for device in self.devices)

    @property
    def complete(self) -> bool:
        """Whether every device has a result; nothing needs to be kept then, see `Kept.remove`."""
        return all(device.failure is None for device in self.devices)


def run_fleet(fleet: Fleet, progress: Progress = untold) -> FleetResult:
    """Measure all devices: this machine first and alone, then all others at once.

    Devices of one address, such as a phone's processor and its accelerator, take turns. What an
    earlier run kept of the same models, settings and target is taken over. A device's result is
    kept where anything was measured and the device was there to the end; any other has an error.

    Args:
        fleet: what to do.
        progress: called with each step of any device, after the device's name; by several threads,
            one at a time.

    Raises:
        LamaEdgeError: when a model does not exist.
        KeyboardInterrupt: after all devices have been left; what was done is kept.
    """
    for model in fleet.job.models:
        located(model)
    asked = {device.name: fingerprint(fleet.job_of(device)) for device in fleet.devices}
    # Pictures made for the others would be other load to what is measured on this machine.
    here = [device for device in fleet.devices if device.scheme == "local"]
    there: dict[str, list[Device]] = {}
    for device in fleet.devices:
        if device not in here:
            there.setdefault(device.target, []).append(device)
    crew = _Crew(fleet, asked, progress)
    done = [*crew.run([here]), *crew.run([*there.values()])]
    devices = tuple(sorted(done, key=lambda one: fleet.devices.index(one.device)))
    document = {
        **heading(FLEET),
        "measured_on": datetime.now(timezone.utc).date().isoformat(),
        "devices": [device.to_dict() for device in devices],
    }
    return FleetResult(check_document(document, FLEET), devices)


@dataclass
class _Crew:
    """The processes that measure devices."""

    fleet: Fleet
    asked: dict[str, str]
    progress: Progress
    running: list[subprocess.Popen[str]] = field(default_factory=list)
    stopping: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, lanes: Sequence[Sequence[Device]]) -> list[Measured]:
        """Measure the devices of each lane one after the other, and all lanes at once."""
        pool = ThreadPoolExecutor(max_workers=max(1, len(lanes)))
        futures = [pool.submit(lambda lane: [self._one(d) for d in lane], lane) for lane in lanes]
        try:
            return [one for future in futures for one in future.result()]
        except BaseException:
            # Ctrl-C is this process's alone: each device is to be left once, and in order.
            self._each(lambda process: process.send_signal(signal.SIGINT))
            wait(futures, timeout=_GRACE_SECONDS)
            raise
        finally:
            if not all(future.done() for future in futures):
                self._each(subprocess.Popen.kill)
            pool.shutdown()

    def _one(self, device: Device) -> Measured:
        kept = self.fleet.kept.load(device.name, self.asked[device.name])
        if kept is not None:
            self._tell(device, "kept from an earlier run")
            return Measured(device, *kept)
        payload = {
            "name": device.name,
            "asked": self.asked[device.name],
            "job": as_plain(self.fleet.job_of(device)),
            "kept": str(self.fleet.kept.folder),
        }
        try:
            answer = run_isolated(
                _ONE,
                payload,
                progress=lambda step: self._tell(device, step),
                started=self._started,
            )
        except LamaEdgeError as error:
            return Measured(device, None, error.exit_code, error)
        return Measured(device, answer["document"], answer["exit_code"])

    def _started(self, process: subprocess.Popen[str]) -> None:
        with self.lock:
            self.running.append(process)
        if self.stopping:
            process.kill()

    def _each(self, act: Callable[[subprocess.Popen[str]], None]) -> None:
        self.stopping = True
        with self.lock:
            for process in self.running:
                act(process)

    def _tell(self, device: Device, step: str) -> None:
        with self.lock:
            self.progress(f"{device.name}: {step}")


def _without_address(error: LamaEdgeError, device: Device) -> str:
    """Spell an error for a document, which names no address, user or folder of anybody's."""
    text = one_line(error)
    if isinstance(error, UnreachedError | LostError):
        # What the connection says of it, by addresses and names of the user's configuration.
        text = text.partition(" (")[0]
    place = device.target.partition("://")[2]
    user, _, host = place.rpartition("@")
    words = {device.target, place, host, host.rpartition(":")[0]}
    for word in sorted(filter(None, words), key=len, reverse=True):
        text = _whole(word).sub(device.name, text)
    return anonymous(_whole(user).sub("…", text) if user else text)


def _whole(word: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.-]){re.escape(word)}(?![\w-])")
