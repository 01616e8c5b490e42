"""What every target is, and how ``--target`` finds it."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from lama_edge.errors import UsageError


class Target(ABC):
    """A machine that models are measured on.

    A target brings the model's file to the machine where that is needed; its path in a payload is
    one on this machine. Arguments and results are those of the functions in `measure_task`, and
    every call runs in a process of its own there.

    Attributes:
        name: what the document calls it: the scheme alone, never an address.
    """

    name: str

    @abstractmethod
    def environment(self) -> dict[str, Any]:
        """Describe the machine as the document's ``environment``."""

    @abstractmethod
    def default_threads(self) -> int:
        """Return how many processor threads to use when nobody said."""

    @abstractmethod
    def describe(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Open a model there and return what it says of itself; see `describe_model`.

        Raises:
            LamaEdgeError: when it cannot be opened, or its process died.
        """

    @abstractmethod
    def measure(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Time a model there once through and return one round; see `measure_model`.

        Args:
            payload: as there, and `timeout_s`, seconds to wait for it, or None.

        Raises:
            LamaEdgeError: when it cannot be run, its process died, or time ran out.
        """


# Scheme -> (module, class). The class is called with the whole text after --target.
_TARGETS = {
    "local": ("lama_edge.benchmarks.targets.local", "LocalTarget"),
}


def open_target(address: str) -> Target:
    """Return the target of an address such as ``local``.

    Raises:
        UsageError: when no target goes by that scheme.
    """
    scheme = address.partition(":")[0]
    if scheme not in _TARGETS:
        raise UsageError(f"unknown --target {address!r}; known: {', '.join(_TARGETS)}")
    module, name = _TARGETS[scheme]
    target: Target = getattr(importlib.import_module(module), name)(address)
    return target
