"""What executors of graphs share, whatever the file format: inputs, and how long values live."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

import lama_edge
from lama_edge.errors import ModelError, naming
from lama_edge.manifest import Manifest
from lama_edge.runtimes.base import (
    Array,
    Runner,
    ValueSeen,
    check_inputs,
    open_runner,
    runtimes_of,
)
from lama_edge.runtimes.registry import runtimes

Observer = Callable[[str, str, Array], None]


class ObservableRunner(Runner):
    """A runner whose graph shows its values; use it as a context manager, as every runner."""

    runtime_version = lama_edge.__version__
    provider = "emulated"

    def __init__(self, program: StepwiseProgram[Any], manifest: Manifest) -> None:
        self._program: StepwiseProgram[Any] | None = program
        self.manifest = manifest

    def __enter__(self) -> ObservableRunner:
        return self

    @property
    def program(self) -> StepwiseProgram[Any]:
        """The graph, for those who want to observe its values.

        Raises:
            ModelError: when the model is closed.
        """
        if self._program is None:
            raise ModelError("the model is closed")
        return self._program

    def run(self, image: Array, mask: Array) -> Array:
        """See `Runner.run`."""
        program, io = self.program, self.manifest.io
        check_inputs(io, self.manifest.size, image, mask)
        with naming(self.runtime.title):
            return program.run({io.image.name: image, io.mask.name: mask})[io.output.name]

    def close(self) -> None:
        """See `Runner.close`."""
        self._program = None


def open_observable(model: str | Path) -> ObservableRunner:
    """Open an exported model emulated, whatever its format.

    Args:
        model: see `open_runner`.

    Raises:
        ModelError: when nothing emulates it, or it cannot be opened, see `open_runner`.
    """
    emulator = next((one for one in runtimes_of(model) if one.is_emulator), None)
    if emulator is None:
        known = [suffix for one in runtimes() if one.is_emulator for suffix in one.suffixes]
        raise ModelError(f"only {' and '.join(known)} can be emulated, not {str(model)!r}")
    runner = open_runner(model, provider=emulator.providers[0])
    assert isinstance(runner, ObservableRunner)
    return runner


class Node(Protocol):
    """A step of a graph, as far as running it in its place depends on it."""

    @property
    def op(self) -> str:
        """Its operator."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the values it reads; empty for one left out."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the values it gives; empty for one left out."""


N = TypeVar("N", bound=Node)


@dataclass(frozen=True)
class Graph(Generic[N]):
    """A graph as a file holds it.

    Attributes:
        inputs: what has to be fed.
        outputs: what it gives.
        constants: by name; arrays, and the texts that an operator may take.
        nodes: in the order in which they run.
        metadata: the file's metadata entries, where the graph's file has some.
    """

    inputs: tuple[ValueSeen, ...]
    outputs: tuple[ValueSeen, ...]
    constants: Mapping[str, Any]
    nodes: Sequence[N]
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Step(Generic[N]):
    """A node, and the values that nothing needs once it has read them or given them."""

    node: N
    last_read: tuple[str, ...]
    unused: tuple[str, ...]


def plan(nodes: Sequence[N], kept: Iterable[str]) -> list[Step[N]]:
    """Return the steps of a graph with the end of each value's life.

    Args:
        nodes: in the order in which they run.
        kept: names of the values that live on: constants and outputs.
    """
    needed = set(kept)
    steps = []
    for node in reversed(nodes):
        unused = tuple(name for name in node.outputs if name and name not in needed)
        last_read = tuple(name for name in dict.fromkeys(node.inputs) if name not in needed)
        steps.append(Step(node, tuple(filter(None, last_read)), unused))
        needed.update(node.inputs)
    return steps[::-1]


def run_step(
    step: Step[N],
    constants: Mapping[str, Any],
    values: dict[str, Array],
    compute: Callable[[N, list[Any]], list[Array]],
    observe: Observer | None = None,
) -> None:
    """Run a node; its arguments that nothing reads later leave `values`, its results enter.

    Args:
        step: which.
        constants: those that it may read.
        values: what there is besides.
        compute: returns the results of a node and the list of its arguments, None for those left
            out, which it may empty to free them.
        observe: see `StepwiseProgram.run`.

    Raises:
        ModelError: when the node should give more than it does.
    """
    node = step.node
    arguments = [
        constants[name] if name in constants else values[name] if name else None
        for name in node.inputs
    ]
    # Before the node runs, so that a wide copy can take the place of a value.
    for name in step.last_read:
        del values[name]
    results = compute(node, arguments)
    if len(results) < len(node.outputs):
        raise ModelError(f"{node} gives {len(results)} values, not {len(node.outputs)}")
    for name, value in zip(node.outputs, results, strict=False):
        if not name:
            continue
        # What an identity gives has been shown already, or is a constant.
        if observe is not None and value.dtype.kind == "f" and node.op != "Identity":
            observe(name, node.op, value)
        if name not in step.unused:
            values[name] = value


class StepwiseProgram(ABC, Generic[N]):
    """A graph that runs step by step, each result rounded to its declared type.

    Attributes:
        input_types: the inputs' names, element types and shapes.
        output_types: the outputs'.
        operations: how many nodes it runs.
        metadata: the file's metadata entries.
    """

    def __init__(self, graph: Graph[N]) -> None:
        self.input_types, self.output_types = graph.inputs, graph.outputs
        self.operations, self.metadata = len(graph.nodes), graph.metadata
        self._constants = graph.constants
        kept = (*(value.name for value in graph.outputs), *graph.constants)
        self._steps = plan(graph.nodes, kept)

    def run(
        self, feeds: Mapping[str, Array], *, observe: Observer | None = None
    ) -> dict[str, Array]:
        """Run the graph.

        Args:
            feeds: an array for each input, of its type.
            observe: called with the name, the operator and the value of every floating-point
                result, in the graph's order, as soon as it is computed and rounded. The value has
                the declared type and must not be changed.

        Returns:
            An array for each output.

        Raises:
            ModelError: when the arrays do not fit, or an operator fails; the message names it.
        """
        values = _read_feeds(self.input_types, feeds)
        # What is not finite is found by those who look at the values.
        with np.errstate(all="ignore"):
            for step in self._steps:
                run_step(step, self._constants, values, self._compute, observe)
        known = {**self._constants, **values}
        return {value.name: np.array(known[value.name], order="C") for value in self.output_types}

    @abstractmethod
    def _compute(self, node: N, arguments: list[Any]) -> list[Array]:
        """Return what a node gives, see `run_step`."""


def _read_feeds(types: Sequence[ValueSeen], feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Return a copy of the array for each input.

    Raises:
        ModelError: when an array is missing, too many, or of another type or shape.
    """
    names = [value.name for value in types]
    if set(feeds) != set(names):
        given, wanted = ", ".join(sorted(feeds)), ", ".join(names)
        raise ModelError(f"the model takes {wanted or 'nothing'}, not {given or 'nothing'}")
    return {value.name: _fitting(value, feeds[value.name]) for value in types}


def _fitting(value: ValueSeen, array: Array) -> Array:
    if array.dtype != value.dtype:
        raise ModelError(f"{value.name} has dtype {array.dtype}; the model takes {value.dtype}")
    if not fits(value.shape, array.shape):
        wanted = ",".join("any" if side is None else str(side) for side in value.shape or ())
        raise ModelError(f"{value.name} has shape {array.shape}; the model takes [{wanted}]")
    return np.array(array)


def fits(declared: Sequence[object] | None, shape: Sequence[object]) -> bool:
    """Tell whether a shape is the declared one, as far as both go; None is an open extent."""
    return declared is None or (
        len(declared) == len(shape)
        and all(
            None in (ours, theirs) or ours == theirs
            for ours, theirs in zip(declared, shape, strict=True)
        )
    )
