"""``lama-edge-worker``, a program without Python, alone or in a bundle with its libraries."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

from lama_edge.benchmarks.targets.places.base import Ended, Place
from lama_edge.benchmarks.targets.programs.base import Program
from lama_edge.errors import MissingBackendError
from lama_edge.files import sha256_of

_NAME = "lama-edge-worker"
_BUILD = "build one with: make worker ARCH="
_DOCS = f"{_BUILD}x86_64 or aarch64 (docs/reference/worker.md)"
# A bundle's program, beside the script that starts it.
_BUNDLED = Path("lib", "worker")
# ELF's numbers of processors, as `uname -m` calls them.
_MACHINES = {3: "i686", 40: "armv7l", 62: "x86_64", 183: "aarch64", 243: "riscv64"}
_INTERPRETER = 3


def bundle_of(worker: Path) -> Path:
    """Return all that a worker is made of: its bundle's folder, or the program alone."""
    folder = worker if worker.is_dir() else worker.resolve().parent
    return folder if (folder / _BUNDLED).is_file() else worker


class WorkerProgram(Program):
    """See `Program`."""

    name = _NAME

    def __init__(self, worker: Path) -> None:
        """Take the program, a bundle's script, or the bundle's folder, on this machine.

        Raises:
            MissingBackendError: when it is not there, or is no program.
        """
        script = worker / _NAME if worker.is_dir() else worker
        if not script.is_file():
            raise MissingBackendError(f"there is no worker {str(script)!r}; {_DOCS}")
        if not os.access(script, os.X_OK):
            raise MissingBackendError(
                f"the worker {str(script)!r} is no program: give the folder that a release's "
                f"archive unpacks to, or {_DOCS}"
            )
        self._script = script.resolve()
        self._is_bundle = (self._script.parent / _BUNDLED).is_file()
        self._file = self._script.parent / _BUNDLED if self._is_bundle else self._script
        self.sha256 = sha256_of(self._file)
        self._command: list[str] = []

    def prepare(self, place: Place) -> None:
        """See `Program.prepare`: started without a request it says how it is used."""
        if not self._is_bundle:
            self._command = [place.put(self._script)]
        elif place.shares_machine:
            self._command = [str(self._script)]
        else:
            # Not every system has the script's /bin/sh.
            self._command = ["sh", f"{place.put(self._script.parent)}/{_NAME}"]
        ended = place.run(self._command)
        if ended.code != 2 or not ended.last_words.startswith(f"{_NAME}: error: "):
            raise MissingBackendError(self._problem(ended, place.machine()))

    def command(self) -> list[str]:
        """See `Program.command`."""
        return list(self._command)

    def _problem(self, ended: Ended, machine: str) -> str:
        found = read_elf(self._file)
        worker = f"the worker {str(self._script)!r}"
        if found is not None and found.machine != machine:
            return f"{worker} is for {found.machine} and the target is {machine}; {_BUILD}{machine}"
        said = f"{worker} does not start there (code {ended.code}: {ended.said})"
        if found is not None and found.loader is not None and not self._is_bundle:
            return (
                f"{said}: it needs the loader {found.loader} and its libraries; bring a bundle: "
                f"{_BUILD}{machine}"
            )
        return f"{said}; {_BUILD}{machine}"


@dataclass(frozen=True)
class Elf:
    """What the head of a program tells.

    Attributes:
        machine: the processor that it is for, as `uname -m` calls it, or ELF's number of it.
        loader: the path of the loader that it asks for; None for none.
    """

    machine: str
    loader: str | None


def read_elf(path: Path) -> Elf | None:
    """Read the head of a program of Linux; None for any other file."""
    head = path.read_bytes()
    if head[:4] != b"\x7fELF":
        return None
    try:
        wide, order = head[4] == 2, "<" if head[5] == 1 else ">"
        (machine,) = struct.unpack_from(f"{order}H", head, 18)
        offset, (table_at, sizes_at, start_at) = ("Q", (32, 54, 8)) if wide else ("I", (28, 42, 4))
        (table,) = struct.unpack_from(order + offset, head, table_at)
        size, count = struct.unpack_from(f"{order}2H", head, sizes_at)
        loader = None
        for entry in range(table, table + size * count, size):
            (kind,) = struct.unpack_from(f"{order}I", head, entry)
            if kind == _INTERPRETER:
                (start,) = struct.unpack_from(order + offset, head, entry + start_at)
                loader = head[start : head.index(b"\0", start)].decode(errors="replace")
    except (IndexError, ValueError, struct.error):
        return None
    return Elf(_MACHINES.get(machine, f"ELF machine {machine}"), loader)
