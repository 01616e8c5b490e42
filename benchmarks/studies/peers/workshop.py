"""The work folder: each file that is measured, made once, in a process of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lama_edge.benchmarks.studies.peers.entries import CHECKPOINT, Artifact
from lama_edge.benchmarks.targets.environment import environment
from lama_edge.errors import LamaEdgeError, UsageError
from lama_edge.files import atomic_output, sha256_of
from lama_edge.models.config import FfcResnetConfig
from lama_edge.process import run_isolated
from lama_edge.spec import Progress, Size

_STAMP = "peers.json"
# What the files of the other ways depend on, beside the packages.
_SOURCES = ("prepare.py", "runtime_matrices.py", "picture.py")


@dataclass
class Workshop:
    """Makes artifacts in a folder and remembers those that could not be made.

    Attributes:
        folder: where they lie.
        config: the architecture.
        size: of the picture.
        threads: processor threads.
        timeout_s: how long one may take, in seconds; None is for ever.
        progress: called with what is done next.
    """

    folder: Path
    config: FfcResnetConfig
    size: Size
    threads: int
    timeout_s: float | None
    progress: Progress
    _done: dict[str, LamaEdgeError | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise UsageError(f"the folder {str(self.folder)!r} does not exist: create it first")
        stamp = json.dumps(self._stamp(), sort_keys=True)
        path = self.folder / _STAMP
        self._reusable = path.is_file() and path.read_text(encoding="utf-8") == stamp
        with atomic_output(path) as temporary:
            temporary.write_text(stamp, encoding="utf-8")

    def path_of(
        self, artifact: Artifact, size: Size | None = None, *, dynamic: bool = False
    ) -> Path:
        """Return where an artifact of this size lies, made now if it is not there yet.

        Args:
            artifact: what to make.
            size: None is the size of the measured picture.
            dynamic: whether it shall take any size.

        Raises:
            LamaEdgeError: when it cannot be made; asked again, the same error again.
        """
        size = size or self.size
        label = "dynamic" if dynamic else str(size)
        name = f"{Path(artifact.file).stem}-{label}{Path(artifact.file).suffix}"
        path = self.folder / name
        if name not in self._done:
            self._done[name] = None
            if artifact.is_ours or not self._reusable or not path.exists():
                self._done[name] = self._make(artifact, path, None if dynamic else size)
        error = self._done[name]
        if error is not None:
            raise error
        return path

    def _make(self, artifact: Artifact, path: Path, size: Size | None) -> LamaEdgeError | None:
        checkpoint = path if artifact == CHECKPOINT else self.path_of(CHECKPOINT)
        self.progress(f"preparing {path.name}")
        path.unlink(missing_ok=True)
        payload = {
            "config": self.config.to_dict(),
            "checkpoint": str(checkpoint),
            "output": str(path),
            "size": None if size is None else [size.height, size.width],
            "threads": self.threads,
        }
        try:
            run_isolated(artifact.task, payload, timeout_s=self.timeout_s)
        except LamaEdgeError as error:
            path.unlink(missing_ok=True)
            return error
        return None

    def _stamp(self) -> dict[str, Any]:
        here = Path(__file__).parent
        return {
            "config": self.config.to_dict(),
            "packages": environment()["packages"],
            "sources": {name: sha256_of(here / name) for name in _SOURCES},
        }
