"""Which targets there are, and how ``--target`` finds one."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from lama_edge.errors import UsageError

if TYPE_CHECKING:
    from lama_edge.benchmarks.targets.base import Target, TargetOptions

# Scheme -> a function of the whole text after --target and of TargetOptions, as module:name. The
# command line's help is made from this, so what a target needs is imported with its function alone.
TARGETS = {
    "local": "lama_edge.benchmarks.targets.device:local_target",
}


def open_target(address: str, options: TargetOptions | None = None) -> Target:
    """Return the target of an address such as ``local``, to be used as a context manager.

    Args:
        address: its scheme, and what the scheme wants after it.
        options: what else the user says of it.

    Raises:
        UsageError: when no target goes by that scheme, or it does not take an option or address.
        MissingBackendError: when what it needs is not installed here.
    """
    scheme = address.partition(":")[0]
    if scheme not in TARGETS:
        raise UsageError(f"unknown --target {address!r}; known: {', '.join(TARGETS)}")
    from lama_edge.benchmarks.targets.base import TargetOptions

    module, _, name = TARGETS[scheme].partition(":")
    make = getattr(importlib.import_module(module), name)
    target: Target = make(address, options or TargetOptions())
    return target
