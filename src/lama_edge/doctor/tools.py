"""The programs and packages that commands use beside runtimes, each tried."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lama_edge.benchmarks.targets.tasks.environment import anonymous
from lama_edge.doctor.trying import status_of, tried

# adb tells its version at once, and starts nothing for it.
_ADB_SECONDS = 10
_ADB_FROM = "apt-get install adb, or Android's platform-tools"


@dataclass(frozen=True)
class Tool:
    """A tool.

    Attributes:
        purpose: what commands use it for.
        look: tries it, and returns its ``status``, ``version``, ``reason`` and ``fix``.
    """

    purpose: str
    look: Callable[[], dict[str, Any]]


def _adb() -> dict[str, Any]:
    found = shutil.which("adb")
    if found is None:
        return _without("not installed", "the program adb is not on PATH")
    try:
        done = subprocess.run(
            [found, "version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ADB_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _without("broken", f"`adb version` did not end within {_ADB_SECONDS} s")
    except OSError as error:
        return _without("broken", f"adb cannot be started: {error.strerror or error}")
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    if done.returncode:
        last = said[-1] if said else "no message"
        return _without("broken", f"`adb version` ended with code {done.returncode}: {last}")
    versions = [line.split()[-1] for line in said if "ersion " in line]
    version = versions[-1] if versions else None
    return {"status": "works", "version": version, "reason": None, "fix": None}


def _without(status: str, reason: str) -> dict[str, Any]:
    return {"status": status, "version": None, "reason": anonymous(reason), "fix": _ADB_FROM}


def _by(task: str) -> Callable[[], dict[str, Any]]:
    """Return what tries a tool by one of `lama_edge.doctor.tries`."""

    def look() -> dict[str, Any]:
        answer = tried(f"lama_edge.doctor.tries:{task}", {})
        return {"version": answer.get("version"), **status_of(answer)}

    return look


TOOLS = {
    "adb": Tool("measures on phones and boards: lama-edge bench --target adb://", _adb),
    "ssh": Tool("measures on machines: lama-edge bench --target ssh://", _by("ssh")),
    "pages": Tool("demo; measures in browsers: lama-edge bench --target browser", _by("pages")),
    "workers": Tool("folders over many processes: lama-edge inpaint --workers", _by("workers")),
}
