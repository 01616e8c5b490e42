"""What every target is: a machine that models are run on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lama_edge.benchmarks.targets.tasks.stopwatch import Policy
from lama_edge.manifest import Manifest
from lama_edge.runtimes.base import Array
from lama_edge.spec import Progress, untold

_SHORTEST = Policy(min_warmup_runs=1, min_warmup_ms=0, min_runs=1, min_seconds=0)


@dataclass(frozen=True)
class TargetOptions:
    """What the user says of a target beside its address; a target refuses what it does not take.

    Attributes:
        worker: the program ``lama-edge-worker`` or its bundle's folder, on this machine, that
            runs the models in Python's place.
        remote_python: the interpreter there that has lama-edge; None is ``python3``.
        make_venv: whether to make an environment there for the time of the session.
        formats: of the models that it shall run, whose runtimes such an environment gets.
        remote_folder: where the session's folder is made there; None is the target's usual place.
        lan: whether a page is served to the network, over https, and not to this machine alone.
        ort_web: the folder of ONNX Runtime Web's files that a page uses; None is the package's.
        port: that a page is served at; None is any that is free.
        invite: called with the address of a page, which holds its token, and the fingerprint of
            its certificate or None; None tells them in the terminal.
    """

    worker: Path | None = None
    remote_python: str | None = None
    make_venv: bool = False
    formats: tuple[str, ...] = ("onnx",)
    remote_folder: str | None = None
    lan: bool = False
    ort_web: Path | None = None
    port: int | None = None
    invite: Callable[[str, str | None], object] | None = None

    @property
    def elsewhere(self) -> bool:
        """Whether anything is said of a machine elsewhere."""
        return self.make_venv or (self.remote_python, self.remote_folder) != (None, None)

    @property
    def page(self) -> bool:
        """Whether anything is said of a page."""
        return self.lan or (self.ort_web, self.port) != (None, None)


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
        load_ms: how long opening it took, the runtime being loaded already; of the target's very
            first opening where it was not opened there before.
        placement: where its nodes run: ``providers``, nodes by the runtime's names of providers,
            and ``fell_back``, the first 20 nodes, as ``name (operator)``, that are on the
            processor although another provider was asked for; None where nothing tells.
        notes: what is worth knowing of the opening, a line each, such as providers that gave way.
    """

    manifest: Manifest
    runtime: str
    version: str
    provider: str
    title: str
    parts: tuple[str, ...] = ()
    load_ms: float | None = None
    placement: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()


def row_title(name: str, provider: str, size: object = None) -> str:
    """Spell a measurement: the model, the provider unless the target chooses it, the size."""
    parts = (name, None if provider == "auto" else provider, size)
    return " · ".join(str(part) for part in parts if part is not None)


