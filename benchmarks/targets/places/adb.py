"""Phones and boards reached by Android's adb: its program, its server, and the devices it knows."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from lama_edge.benchmarks.targets.places.android import FACTS, SENSORS, read_facts, read_sensors
from lama_edge.benchmarks.targets.places.base import MOST_OUTPUT, Ended, lines_of, too_much
from lama_edge.benchmarks.targets.places.remote import Held, LostError, RemotePlace, Transport
from lama_edge.errors import (
    LamaEdgeError,
    MissingBackendError,
    UsageError,
    one_line,
    parameter,
    printable,
)
from lama_edge.spec import Progress, untold

_ADDRESS = re.compile(r"adb://([\w.:-]*)")
_FOLDER = "/data/local/tmp"
_LOCK = "lama-edge.lock"
_ANSWER_S = 30.0
_LOOK_S = 0.05
# A device that was just plugged in is in one of these for some seconds.
_PASSING = ("authorizing", "connecting")
_PASSING_S = 10.0
_MENDS = {
    "unauthorized": "it does not trust this computer yet: unlock its screen and allow USB "
    "debugging in the dialogue there",
    "offline": "it is offline: unplug it and plug it in again, or `adb reconnect offline`; one in "
    "the network: `adb disconnect` and `adb connect` it",
    "no permissions": "this user may not open USB devices: apt-get install "
    "android-sdk-platform-tools-common, join the group plugdev, and plug it in again",
}
# Of adb's message what is left without the paths in it; a device is `gone` in some of them.
_REASON = re.compile(
    r"^(?:adb: )?error: (?:failed to .*': )?(?P<reason>(?P<gone>device .*|closed)?.*)", re.MULTILINE
)
# Printed behind all that a script prints: adb itself ends with 0 when a device goes away.
_END = "lama-edge: the end\n"


def serial_of(address: str) -> str:
    """Return the serial in an address ``adb://SERIAL``; empty for ``adb://``, the only device.

    Raises:
        UsageError: when it is no such address.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise UsageError(
            f"{parameter('target', one_line(address))} is no address of this kind: give "
            "adb://SERIAL as `adb devices` lists it, or adb:// for the only one"
        )
    return match.group(1)


class AdbPlace(RemotePlace):
    """See `Place`."""

    name = "adb"

    def __init__(self, serial: str, folder: str | None = None) -> None:
        """Take a device.

        Args:
            serial: as ``adb devices`` lists it; empty is the only one.
            folder: where the session's folder is made there; None is ``/data/local/tmp``.
        """
        self._adb = AdbTransport(serial)
        super().__init__(self._adb, folder=folder or _FOLDER, lock=f"{_FOLDER}/{_LOCK}")

    def open(self) -> None:
        """See `Place.open`."""
        self._adb.open()
        self._known_by = (self._adb.serial,)
        # Boards without Android have no such folder, and Android has no /tmp.
        self._lock = self._shell(
            f"[ -d {_FOLDER} ] && echo {self._lock} || echo /tmp/{_LOCK}"
        ).strip()
        super().open()

    def facts(self) -> dict[str, Any]:
        """See `Place.facts`."""
        return read_facts(self._shell(FACTS))

    def sensors(self) -> dict[str, Any]:
        """See `Place.sensors`."""
        return read_sensors(self._shell(SENSORS))


