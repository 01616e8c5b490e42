"""What every target is: a machine that models are run on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from lama_edge.benchmarks.targets.stopwatch import Policy
from lama_edge.manifest import Manifest
from lama_edge.runtimes.base import Array

_SHORTEST = Policy(min_warmup_runs=1, min_warmup_ms=0, min_runs=1, min_seconds=0)


@dataclass(frozen=True)
class Opening:
    """How a model is opened on a target.

    Attributes:
        provider: the runtime's device or execution provider; ``auto`` is the target's best.
        threads: processor threads that work on one operation; None leaves it to the runtime.
        part: which part of a model of several; None is the default one.
        timeout_s: how long a call may take, in seconds; None is for ever.
        ignore: what to leave out of a checkpoint, see `load_checkpoint`.
    """

    provider: str = "auto"
    threads: int | None = None
    part: str | None = None
    timeout_s: float | None = None
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True)
class Description:
    """What an open model says of itself.

    Attributes:
        manifest: its self-description, of the part where there are several.
        runtime: the name of what runs it, such as ``onnxruntime``; tolerances go by it.
        version: the runtime's version.
        provider: the provider in use.
        title: the three of them, as people read it.
        parts: the names of all parts, the default one first; empty for a model of one.
    """

    manifest: Manifest
    runtime: str
    version: str
    provider: str
    title: str
    parts: tuple[str, ...] = ()


class Target(ABC):
    """A machine that models are run on; a context manager, open while there is work.

    Nothing in it takes Python at the other end: inputs are made here, in the model's own form
    (float32 [1,C,H,W] or uint8 [1,H,W,C], see `lama_edge.spec.IoSpec`), and outputs come back as
    the model gave them, to be looked at here.

    Attributes:
        name: what documents call it: the scheme alone, never an address.
        shares_machine: whether it is this machine, where a model's inside can be looked at.
    """

    name: str
    shares_machine: bool = False

    def __enter__(self) -> Target:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Remove what was brought there and let go of it."""

    @abstractmethod
    def environment(self) -> dict[str, Any]:
        """Describe the machine as the documents' ``environment``: nothing of whose it is."""

    @abstractmethod
    def default_threads(self) -> int:
        """Return how many processor threads to use when nobody said."""

    @abstractmethod
    def push(self, path: Path) -> Any:
        """Bring a model there.

        Args:
            path: its file or folder on this machine; see `model_files` for what lies beside it.

        Returns:
            What the other methods know it by.
        """

    @abstractmethod
    def describe(self, handle: Any, opening: Opening) -> Description:
        """Open a model there and return what it says of itself.

        Raises:
            LamaEdgeError: when it cannot be opened, or its process died.
        """

    @abstractmethod
    def measure(
        self, handle: Any, opening: Opening, image: Array, mask: Array, policy: Policy
    ) -> tuple[dict[str, Any], Array]:
        """Load a model there, in a process of its own, and time it on a picture.

        Args:
            handle: from `push`.
            opening: how to open it.
            image: in the model's own form, one picture.
            mask: in the model's own form, 255 or 1 inside the hole.
            policy: how long to warm up and to sample.

        Returns:
            One of the document's rounds, and the model's output.

        Raises:
            LamaEdgeError: when it cannot be run, its process died, or time ran out.
        """

    def run(
        self, handle: Any, opening: Opening, pictures: Sequence[tuple[Array, Array]]
    ) -> list[Array]:
        """Run a model there on several pictures, best with one loading.

        Args:
            handle: from `push`.
            opening: how to open it.
            pictures: `image` and `mask` of each, as for `measure`.

        Returns:
            The model's output for each.

        Raises:
            LamaEdgeError: as `measure` does.
        """
        return [
            self.measure(handle, opening, image, mask, _SHORTEST)[1] for image, mask in pictures
        ]
