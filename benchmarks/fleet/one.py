"""Measures one device of a fleet, in a process of its own, and keeps its result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lama_edge.benchmarks.bench.run import Bench, run_bench
from lama_edge.benchmarks.fleet.kept import Kept, fingerprint
from lama_edge.benchmarks.targets.base import TargetOptions
from lama_edge.benchmarks.targets.places.remote import LostError
from lama_edge.errors import UsageError
from lama_edge.spec import Progress, fixed_size


def measure_one(payload: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Measure a device; a task of `run_isolated`.

    Args:
        payload: the device's ``name``, its ``job`` as from `as_plain`, what is ``asked``, and
            where results are ``kept``; see `Kept.save`.
        progress: called with each step.

    Returns:
        The bench ``document`` and bench's ``exit_code``.

    Raises:
        LamaEdgeError: what bench raised; what its rows failed with where none was measured, or the
            device was lost.
        UsageError: when it is no answer to what was asked, see `fingerprint`.
    """
    job = _job(payload["job"])
    result = run_bench(job, progress)
    lost = next((error for error in result.failures if isinstance(error, LostError)), None)
    if lost is not None:
        raise lost
    if all(run["statistics"] is None for run in result.document["runs"]):
        raise next(error for error in result.failures if error.exit_code == result.exit_code)
    if fingerprint(job) != payload["asked"]:
        raise UsageError(
            "a model, the worker or the reference was changed while this device was measured: "
            "measure it again, and leave them alone until that is done"
        )
    kept = Kept(Path(payload["kept"]))
    kept.save(payload["name"], payload["asked"], result.document, result.exit_code)
    return {"document": result.document, "exit_code": result.exit_code}


def as_plain(job: Bench) -> dict[str, Any]:
    """Return how a device is measured as JSON carries it."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(job), default=str))
    return {**plain, "sizes": [str(size) for size in job.sizes]}


def _job(plain: Mapping[str, Any]) -> Bench:
    """Return what `as_plain` spelled."""
    worker = plain["options"]["worker"]
    options = TargetOptions(
        **{**plain["options"], "worker": None if worker is None else Path(worker)}
    )
    sizes = tuple(fixed_size(size) for size in plain["sizes"])
    lists = {name: tuple(value) for name, value in plain.items() if isinstance(value, list)}
    return Bench(**{**plain, **lists, "options": options, "sizes": sizes})
