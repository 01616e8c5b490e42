"""The consumers' virtual environments: made once, in a folder that outlives the run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from lama_edge.benchmarks.studies.consumers.consumers import Environment
from lama_edge.errors import MissingBackendError
from lama_edge.models.zoo import cache_folder

FOLDER_VARIABLE = "LAMA_EDGE_CONSUMERS"
_STAMP = "packages.txt"


def default_folder() -> Path:
    """Return the folder of all environments: $LAMA_EDGE_CONSUMERS, or one among the caches."""
    override = os.environ.get(FOLDER_VARIABLE)
    return Path(override) if override else cache_folder() / "consumers"


def installed(environment: Environment, folder: Path) -> Path | None:
    """Return the environment's interpreter; None when it is not there with these packages."""
    home = folder / environment.name
    stamp = home / _STAMP
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != _wanted(environment):
        return None
    return _python(home)


def install(environment: Environment, folder: Path) -> Path:
    """Make the environment unless it is there, and return its interpreter.

    Raises:
        MissingBackendError: when pip or npm fails.
    """
    python = installed(environment, folder)
    if python is not None:
        return python
    home = folder / environment.name
    shutil.rmtree(home, ignore_errors=True)
    home.parent.mkdir(parents=True, exist_ok=True)
    _run([sys.executable, "-m", "venv", str(home)], environment)
    pip = [str(_python(home)), "-m", "pip", "install", "--quiet", "--no-compile"]
    _run([*pip, *environment.packages], environment)
    if environment.npm:
        npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(home)]
        _run([*npm, *environment.npm], environment)
    (home / _STAMP).write_text(_wanted(environment), encoding="utf-8")
    return _python(home)


def _python(home: Path) -> Path:
    return home / "bin" / "python"


def _wanted(environment: Environment) -> str:
    return "\n".join((*environment.packages, *environment.npm, ""))


def _run(command: list[str], environment: Environment) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise MissingBackendError(
            f"the environment {environment.name!r} could not be made: {' '.join(last)}"
        )
