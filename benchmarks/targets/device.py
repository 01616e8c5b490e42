"""A place and a program that answers on it: the protocol of ``docs/reference/worker.md``."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lama_edge.benchmarks.targets.answers import (
    MOST_SAID,
    Clock,
    check_same_model,
    checked_round,
    checked_sustained,
    description,
    read_answer,
    tidied,
    unnamed,
)
from lama_edge.benchmarks.targets.base import Description, Opening, Target
from lama_edge.benchmarks.targets.places.base import Ended, Place
from lama_edge.benchmarks.targets.programs.base import Program
from lama_edge.benchmarks.targets.programs.worker import WorkerProgram
from lama_edge.benchmarks.targets.tasks.stopwatch import Policy
from lama_edge.errors import (
    LamaEdgeError,
    MissingBackendError,
    ModelError,
    ParityError,
    UsageError,
    one_line,
)
from lama_edge.files import beside
from lama_edge.forms import sides_of
from lama_edge.manifest import Manifest
from lama_edge.process import CrashError, WatchedFolder, killed_by, temporary_room
from lama_edge.runtimes.base import Array, stored_manifest
from lama_edge.runtimes.model_files import model_files
from lama_edge.runtimes.onnxruntime.record import ONNXRUNTIME
from lama_edge.spec import Progress, untold

_SCHEMA_VERSION = 1
# What the names of files that the worker can run end in.
_WORKERS = ONNXRUNTIME.suffixes
_REFUSAL = re.compile(r"lama-edge(?:-worker)?: error: (?P<reason>.+)")
# By the program's exit code.
_ERRORS: dict[int, type[LamaEdgeError]] = {1: ParityError, 2: ModelError, 3: MissingBackendError}


@dataclass(frozen=True)
class Brought:
    """A model on a place.

    Attributes:
        path: where it lies here, as the user spelled it.
        there: its path there.
    """

    path: Path
    there: str


class DeviceTarget(Target):
    """A place and a program; see `Target`. The place is open from entering to closing."""

    def __init__(self, place: Place, program: Program) -> None:
        """Take both; nothing is reached before the target is entered."""
        self.name, self.shares_machine = place.name, place.shares_machine
        self.program = program.name
        self._place, self._program = place, program
        self._is_guest = False
        self._machine: dict[str, Any] | None = None

    def __enter__(self) -> DeviceTarget:
        """Reach the place and prepare the program.

        Raises:
            MissingBackendError: when the program does not run there.
            LamaEdgeError: when the place cannot be reached.
        """
        if not self._is_guest:
            self._place.open()
        try:
            self._program.prepare(self._place)
        except BaseException:
            self.close()
            raise
        self.program_sha256 = self._program.sha256
        return self

    def as_guest_of(self, host: DeviceTarget) -> DeviceTarget:
        """Return this target, moved to the place of another one, which opens and closes it."""
        self._place, self._is_guest = host._place, True
        return self

    def claim(self) -> None:
        """See `Target.claim`."""
        self._place.claim()

    def close(self) -> None:
        """See `Target.close`."""
        if not self._is_guest:
            self._place.close()

    def environment(self) -> dict[str, Any]:
        """See `Target.environment`."""
        if self._machine is None:
            found = self.ask("machine", {})["result"]["environment"]
            self._machine = {**found, **self._told(self._place.facts())}
        return dict(self._machine)

    def sensors(self) -> dict[str, Any]:
        """See `Target.sensors`."""
        return _with(self.ask("machine", {})["result"]["sensors"], self._sensors())

    def default_threads(self) -> int:
        """See `Target.default_threads`: one for each core that its environment tells of."""
        return int(self.environment()["cores"])

    def push(self, path: Path) -> Brought:
        """See `Target.push`."""
        if isinstance(self._program, WorkerProgram) and path.suffix.lower() not in _WORKERS:
            raise UsageError(
                f"the worker runs ONNX files, and {str(path)!r} is none: lama-edge export onnx "
                "makes one"
            )
        first, *others = [path] if path.is_dir() else model_files(path)
        if beside(path).is_file():
            others.append(beside(path))
        return Brought(path, self._place.put(first, others))

    def describe(self, handle: Brought, opening: Opening) -> Description:
        """See `Target.describe`."""
        clock = Clock(untold)
        answer = self._asked("describe", handle, opening, {}, clock)
        clock.check_all(answer["result"]["load_ms"])
        by = " (C++ worker)" if isinstance(self._program, WorkerProgram) else ""
        found = description(answer, by=by)
        ours = stored_manifest(handle.path)
        if ours is not None:
            check_same_model(found.manifest, ours)
        return found

    def measure(
        self,
        handle: Brought,
        opening: Opening,
        image: Array,
        mask: Array,
        policy: Policy,
        step: Progress = untold,
    ) -> tuple[dict[str, Any], Array]:
        """See `Target.measure`."""
        before, clock = self._sensors(), Clock(step)
        answer, (output,) = self._with_pictures(
            "measure", handle, opening, [(image, mask)], {"policy": asdict(policy)}, clock
        )
        found = checked_round(answer, policy, clock)
        sensors = {
            "before": _with(found["sensors"]["before"], before),
            "after": _with(found["sensors"]["after"], self._sensors()),
        }
        return {**found, "sensors": sensors}, output

    def memory(self, handle: Brought, opening: Opening, image: Array, mask: Array) -> int | None:
        """See `Target.memory`."""
        answer, _ = self._with_pictures("memory", handle, opening, [(image, mask)], {}, untold)
        peak: int | None = answer["result"]["peak_memory_bytes"]
        return peak

    def sustain(
        self,
        handle: Brought,
        opening: Opening,
        image: Array,
        mask: Array,
        seconds: float,
        step: Progress = untold,
    ) -> dict[str, Any]:
        """See `Target.sustain`."""
        clock = Clock(step)
        answer, _ = self._with_pictures(
            "sustain", handle, opening, [(image, mask)], {"seconds": seconds}, clock
        )
        return checked_sustained(answer, clock)

    def sleep(self, sleeps_ms: Sequence[float]) -> dict[str, Any]:
        """See `Target.sleep`."""
        found: dict[str, Any] = self.ask("sleep", {"sleeps_ms": list(sleeps_ms)})["result"]
        return found

    def run(
        self, handle: Brought, opening: Opening, pictures: Sequence[tuple[Array, Array]]
    ) -> list[Array]:
        """See `Target.run`: all in one process."""
        return self._with_pictures("run", handle, opening, pictures, {}, untold)[1]

    def _with_pictures(
        self,
        task: str,
        handle: Brought,
        opening: Opening,
        pictures: Sequence[tuple[Array, Array]],
        rest: dict[str, Any],
        step: Progress,
    ) -> tuple[dict[str, Any], list[Array]]:
        """Bring pictures there and return the answer and, where the task gives some, outputs."""
        gives = task in ("measure", "run")
        with WatchedFolder() as temporary:
            folder = temporary.path / "pictures"
            with temporary_room():
                folder.mkdir()
                for number, (image, mask) in enumerate(pictures):
                    (folder / f"{number}.image").write_bytes(image.tobytes())
                    (folder / f"{number}.mask").write_bytes(mask.tobytes())
            there = self._place.put(folder)
            try:
                jobs = [
                    _job(image, f"{there}/{number}") for number, (image, _) in enumerate(pictures)
                ]
                answer = self._asked(task, handle, opening, {"pictures": jobs, **rest}, step)
                spec = Manifest.from_json(answer["model"]["manifest"]).io.output
                outputs: list[Array] = []
                for job, (image, _) in zip(jobs if gives else (), pictures, strict=gives):
                    file = temporary.path / "output"
                    shape = spec.shape(job["height"], job["width"], len(image))
                    most = int(np.prod(shape)) * np.dtype(spec.dtype).itemsize
                    self._place.fetch(job["output"], file, most)
                    outputs.append(_array(file, spec.dtype, shape))
            finally:
                self._place.remove(there)
        return answer, outputs

    def _asked(
        self, task: str, handle: Brought, opening: Opening, rest: dict[str, Any], step: Progress
    ) -> dict[str, Any]:
        """Ask for what is done with a model; errors name it as the user does."""
        auto = opening.provider == "auto"
        request = {
            "model": handle.there,
            "threads": opening.threads or 0,
            "providers": [] if auto else [{"name": opening.provider, "options": {}}],
            "part": opening.part,
            "ignore": list(opening.ignore),
            **rest,
        }
        try:
            return self.ask(task, request, timeout_s=opening.timeout_s, step=step)
        except LamaEdgeError as error:
            said = [unnamed(part, self._place.names) for part in str(error).split(handle.there)]
            raise type(error)(str(handle.path).join(said)) from error

    def _told(self, facts: dict[str, Any]) -> dict[str, Any]:
        """Return what the place knows, as documents may hold it."""
        found: dict[str, Any] = tidied(facts, self._place.names)
        return found

    def _sensors(self) -> dict[str, Any]:
        return self._told(self._place.sensors())

    def ask(
        self,
        task: str,
        request: dict[str, Any],
        *,
        timeout_s: float | None = None,
        step: Progress = untold,
    ) -> dict[str, Any]:
        """Start the program on a task.

        Args:
            task: see ``docs/reference/worker.md``.
            request: the rest of the request; paths are paths there.
            timeout_s: how long it may take, in seconds; None is for ever.
            step: called with each step that it tells.

        Returns:
            Its document, see ``benchmarks/documents/schema/worker-1.schema.json``.

        Raises:
            LamaEdgeError: what it refused, that it died, or ran out of time.
        """
        with WatchedFolder() as folder:
            file = folder.path / "request.json"
            content = {"schema_version": _SCHEMA_VERSION, "task": task, **request}
            with temporary_room():
                file.write_text(json.dumps(content), encoding="utf-8")
            there = self._place.put(file)
            try:
                command = [*self._program.command(), there]
                ended = self._place.run(command, timeout_s=timeout_s, step=step)
            finally:
                self._place.remove(there)
        if ended.code != 0:
            raise error_of(ended)
        answer = read_answer(ended.output, self._place.names)
        if answer["task"] != task:
            raise CrashError(f"the program answered {answer['task']!r} to {task!r}")
        self.program_version = answer["tool"].rpartition(" ")[2]
        return answer


def error_of(ended: Ended) -> LamaEdgeError:
    """Return what a program's end means: what it refused, or how it died."""
    if ended.code < 0:
        return CrashError(killed_by(-ended.code))
    refused = _REFUSAL.fullmatch(ended.last_words)
    if refused is not None:
        return _ERRORS.get(ended.code, CrashError)(one_line(refused["reason"])[:MOST_SAID])
    return CrashError(f"the process ended with code {ended.code}: {ended.said}")


def _job(image: Array, there: str) -> dict[str, Any]:
    """Return one of a request's pictures, whose files there begin with that name."""
    height, width = sides_of(image)
    files = {name: f"{there}.{name}" for name in ("image", "mask", "output")}
    return {"height": height, "width": width, **files}


def _array(file: Path, dtype: str, shape: tuple[int, ...]) -> Array:
    """Read a raw output.

    Raises:
        ModelError: when it has another size.
    """
    found: Array = np.fromfile(file, dtype)
    if found.size != np.prod(shape):
        raise ModelError(
            f"the output has {file.stat().st_size} bytes where {dtype} {shape} was expected"
        )
    return found.reshape(shape)


def _with(sensors: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Add what a place knows to what its program read."""
    merged = dict(sensors)
    for name, value in more.items():
        ours = merged.get(name)
        if isinstance(ours, dict) and isinstance(value, dict):
            merged[name] = {**value, **ours}
        elif ours is None:
            merged[name] = value
    return merged