class Target(ABC):
    """A machine that models are run on; a context manager, open while there is work.

    Nothing in it takes Python at the other end: inputs are made here, in the model's own form
    (float32 [1,C,H,W] or [1,H,W,C], or uint8 [1,H,W,C], see `lama_edge.spec.IoSpec`), and outputs
    come back as the model gave them, to be looked at here. Each call that takes a model opens it
    in a process of its own.

    Attributes:
        name: what documents call it: the scheme alone, never an address.
        shares_machine: whether it is this machine, where a model's inside can be looked at.
        own_providers: providers that no other target has.
        shows_results: whether it shows people what was found, see `show`.
        program: what runs the models there: ``python``, ``lama-edge-worker`` or ``lama-edge-web``.
        program_version: that program's version, once it has answered.
        program_sha256: the hash of that program's file; None where it is not one file.
    """

    name: str
    shares_machine: bool = False
    own_providers: tuple[str, ...] = ()
    shows_results: bool = False
    program: str = "python"
    program_version: str | None = None
    program_sha256: str | None = None

    def __enter__(self) -> Target:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def check_provider(self, provider: str) -> None:  # noqa: B027
        """Refuse a provider that no model can have there, before anybody is waited for.

        Raises:
            UsageError: when there is none of that name.
        """

    def announce(self, rows: Sequence[str], rounds: int) -> None:  # noqa: B027
        """Tell people there what will run; called before `claim`.

        Args:
            rows: each measurement as `row_title` spells it.
            rounds: how often each is measured.
        """

    def show(self, results: Sequence[Mapping[str, Any]]) -> None:  # noqa: B027
        """Show people there what was found, after everything was measured and judged.

        Args:
            results: of each row its ``row`` as `row_title` spells it, ``parity`` (``passed``,
                ``failed``, ``not proven`` or None) and ``error``, None where there is none.
        """

    def claim(self) -> None:  # noqa: B027
        """Keep others from measuring there until it is closed; called before measuring.

        Raises:
            LamaEdgeError: when another session measures there.
        """

    @abstractmethod
    def close(self) -> None:
        """Remove what was brought there and let go of it."""

    @abstractmethod
    def environment(self) -> dict[str, Any]:
        """Describe the machine as the documents' ``environment``: nothing of whose it is."""

    @abstractmethod
    def sensors(self) -> dict[str, Any]:
        """Read what the machine says of itself now, as `read_sensors` does; idle meanwhile."""

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

        Raises:
            LamaEdgeError: when its program cannot run such a model, or it cannot be brought there.
        """

    @abstractmethod
    def describe(self, handle: Any, opening: Opening) -> Description:
        """Open a model there and return what it says of itself.

        Raises:
            LamaEdgeError: when it cannot be opened, or its process died.
        """

    @abstractmethod
    def measure(
        self,
        handle: Any,
        opening: Opening,
        image: Array,
        mask: Array,
        policy: Policy,
        step: Progress = untold,
    ) -> tuple[dict[str, Any], Array]:
        """Load a model there, in a process of its own, and time it on a picture.

        Args:
            handle: from `push`.
            opening: how to open it.
            image: in the model's own form, one picture.
            mask: in the model's own form, 255 or 1 inside the hole.
            policy: how long to warm up and to sample.
            step: called with each step that is told meanwhile.

        Returns:
            One of the document's rounds, and the output of one more run of the same process.

        Raises:
            LamaEdgeError: when it cannot be run, its process died, time ran out, or the target's
                clock went another way than this machine's.
        """

    @abstractmethod
    def memory(self, handle: Any, opening: Opening, image: Array, mask: Array) -> int | None:
        """Run a model there twice, untimed, and return its process's peak memory in bytes.

        Args:
            handle: from `push`.
            opening: how to open it.
            image: as for `measure`.
            mask: as for `measure`.

        Returns:
            Bytes; None where nothing tells.

        Raises:
            LamaEdgeError: as `measure` does.
        """

    @abstractmethod
    def sustain(
        self,
        handle: Any,
        opening: Opening,
        image: Array,
        mask: Array,
        seconds: float,
        step: Progress = untold,
    ) -> dict[str, Any]:
        """Run a model there without a pause, and time each run.

        Args:
            handle: from `push`.
            opening: how to open it.
            image: as for `measure`.
            mask: as for `measure`.
            seconds: for how long, after one run that is not counted.
            step: as for `measure`.

        Returns:
            ``asked_s``; ``at_s``, when each run began, in seconds after the first; ``samples_ms``;
            and ``watched``, what sensors said now and then: ``at_s``, ``clock_mhz``,
            ``temperature_c`` and ``throttled``, as `read_sensors` gives them.

        Raises:
            LamaEdgeError: as `measure` does.
        """

    @abstractmethod
    def sleep(self, sleeps_ms: Sequence[float]) -> dict[str, Any]:
        """Let the target's stopwatch measure sleeps, for the check of it.

        Args:
            sleeps_ms: two or more; the first is a warm-up.

        Returns:
            Of all but the first: ``samples_ms``, by the stopwatch, and ``slept_ms``, by the
            sleeper's own record in the wall clock's time.
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
