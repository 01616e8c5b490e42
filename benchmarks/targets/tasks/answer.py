"""A request's answer in Python: opens the model and does the task."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lama_edge
from lama_edge.benchmarks.targets.tasks import work
from lama_edge.benchmarks.targets.tasks.request import Request, read_request
from lama_edge.benchmarks.targets.tasks.sensors import read_sensors
from lama_edge.errors import one_line
from lama_edge.runtimes.base import Runner, import_runtime, open_runner
from lama_edge.spec import Progress

_KIND = "lama_edge.worker"


def answer(path: Path, step: Progress) -> dict[str, Any]:
    """Do what a request asks for.

    Args:
        path: the request's file, see ``docs/reference/worker.md``.
        step: called with each step.

    Returns:
        The answer as ``benchmarks/documents/schema/worker-1.schema.json`` describes it.

    Raises:
        LamaEdgeError: when the request, the model or a picture cannot be used.
    """
    request = read_request(path)
    model: dict[str, Any] | None = None
    result: dict[str, Any]
    if request.task == "machine":
        # Imported here, because it asks for every package and others measure their memory.
        from lama_edge.benchmarks.targets.tasks.environment import environment

        result = {"environment": environment(), "sensors": read_sensors()}
    elif request.task == "sleep":
        result = work.slept(request.sleeps_ms)
    else:
        # The user of an app does not wait for Python to import its packages.
        import_runtime(request.model, provider=request.provider)
        step(f"opening {Path(request.model).name}")
        with _noted() as notes:
            start = time.perf_counter_ns()
            runner = _open(request)
            load_ms = (time.perf_counter_ns() - start) / 1e6
        with runner:
            model = _model(runner, notes)
            result = _worked(request, runner, load_ms, step)
    return {
        "kind": _KIND,
        "schema_version": request.version,
        "tool": f"lama-edge {lama_edge.__version__}",
        "task": request.task,
        "model": model,
        "result": result,
    }


def _open(request: Request) -> Runner:
    return open_runner(
        request.model,
        provider=request.provider,
        threads=request.threads,
        ignore=request.ignore,
    )


def _model(runner: Runner, notes: list[str]) -> dict[str, Any]:
    return {
        "manifest": runner.manifest.to_json(),
        "runtime": runner.runtime.name,
        "version": runner.runtime_version,
        "provider": runner.provider,
        "notes": notes,
        "parts": list(runner.parts),
    }


def _worked(request: Request, runner: Runner, load_ms: float, step: Progress) -> dict[str, Any]:
    if request.task == "describe":
        return {"load_ms": load_ms, "placement": runner.placement()}
    if request.task == "run":
        work.run(runner, request.pictures, step)
        return {}
    (job,) = request.pictures
    if request.task == "measure":
        return {"round": work.measured(runner, load_ms, job, request.policy, step)}
    if request.task == "sustain":
        return {"sustained": work.sustained(runner, job, request.seconds, step)}
    return {"peak_memory_bytes": work.peak_memory(runner, job, step)}


@contextmanager
def _noted() -> Iterator[list[str]]:
    """Collect what lama-edge warns of in the block."""
    notes: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            notes.append(one_line(record.getMessage()))

    logger, handler = logging.getLogger(lama_edge.__name__), Collect(logging.WARNING)
    logger.addHandler(handler)
    try:
        yield notes
    finally:
        logger.removeHandler(handler)
