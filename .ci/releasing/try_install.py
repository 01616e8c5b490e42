"""Installs what is released in empty environments and tries it: try_install.py WHEEL SOURCE.

On every Python from 3.10 to 3.14 at hand (on the path, or pyenv's), the wheel and the source each
in an environment of its own: import, version, and with the extra `onnx` out of the package index a
picture out of which something is erased, by lama-tiny as a third environment exported it. The last
lines say what was tried, and which Pythons were not there. One that fails ends it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

VERSIONS = tuple(f"3.{minor}" for minor in range(10, 15))
# What would bring something in from outside of the environment, or choose versions in it.
_OUTSIDE = ("PYTHONPATH", "PYTHONHOME", "PIP_CONSTRAINT", "PIP_REQUIRE_VIRTUALENV", "VIRTUAL_ENV")

_IMPORT = "import lama_edge; print(lama_edge.__version__, lama_edge.__file__)"
_DRAW = """
from PIL import Image
picture = Image.linear_gradient("L").resize((96, 80)).convert("RGB")
picture.paste((255, 0, 0), (30, 20, 60, 50))
picture.save("picture.png")
mask = Image.new("L", (96, 80))
mask.paste(255, (28, 18, 62, 52))
mask.save("mask.png")
"""
_LOOK = """
import numpy as np
from PIL import Image
before, mask, after = (np.array(Image.open(f"{n}.png")) for n in ("picture", "mask", "result"))
assert after.shape == before.shape, after.shape
assert np.array_equal(after[mask == 0], before[mask == 0]), "a known pixel changed"
red = after[20:50, 30:60].astype(int)
assert (red[..., 0] - red[..., 1]).mean() < 60, "the red square is still there"
"""


class TrialError(Exception):
    """What was installed did not do what it has to."""


def find_python(version: str) -> str | None:
    """Return the interpreter of a version such as 3.12, or None where there is none that runs."""
    candidates = [shutil.which(f"python{version}")]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    candidates += map(str, sorted(pyenv.glob(f"{version}.*/bin/python{version}")))
    for candidate in filter(None, candidates):
        words = [
            candidate,
            "-c",
            "import sys, venv, ensurepip; print(*sys.version_info[:2], sep='.')",
        ]
        said = subprocess.run(words, capture_output=True, text=True)
        if said.stdout.strip() == version:
            return candidate
    return None


class Environment:
    """An empty environment, with what is installed in it."""

    def __init__(self, python: str, folder: Path) -> None:
        self.folder = folder
        self._bin = folder / "environment" / ("Scripts" if os.name == "nt" else "bin")
        self._variables = {name: v for name, v in os.environ.items() if name not in _OUTSIDE}
        folder.mkdir()
        self._run(python, "-m", "venv", folder / "environment")

    def install(self, *what: str | Path) -> None:
        """Install packages by the environment's own pip."""
        self._run(self._bin / "python", "-m", "pip", "install", "--quiet",
                  "--disable-pip-version-check", *what)  # fmt: skip

    def python(self, program: str) -> str:
        """Run a program; return what it printed."""
        return self._run(self._bin / "python", "-I", "-c", program)

    def tool(self, *words: str | Path) -> str:
        """Run lama-edge; return what it printed."""
        return self._run(self._bin / "lama-edge", *words)

    def _run(self, *words: str | Path) -> str:
        ended = subprocess.run(
            words, capture_output=True, text=True, cwd=self.folder, env=self._variables
        )
        if ended.returncode:
            said = (ended.stderr or ended.stdout).strip().splitlines() or ["nothing was said"]
            raise TrialError(f"{' '.join(map(str, words[:6]))}: {said[-1]}")
        return ended.stdout


def make_model(wheel: Path, folder: Path) -> Path:
    """Export lama-tiny in an environment of the wheel with its extras `export` and `onnx`."""
    environment = Environment(sys.executable, folder)
    environment.install(f"{wheel}[export,onnx]")
    environment.tool("export", "onnx", "--size", "64", "-o", "lama_tiny.onnx")
    return folder / "lama_tiny.onnx"


def try_one(python: str, package: Path, version: str, model: Path, folder: Path) -> None:
    """Install a wheel or a source in an empty environment, and try it.

    Args:
        python: of which the environment is made.
        package: the file.
        version: that it has to say.
        model: an ONNX file to erase with.
        folder: for the environment, which is made.

    Raises:
        TrialError: when something is not as it has to be.
    """
    environment = Environment(python, folder)
    environment.install(package)
    said = environment.python(_IMPORT)
    if not said.startswith(f"{version} {folder}"):
        raise TrialError(f"{package.name}: `import lama_edge` gave {said.strip()!r}, not {version}")
    said = environment.tool("--version")
    if version not in said.split():
        raise TrialError(f"{package.name}: `lama-edge --version` said {said.strip()!r}")
    # Is there already, so that its extra alone is fetched.
    environment.install(f"lama-edge[onnx]=={version}")
    environment.python(f"import os; os.chdir({str(folder)!r}){_DRAW}")
    environment.tool("inpaint", model, "picture.png", "mask.png", "-o", "result.png")
    environment.python(f"import os; os.chdir({str(folder)!r}){_LOOK}")


def main(names: list[str]) -> None:
    """Try the wheel and the source on all Pythons; print what was tried."""
    wheel, source = (Path(name).resolve() for name in names)
    version = wheel.name.split("-")[1]
    found = {python: find_python(python) for python in VERSIONS}
    with tempfile.TemporaryDirectory(prefix="lama-edge-release-") as temporary:
        folder = Path(temporary).resolve()
        try:
            model = make_model(wheel, folder / "exports")
            for python, interpreter in found.items():
                for package in (wheel, source):
                    if interpreter is None:
                        continue
                    began = time.monotonic()
                    kind = "wheel" if package is wheel else "source"
                    place = folder / f"{python}-{kind}"
                    try_one(interpreter, package, version, model, place)
                    shutil.rmtree(place)
                    seconds = time.monotonic() - began
                    print(
                        f"Python {python}: the {kind} installs, and erases ({seconds:.0f} s)",
                        flush=True,
                    )
        except TrialError as error:
            sys.exit(f"no release: {error}")
    absent = [python for python, interpreter in found.items() if interpreter is None]
    if len(absent) == len(found):
        sys.exit("no release: no Python from 3.10 to 3.14 is here to install on")
    print(f"not here, so not tried: {', '.join(f'Python {p}' for p in absent) or 'nothing'}")


if __name__ == "__main__":
    main(sys.argv[1:])
