"""Which targets there are, and how ``--target`` finds one."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from lama_edge.errors import UsageError

if TYPE_CHECKING:
    from lama_edge.benchmarks.targets.base import Target

# Scheme -> the class as module:name; it is called with the whole text after --target. The command
# line's help is made from this, so what a target needs is imported with its class alone.
TARGETS = {
    "local": "lama_edge.benchmarks.targets.local:LocalTarget",
}


def open_target(address: str, worker: Path | None = None) -> Target:
    """Return the target of an address such as ``local``, to be used as a context manager.

    Args:
        address: its scheme, and what the scheme wants after it.
        worker: the program ``lama-edge-worker`` that runs the models there in Python's place.

    Raises:
        UsageError: when no target goes by that scheme, or it takes no worker.
        MissingBackendError: when there is no such worker.
    """
    scheme = address.partition(":")[0]
    if scheme not in TARGETS:
        raise UsageError(f"unknown --target {address!r}; known: {', '.join(TARGETS)}")
    if worker is not None:
        if address != "local":
            raise UsageError(f"--worker goes with --target local, not with {address!r}")
        from lama_edge.benchmarks.targets.worker import WorkerTarget

        return WorkerTarget(worker)
    module, _, name = TARGETS[scheme].partition(":")
    target: Target = getattr(importlib.import_module(module), name)(address)
    return target