class AdbTransport(Transport):
    """See `Transport`; each script is a process of adb's client.

    Attributes:
        serial: of the device; once it is open also of the only one.
    """

    def __init__(self, serial: str) -> None:
        """Take a device's serial, or none for the only one."""
        self.serial = serial
        self._adb = ""
        self._running: subprocess.Popen[str] | None = None
        self._held: subprocess.Popen[str] | None = None
        self._lost: str | None = None

    def open(self) -> None:
        """See `Transport.open`."""
        found = shutil.which("adb")
        if found is None:
            raise MissingBackendError(
                "the program adb is not on PATH: apt-get install adb, or Android's platform-tools"
            )
        self._adb = found
        self._call("start-server")
        state, end = self._find(), time.monotonic() + _PASSING_S
        while state in _PASSING and time.monotonic() < end:
            time.sleep(0.2)
            state = self._find()
        if state != "device":
            kind = state.partition(";")[0].partition(" (")[0]
            mend = _MENDS.get(kind, f"its state is {printable(state)!r}: let it start Android")
            raise LamaEdgeError(f"the device cannot be used over adb: {mend}")
        if "shell_v2" not in self._call("features").split():
            raise LamaEdgeError(
                "the device's adb tells no exit codes: Android 7 or later can be measured"
            )

    def _find(self) -> str:
        """Return the device's state, and make sure of its serial.

        Raises:
            UsageError: when it is not there, or several are and none was named.
        """
        lines = self._call("devices").splitlines()[1:]
        states = dict(line.split("\t", 1) for line in lines if "\t" in line)
        if not self.serial and len(states) == 1:
            (self.serial,) = states
        if self.serial in states:
            return states[self.serial].strip()
        # Other devices' serials are nobody's business: errors get into documents.
        if self.serial:
            mend = f"`adb connect {self.serial}`" if ":" in self.serial else "look at `adb devices`"
            raise UsageError(f"adb has no device {self.serial!r}: {mend}")
        if not states:
            raise UsageError(
                "adb has no device: plug one in and allow USB debugging on it, or `adb connect` it"
            )
        raise UsageError(
            f"{parameter('target', 'adb://')} is the only device, and adb has {len(states)}; name "
            f"one of `adb devices`: {parameter('target', 'adb://SERIAL')}"
        )

    def close(self) -> None:
        """See `Transport.close`: the server stays, for others."""

    def abort(self, reason: str) -> None:
        """See `Transport.abort`."""
        self._lost = self._lost or reason
        for process in (self._running, self._held):
            if process is not None:
                process.kill()

    def execute(
        self,
        script: str,
        *,
        timeout_s: float | None = None,
        step: Progress = untold,
    ) -> Ended:
        """See `Transport.execute`."""
        guarded = f"{self.session}({script})\ncode=$?; echo {shlex.quote(_END.strip())}; exit $code"
        code, output, last = self._run(["shell", "-T", "-n", guarded], timeout_s, step)
        if not output.endswith(_END):
            raise LostError(f"the connection to the device was lost ({last or 'adb ended'})")
        return Ended(code, output.removesuffix(_END), last)

    def hold(self, script: str, *words: str) -> Held:
        """See `Transport.hold`."""
        command = f"exec sh -c {shlex.join([script, *words])}"
        self._held = self._start(["shell", "-T", command], stdin=subprocess.PIPE)
        return _AdbHeld(self._held)

    def push(self, local: Path, remote: str) -> None:
        """See `Transport.push`."""
        self._call("push", str(local), remote)

    def pull(self, remote: str, local: Path, most_bytes: int) -> None:
        """See `Transport.pull`: adb would write what comes for ever."""
        ended, flooded = threading.Event(), threading.Event()

        def watch() -> None:
            while not ended.wait(_LOOK_S):
                if local.exists() and local.stat().st_size > most_bytes:
                    flooded.set()
                    if self._running is not None:
                        self._running.kill()

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            self._call("pull", remote, str(local))
        except LamaEdgeError:
            if not flooded.is_set():
                raise
        finally:
            ended.set()
            watcher.join()
        if flooded.is_set() or local.stat().st_size > most_bytes:
            raise too_much("the output", most_bytes)

    def _call(self, *words: str) -> str:
        """Return what adb prints.

        Raises:
            LamaEdgeError: when it fails, with its reason.
        """
        transfers = words[0] in ("push", "pull")
        try:
            code, output, last = self._run(words, None if transfers else _ANSWER_S)
        except TimeoutError as error:
            raise LamaEdgeError(
                f"`adb {words[0]}` gave no answer within {_ANSWER_S:g} s: try `adb kill-server`"
            ) from error
        if code != 0:
            # Transfers tell it on standard output, before what they copied.
            found = _REASON.search(f"{last}\n{output}")
            reason = found["reason"] if found else f"`adb {words[0]}` ended with code {code}"
            if found and found["gone"]:
                raise LostError(f"the connection to the device was lost ({reason})")
            raise LamaEdgeError(reason)
        return output

    def _run(
        self,
        words: list[str] | tuple[str, ...],
        timeout_s: float | None,
        step: Progress = untold,
    ) -> tuple[int, str, str]:
        """Return adb's exit code, what it printed, and the last line of its standard error."""
        expired = threading.Event()
        told: list[str] = []
        with self._start(words) as process:
            self._running = process

            def stop() -> None:
                expired.set()
                process.kill()

            def listen(stream: IO[str]) -> None:
                for line in lines_of(stream):
                    told[:] = [printable(line)]
                    step(told[0])

            timer = None if timeout_s is None else threading.Timer(timeout_s, stop)
            listener = threading.Thread(target=listen, args=(process.stderr,), daemon=True)
            try:
                listener.start()
                if timer is not None:
                    timer.start()
                if self._lost is not None:
                    process.kill()
                output = process.stdout.read(MOST_OUTPUT + 1) if process.stdout else ""
                if len(output) > MOST_OUTPUT:
                    raise too_much("what was printed", MOST_OUTPUT)
                process.wait()
                listener.join()
            except BaseException:
                process.kill()
                raise
            finally:
                self._running = None
                if timer is not None:
                    timer.cancel()
        if self._lost is not None:
            raise LostError(self._lost)
        if expired.is_set():
            raise TimeoutError
        return process.returncode, output, told[0] if told else ""

    def _start(
        self, words: list[str] | tuple[str, ...], stdin: int = subprocess.DEVNULL
    ) -> subprocess.Popen[str]:
        chosen = ["-s", self.serial] if self.serial else []
        return subprocess.Popen(
            [self._adb, *chosen, *words],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if stdin == subprocess.PIPE else subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            # Ctrl-C is for this program, which then ends the session over there.
            start_new_session=True,
        )


class _AdbHeld(Held):
    """See `Held`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def send(self, line: str) -> None:
        """See `Held.send`."""
        if self._process.stdin is not None:
            try:
                self._process.stdin.write(f"{line}\n")
                self._process.stdin.flush()
            except (OSError, ValueError):
                pass  # it has ended, which `lines` tells

    def lines(self) -> Iterator[str]:
        """See `Held.lines`."""
        if self._process.stdout is not None:
            yield from lines_of(self._process.stdout)

    def close(self) -> None:
        """See `Held.close`."""
        try:
            if self._process.stdin is not None:
                self._process.stdin.close()
            self._process.wait(_ANSWER_S)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
