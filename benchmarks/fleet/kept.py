"""What a fleet's run keeps of each device, so that the next run measures only what is missing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lama_edge
from lama_edge import plain
from lama_edge.benchmarks.bench.run import Bench
from lama_edge.benchmarks.documents.model_files import base_name
from lama_edge.benchmarks.documents.store import BENCH, DocumentError, check_document
from lama_edge.benchmarks.targets.programs.worker import bundle_of
from lama_edge.errors import LamaEdgeError
from lama_edge.files import atomic_output, make_folder, split_part
from lama_edge.runtimes.model_files import located, model_sha256


@dataclass(frozen=True)
class Kept:
    """The results of devices that are done, in a folder of a file each.

    Attributes:
        folder: where they lie; made with the first of them.
    """

    folder: Path

    @classmethod
    def beside(cls, result: Path) -> Kept:
        """Return what is kept for a fleet's result: ``fleet.json.d`` beside ``fleet.json``."""
        return cls(result.with_name(result.name + ".d"))

    def save(self, name: str, asked: str, document: Mapping[str, Any], exit_code: int) -> None:
        """Keep a device's result.

        Args:
            name: the device's.
            asked: what it is a result of, from `fingerprint`.
            document: the bench document.
            exit_code: that of bench.
        """
        make_folder(self.folder)
        text = json.dumps({"asked": asked, "exit_code": exit_code, "result": document}, indent=1)
        with atomic_output(self._file(name)) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")

    def load(self, name: str, asked: str) -> tuple[dict[str, Any], int] | None:
        """Return a device's document and bench's exit code, if they answer what is asked now."""
        try:
            found = plain.loads(self._file(name).read_bytes())
            if found["asked"] != asked:
                return None
            return check_document(found["result"], BENCH), int(found["exit_code"])
        except (OSError, ValueError, RecursionError, LookupError, TypeError, DocumentError):
            # Whatever is not there, or was damaged, is measured.
            return None

    def remove(self, names: Iterable[str]) -> None:
        """Remove the devices' results, and the folder if nothing else is in it."""
        with suppress(OSError):
            for name in names:
                self._file(name).unlink(missing_ok=True)
            self.folder.rmdir()

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def fingerprint(job: Bench) -> str:
    """Return a hash of all that a result depends on: the files' contents, settings, the target."""
    worker = None if job.options is None else job.options.worker
    asked = {
        **asdict(job),
        "models": [[base_name(model), split_part(model)[1], _hash(model)] for model in job.models],
        "worker": _hash(worker and bundle_of(worker)),
        "reference": _hash(job.reference),
        "tool": lama_edge.__version__,
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()


def _hash(path: str | Path | None) -> str | None:
    """Return a file's or folder's hash; what is not there is refused by whoever opens it."""
    with suppress(LamaEdgeError, OSError):
        return None if path is None else model_sha256(located(path))
    return None
