"""The protocol in Python, in an environment made there for the time of the session."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

import lama_edge
from lama_edge.benchmarks.targets.places.base import Ended, Place
from lama_edge.benchmarks.targets.programs.python import PythonProgram
from lama_edge.errors import MissingBackendError, parameter, shown
from lama_edge.process import WatchedFolder
from lama_edge.runtimes.registry import CHECKPOINT, runtimes

# What packages have beside their modules, but compiled pages: package-data of pyproject.toml.
DATA = ("py.typed", "zoo.toml", "embedded/*", "schema/*.json", "templates/*")
_DISTRIBUTION = "lama-edge"
_WHEEL = "Wheel-Version: 1.0\nGenerator: lama-edge\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


class VenvProgram(PythonProgram):
    """See `Program`; the packages that it lacks are downloaded there."""

    def __init__(self, python: str, formats: Sequence[str] = ("onnx",)) -> None:
        """Take the interpreter there that the environment is made of.

        Args:
            python: its name or path there.
            formats: of the models that it shall run.
        """
        super().__init__(python)
        self._base = python
        self._formats = formats

    def prepare(self, place: Place) -> None:
        """See `Program.prepare`.

        The environment sees the packages of its interpreter: a Jetson's ONNX Runtime comes with
        its system, and the one of PyPI would not know its GPU.
        """
        folder = place.new_path("venv")
        self._done(place, [self._base, "-m", "venv", "--system-site-packages", folder])
        self._python = f"{folder}/bin/python"
        with WatchedFolder() as temporary:
            wheel = place.put(pack(temporary.path))
        extras = ",".join(["bench", *self._extras(place)])
        pip = [self._python, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--no-input"]
        # By force, since the interpreter may have the same release of another state.
        self._done(place, [*pip, "--no-deps", "--force-reinstall", wheel])
        self._done(place, [*pip, f"{wheel}[{extras}]"])
        place.remove(wheel)
        super().prepare(place)

    def _extras(self, place: Place) -> Iterator[str]:
        """Give the extras, called as the formats, that no runtime is there for yet.

        Looked for and not imported: OpenVINO tells its maker when it is.
        """
        for name in self._formats:
            opening = [one for one in runtimes() if one.format == name and not one.is_emulator]
            modules = [one.modules[0] for one in opening if one.modules]
            if name != CHECKPOINT and modules:
                find = f"any(map(importlib.util.find_spec, {modules}))"
                command = [self._python or "", "-c", f"import importlib.util; exit(not {find})"]
                if place.run(command).code != 0:
                    yield name

    def _done(self, place: Place, command: list[str]) -> None:
        ended = place.run(command)
        if ended.code != 0:
            raise MissingBackendError(self._failed(ended))

    def _failed(self, ended: Ended) -> str:
        if ended.code == 127:
            return self._problem(ended)
        return (
            f"{self._base!r} on the target makes no environment ({shown(ended.last_words)}): it "
            "needs Python 3.10 or newer with venv and pip, on Debian from "
            "`apt-get install python3-venv`, and the way to a package index; or measure with "
            f"{parameter('worker')}"
        )


def pack(folder: Path) -> Path:
    """Write a wheel of lama-edge as it is imported here, installed or from a clone.

    Args:
        folder: an existing one.

    Returns:
        The wheel.
    """
    distribution = metadata.distribution(_DISTRIBUTION)
    name = f"{_DISTRIBUTION.replace('-', '_')}-{distribution.version}"
    contents = {name: file.read_bytes() for name, file in _files()}
    info = f"{name}.dist-info"
    contents[f"{info}/METADATA"] = (distribution.read_text("METADATA") or "").encode()
    contents[f"{info}/WHEEL"] = _WHEEL.encode()
    record = [f"{path},{_digest(content)},{len(content)}" for path, content in contents.items()]
    contents[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    wheel = folder / f"{name}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in contents.items():
            archive.writestr(path, content)
    return wheel


def _files() -> Iterator[tuple[str, Path]]:
    """Return the package's files, by their names in a wheel.

    In a clone its folders hold more than packages, so it is gone from package to package.
    """
    root = Path(lama_edge.__path__[0])
    folders = [root]
    for folder in folders:
        folders += sorted(inside.parent for inside in folder.glob("*/__init__.py"))
        for pattern in ("*.py", *DATA):
            for file in sorted(folder.glob(pattern)):
                yield f"lama_edge/{file.relative_to(root).as_posix()}", file


def _digest(content: bytes) -> str:
    found = base64.urlsafe_b64encode(hashlib.sha256(content).digest())
    return "sha256=" + found.rstrip(b"=").decode()
