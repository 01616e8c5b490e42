"""Which targets there are, and how ``--target`` finds one."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from lama_edge.errors import UsageError

if TYPE_CHECKING:
    from lama_edge.benchmarks.targets.base import Target

# Scheme -> the class as module:name; it is called with the whole text after --target. The command
# line's help is made from this, so what a target needs is imported with its class alone.
TARGETS = {
    "local": "lama_edge.benchmarks.targets.local:LocalTarget",
}


def open_target(address: str) -> Target:
    """Return the target of an address such as ``local``, to be used as a context manager.

    Raises:
        UsageError: when no target goes by that scheme.
    """
    scheme = address.partition(":")[0]
    if scheme not in TARGETS:
        raise UsageError(f"unknown --target {address!r}; known: {', '.join(TARGETS)}")
    module, _, name = TARGETS[scheme].partition(":")
    target: Target = getattr(importlib.import_module(module), name)(address)
    return target
