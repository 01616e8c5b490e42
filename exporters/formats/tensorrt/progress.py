"""How far a TensorRT builder is, from the phases that it tells its monitor of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lama_edge.engines import Library

BuildProgress = Callable[[str, float], None]


@dataclass
class _Phase:
    parent: str | None
    steps: int
    done: int = 0


class BuildMonitor:
    """Follows the builder's phases, which are nested, and stops it when the user interrupts.

    Attributes:
        interrupted: whether the user did.
    """

    def __init__(self, report: BuildProgress) -> None:
        """Report to a function.

        Args:
            report: called with the phase's name and how much of the whole is done, 0 to 1; that
                never goes back.
        """
        self.interrupted = False
        self._report = report
        self._phases: dict[str, _Phase] = {}
        self._furthest = 0.0

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """Take note of a phase that begins."""
        self._phases[name] = _Phase(parent, max(1, steps))
        self._tell(name)

    def step(self, name: str, index: int) -> bool:
        """Take note of a step that is done; tell whether to go on."""
        if name in self._phases:
            self._phases[name].done = index + 1
            self._tell(name)
        return not self.interrupted

    def finish(self, name: str) -> None:
        """Take note of a phase that ends."""
        if name in self._phases:
            phase = self._phases[name]
            phase.done = phase.steps
            self._tell(name)
            del self._phases[name]

    def _tell(self, name: str) -> None:
        self._furthest = max(self._furthest, min(1.0, self._fraction(name)))
        try:
            self._report(name, self._furthest)
        except KeyboardInterrupt:
            # An exception must not pass through the builder, which is not Python.
            self.interrupted = True

    def _fraction(self, name: str) -> float:
        """Return how much of the outermost phase is done, a phase being one step of its parent."""
        phase = self._phases[name]
        done = phase.done / phase.steps
        seen = {name}
        while phase.parent in self._phases and phase.parent not in seen:
            seen.add(phase.parent)
            phase = self._phases[phase.parent]
            done = (min(phase.done, phase.steps - 1) + min(1.0, done)) / phase.steps
        return done


def library_monitor(library: Library, monitor: BuildMonitor) -> Any:
    """Return a monitor that the library's builder takes."""

    def guarded(call: Callable[..., Any]) -> Callable[..., Any]:
        """Keep the user's interruption, which can come at any line, for the builder's end."""

        def method(self: Any, *arguments: Any) -> Any:
            try:
                return call(*arguments)
            except KeyboardInterrupt:
                monitor.interrupted = True
                return False

        return method

    methods = {
        "phase_start": guarded(monitor.start),
        "step_complete": guarded(monitor.step),
        "phase_finish": guarded(monitor.finish),
    }
    return type("LibraryMonitor", (library.module.IProgressMonitor,), methods)()
