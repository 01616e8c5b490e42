"""The file that lists a fleet's devices."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lama_edge.benchmarks.targets.base import TargetOptions
from lama_edge.benchmarks.targets.registry import TARGETS, unknown_target
from lama_edge.errors import UsageError, parameter, reason, shown

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found, unused-ignore]

_EXAMPLE = 'such as: [[device]] name = "pi" target = "ssh://pi.local"'
# A name is also that of a file.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NOTHING = TargetOptions()
# Each key, and the type of its value.
_KEYS: Mapping[str, type] = {
    "name": str,
    "target": str,
    "worker": str,
    "remote-python": str,
    "make-venv": bool,
    "remote-folder": str,
    "provider": str,
    "threads": int,
}


@dataclass(frozen=True)
class Device:
    """A device of a fleet, and how models run on it.

    Attributes:
        name: what results call it: letters, digits, ``.``, ``_`` and ``-``.
        target: its address, see `open_target`.
        options: what else its target takes.
        provider: the runtime's provider there; None is what the models are measured with anyway.
        threads: processor threads there; None likewise.
    """

    name: str
    target: str
    options: TargetOptions = _NOTHING
    provider: str | None = None
    threads: int | None = None

    @property
    def scheme(self) -> str:
        """The kind of its target, which documents name in the place of its address."""
        return self.target.partition(":")[0]


def read_devices(path: Path) -> tuple[Device, ...]:
    """Read a fleet's file: TOML with a table ``[[device]]`` for each device.

    A table has ``name`` and ``target``, and may have ``worker`` (a path, relative to the file's
    folder), ``remote-python``, ``make-venv``, ``remote-folder``, ``provider`` and ``threads``.

    Args:
        path: the file.

    Returns:
        The devices in the file's order.

    Raises:
        UsageError: when the file cannot be read, lists no device or two of one name, or says
            something of a device that nobody knows.
    """
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{str(path)!r} is no TOML file: {reason(error)}") from error
    tables = content.pop("device", [])
    if content:
        raise UsageError(f"{str(path)!r} has {shown(min(content))}; it takes [[device]] alone")
    if not isinstance(tables, list) or not tables:
        raise UsageError(f"{str(path)!r} lists no device; write {_EXAMPLE}")
    devices: list[Device] = []
    for number, table in enumerate(tables, 1):
        try:
            devices.append(_device(table, path.parent))
        except ValueError as error:
            raise UsageError(f"{str(path)!r}, device {number}: {error}") from error
    names = [device.name.casefold() for device in devices]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"{str(path)!r} has two devices named {twice!r}; give each its own name")
    return tuple(devices)


def _device(table: Any, folder: Path) -> Device:
    """Return a device, or raise ValueError with what is wrong with its table."""
    if not isinstance(table, dict):
        raise ValueError(f"it is {shown(table)} and no table; write {_EXAMPLE}")
    for key, value in table.items():
        kind = _KEYS.get(key)
        if kind is None:
            raise ValueError(f"unknown key {shown(key)}; known: {', '.join(_KEYS)}")
        if type(value) is not kind or value == "":
            raise ValueError(f"{key} is {shown(value)}; expected {_spelled(kind)}")
    missing = [key for key in ("name", "target") if key not in table]
    if missing:
        raise ValueError(f"it has no {missing[0]}; write {_EXAMPLE}")
    if _NAME.fullmatch(table["name"]) is None:
        raise ValueError(
            f"name is {shown(table['name'])}; give letters, digits, '.', '_' and '-', 64 at most"
        )
    if table.get("threads", 1) < 1:
        raise ValueError(f"threads is {table['threads']}; give 1 or more")
    options = TargetOptions(
        remote_python=table.get("remote-python"),
        make_venv=table.get("make-venv", False),
        remote_folder=table.get("remote-folder"),
    )
    if "worker" in table:
        options = replace(options, worker=folder / Path(table["worker"]).expanduser())
    device = Device(
        table["name"], table["target"], options, table.get("provider"), table.get("threads")
    )
    if device.scheme == "browser":
        raise ValueError(
            "a page waits for a person who presses its start: measure it with lama-edge bench "
            f"--target browser --json-out PHONE.json, and give the fleet {parameter('beside')} it"
        )
    if device.scheme not in TARGETS:
        raise ValueError(f"unknown target {unknown_target(device.target)}")
    return device


def _spelled(kind: type) -> str:
    return {str: "a text", bool: "true or false", int: "a whole number"}[kind]
