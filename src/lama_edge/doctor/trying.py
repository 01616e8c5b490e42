"""Trying one thing in a process of its own, and what its answer means."""

from __future__ import annotations

import contextlib
import importlib.util
import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from lama_edge.benchmarks.targets.tasks.environment import anonymous, without_names
from lama_edge.errors import printable
from lama_edge.process import CrashError, run_isolated

# Many times what each takes on two cores: what is not done by then hangs.
TRY_SECONDS = 60.0
# Makes a program for ExecuTorch too, which takes torch half a minute of one core.
EXPORT_SECONDS = 300.0
_COMMAND = re.compile(r"""pip install (?:"[^"]+"|[\w.-]+)|(?<=`)make \w+(?=`)""")
# What the outcomes of tries are in documents, where nothing else is known of them.
_STATUS = {
    "works": "works",
    "imported": "not tried",
    "wrong": "wrong",
    "broken": "broken",
    "missing": "not installed",
    "absent": "not installed",
}


def tried(task: str, payload: Mapping[str, Any], timeout_s: float = TRY_SECONDS) -> dict[str, Any]:
    """Call one of `lama_edge.doctor.tries` in a process of its own.

    Returns:
        Its answer; a process that dies or hangs is ``broken``.
    """
    try:
        return run_isolated(task, payload, timeout_s=timeout_s)
    except CrashError as error:
        return {"outcome": "broken", "reason": str(error)}


def status_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ``status``, ``reason`` and ``fix`` that rows have, of an answer.

    The fix is the command in the reason, if there is one; neither names the user or the machine.
    """
    reason = answer.get("reason")
    found = _COMMAND.search(reason or "")
    return {
        "status": _STATUS[answer["outcome"]],
        "reason": None if reason is None else anonymous(reason),
        "fix": found.group() if found else None,
    }


def reinstalling(module: str) -> tuple[str | None, str | None]:
    """Return what could be wrong with where a module is, and what mends one that does not work.

    Args:
        module: as it is imported.

    Returns:
        Where it is imported from, if that is not where pip put its package; and what to do, None
        where nobody knows.
    """
    top = module.partition(".")[0]
    owner = owner_of(top)
    origin = _origin(top)
    if origin is not None and (owner is None or not origin.is_relative_to(_home_of(owner))):
        shown = printable(without_names(_below_home(origin)))
        return (
            f"{top!r} is imported from {shown}, where pip put nothing",
            f"take {shown} off PYTHONPATH, or out of the way",
        )
    if owner is None:
        return None, None
    return None, f"pip install --force-reinstall --no-deps {owner}=={metadata.version(owner)}"


def _below_home(path: Path) -> str:
    """Spell a path from the home; of a container's user that is no folder, or all of the system."""
    with contextlib.suppress(RuntimeError):
        home = Path.home()
        if home != home.parent and path.is_relative_to(home):
            return str("~" / path.relative_to(home))
    return str(path)


def owner_of(module: str) -> str | None:
    """Return the package that brought a module, as pip knows it."""
    return next(iter(metadata.packages_distributions().get(module, ())), None)


def _origin(module: str) -> Path | None:
    """Return the folder that a module lies in, without importing it."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    places = list(spec.submodule_search_locations or ())
    place = places[0] if places else spec.origin
    return None if place is None else Path(place)


def _home_of(package: str) -> Path:
    return Path(str(metadata.distribution(package).locate_file("")))
