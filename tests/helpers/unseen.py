"""A user's home that nothing was done in, and what was left there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest


class Home:
    """An empty home; whatever is started in it knows nothing of this one, nor of CI."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, command: Sequence[str | Path], **variables: str) -> str:
        """Return what a program printed that has to succeed."""
        # Should it send something all the same, then to nobody.
        nobody = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
        # In the folder of temporary files it would keep a number of the session.
        folders = {"HOME": self.path, "TMPDIR": self.path, "XDG_RUNTIME_DIR": self.path.parent}
        environment = {
            "PATH": os.environ["PATH"],
            **{name: str(folder) for name, folder in folders.items()},
            **nobody,
            **variables,
        }
        ended = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=120
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def left(self) -> list[str]:
        """Return the files in it."""
        return [str(path.relative_to(self.path)) for path in self.path.rglob("*") if path.is_file()]


def home_that_onnxruntime_would_use(folder: Path) -> Home:
    """Return an empty home, or skip where ONNX Runtime by itself leaves nothing in one."""
    folder.joinpath("by itself").mkdir()
    seen = Home(folder / "by itself")
    seen.run([sys.executable, "-c", "import onnxruntime"])
    if not seen.left():
        pytest.skip(
            "this ONNX Runtime keeps nothing in the home: 1.29 and newer do, not on Windows"
        )
    folder.joinpath("home").mkdir()
    return Home(folder / "home")
