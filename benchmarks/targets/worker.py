"""This machine, with models run by ``lama-edge-worker``, a program without Python."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from lama_edge.benchmarks.documents.store import WORKER, DocumentError, check_document
from lama_edge.benchmarks.targets.base import Description, Opening
from lama_edge.benchmarks.targets.local import LocalTarget
from lama_edge.benchmarks.targets.stopwatch import Policy
from lama_edge.errors import (
    LamaEdgeError,
    MissingBackendError,
    ModelError,
    UsageError,
    one_line,
    shown,
)
from lama_edge.files import join_part
from lama_edge.manifest import Manifest
from lama_edge.process import CrashError
from lama_edge.runtimes.base import Array, spatial_size
from lama_edge.spec import IoSpec

_SCHEMA_VERSION = 1
_ERROR = "lama-edge-worker: error: "
# By the worker's exit code.
_ERRORS: dict[int, type[LamaEdgeError]] = {2: ModelError, 3: MissingBackendError}
_BUILD = "build one with: make worker ARCH=x86_64 (docs/worker.md)"


class WorkerTarget(LocalTarget):
    """See `Target`; the worker is started anew for each call."""

    def __init__(self, worker: Path) -> None:
        """Take the worker's program.

        Raises:
            MissingBackendError: when there is none.
        """
        super().__init__()
        if not worker.is_file():
            raise MissingBackendError(f"there is no worker {str(worker)!r}; {_BUILD}")
        if not os.access(worker, os.X_OK):
            raise MissingBackendError(f"the worker {str(worker)!r} is no program; {_BUILD}")
        self._worker = worker.resolve()
        self._forms: dict[tuple[Path, str | None], IoSpec] = {}

    def describe(self, handle: Path, opening: Opening) -> Description:
        """See `Target.describe`."""
        found = ask(self._worker, "describe", _opened(handle, opening), opening.timeout_s)["model"]
        manifest = Manifest.from_json(found["manifest"])
        self._forms[handle, opening.part] = manifest.io
        runtime, provider = found["runtime"], found["provider"]
        version = f"{found['version']} (C++ worker)"
        return Description(manifest, runtime, version, provider, f"{runtime} {version} {provider}")

    def measure(
        self, handle: Path, opening: Opening, image: Array, mask: Array, policy: Policy
    ) -> tuple[dict[str, Any], Array]:
        """See `Target.measure`: the memory is that of a second process."""
        picture = [(image, mask)]
        found, (output,) = self._with_pictures(
            "measure", handle, opening, picture, policy=asdict(policy)
        )
        memory, _ = self._with_pictures("memory", handle, opening, picture)
        measured: dict[str, Any] = found["result"]["round"]
        return {**measured, "peak_memory_bytes": memory["result"]["peak_memory_bytes"]}, output

    def run(
        self, handle: Path, opening: Opening, pictures: Sequence[tuple[Array, Array]]
    ) -> list[Array]:
        """See `Target.run`."""
        return self._with_pictures("run", handle, opening, pictures)[1]

    def _with_pictures(
        self,
        task: str,
        handle: Path,
        opening: Opening,
        pictures: Sequence[tuple[Array, Array]],
        **rest: Any,
    ) -> tuple[dict[str, Any], list[Array]]:
        if (handle, opening.part) not in self._forms:
            self.describe(handle, opening)
        io = self._forms[handle, opening.part]
        with tempfile.TemporaryDirectory(prefix="lama-edge-") as folder:
            jobs: list[dict[str, Any]] = []
            for index, (image, mask) in enumerate(pictures):
                names = ("image", "mask", "output")
                files = {name: str(Path(folder, f"{index}.{name}")) for name in names}
                image.tofile(files["image"])
                mask.tofile(files["mask"])
                height, width = spatial_size(io.image, image)
                jobs.append({"height": height, "width": width, **files})
            request = {**_opened(handle, opening), "pictures": jobs, **rest}
            answer = ask(self._worker, task, request, opening.timeout_s)
            outputs = [
                np.fromfile(job["output"], io.output.dtype).reshape(
                    len(image), *io.output.shape(job["height"], job["width"])[1:]
                )
                for job, (image, _) in zip(jobs, pictures, strict=True)
            ]
        return answer, outputs


def ask(
    worker: Path, task: str, request: dict[str, Any], timeout_s: float | None = None
) -> dict[str, Any]:
    """Start a worker on a task.

    Args:
        worker: its program.
        task: see ``docs/worker.md``.
        request: the rest of the request.
        timeout_s: how long it may take, in seconds; None is for ever.

    Returns:
        Its document, see ``benchmarks/documents/schema/worker-1.schema.json``.

    Raises:
        LamaEdgeError: what it refused, that it died, ran out of time or does not run here.
    """
    with tempfile.TemporaryDirectory(prefix="lama-edge-") as folder:
        file = Path(folder, "request.json")
        content = {"schema_version": _SCHEMA_VERSION, "task": task, **request}
        file.write_text(json.dumps(content), encoding="utf-8")
        try:
            ended = subprocess.run(
                [worker, file],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=timeout_s,
            )
        except subprocess.TimeoutExpired as error:
            raise CrashError(
                f"the worker did not finish within {timeout_s:g} s and was stopped"
            ) from error
        except OSError as error:
            raise MissingBackendError(
                f"the worker {str(worker)!r} does not start here ({error.strerror}); {_BUILD}"
            ) from error
    if ended.returncode != 0:
        raise _error_of(ended)
    try:
        return check_document(json.loads(ended.stdout), WORKER)
    except (ValueError, DocumentError) as error:
        raise CrashError(f"the worker's answer cannot be used: {one_line(error)}") from error


def _error_of(ended: subprocess.CompletedProcess[str]) -> LamaEdgeError:
    last = (ended.stderr.strip().splitlines() or ["no message"])[-1]
    if last.startswith(_ERROR):
        return _ERRORS.get(ended.returncode, CrashError)(last.removeprefix(_ERROR))
    return CrashError(f"the worker ended with code {ended.returncode}: {shown(last)}")


def _opened(handle: Path, opening: Opening) -> dict[str, Any]:
    if opening.part is not None:
        raise UsageError(
            f"{join_part(handle, opening.part)!r} names a part; the worker opens files of one"
        )
    providers = [] if opening.provider == "auto" else [{"name": opening.provider, "options": {}}]
    model = str(handle.resolve())
    return {"model": model, "threads": opening.threads or 0, "providers": providers}
