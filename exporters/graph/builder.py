"""A thin layer over onnx-ir: named scopes, shared constants, one call per operator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import CheckpointError, needs_extra
from lama_edge.stages import StageKind

with needs_extra("export"):
    import onnx_ir as ir

Attribute = int | float | str | Sequence[int] | Sequence[float]


@dataclass(frozen=True)
class RecordedStage:
    """A part of the graph that can run piece by piece; fields as in `lama_edge.stages.Stage`."""

    kind: StageKind
    inputs: tuple[ir.Value, ...]
    outputs: tuple[ir.Value, ...]
    pointwise: tuple[ir.Value, ...]
    halo: tuple[int, int]
    align: int
    like: tuple[ir.Value, ...]


def check_finite(name: str, array: NDArray[Any]) -> None:
    """Refuse a graph's weights that are not finite, or not in the graph's number format.

    Raises:
        CheckpointError: naming the weights and the first such value.
    """
    wrong = array[~np.isfinite(array)]
    if wrong.size:
        raise CheckpointError(
            f"the graph's {name} would hold {wrong.size} of {array.size} values that {array.dtype} "
            f"does not hold ({wrong.flat[0]} is the first): the checkpoint's weights are too large "
            "there, or damaged"
        )


class GraphBuilder:
    """Collects nodes and constants in order; every value gets a stable, readable name.

    Names are the scope's path and the operator's role, such as ``block03.conv1.local.conv``, so
    that the same architecture always gives the same names.

    Attributes:
        opset: version of ONNX's default operator set.
        stages: the parts recorded by `stage`, in order.
    """

    def __init__(self, opset: int) -> None:
        self.opset = opset
        self.stages: list[RecordedStage] = []
        self._nodes: list[ir.Node] = []
        self._constants: dict[str, ir.Value] = {}
        self._names: set[str] = set()
        self._counts: dict[str, int] = {}
        self._own_constants: list[ir.Value] | None = None
        self._scope: list[str] = []

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Prefix the names made inside the block."""
        self._scope.append(name)
        try:
            yield
        finally:
            self._scope.pop()

    def constant(self, role: str, array: NDArray[Any]) -> ir.Value:
        """Add an initializer under the current scope."""
        value = self._add_constant(self._path(role), array)
        if self._own_constants is not None:
            self._own_constants.append(self._constants.pop(str(value.name)))
        return value

    def shared(self, name: str, array: NDArray[Any]) -> ir.Value:
        """Add an initializer that the whole graph shares, or return it when it exists."""
        return self._constants.get(name) or self._add_constant(name, array)

    def integers(self, *values: int) -> ir.Value:
        """Return a shared one-dimensional int64 constant."""
        name = "int64_" + "_".join(str(value).replace("-", "m") for value in values)
        return self.shared(name, np.asarray(values, dtype=np.int64))

    def op(
        self, op_type: str, role: str, *inputs: ir.Value | None, **attributes: Attribute
    ) -> ir.Value:
        """Append a node with one output and return it.

        Args:
            op_type: ONNX operator of the default domain.
            role: last part of the node's and the output's name.
            *inputs: the operator's inputs; None leaves an optional one out.
            **attributes: the operator's attributes.
        """
        name = self._claim(self._path(role))
        node = ir.node(op_type, list(inputs), attributes, name=name)
        node.outputs[0].name = name
        self._nodes.append(node)
        return node.outputs[0]

    def scan(
        self,
        role: str,
        indices: Sequence[ir.Value],
        maps: Sequence[ir.Value],
        body: Callable[..., Sequence[ir.Value]],
        *,
        own_constants: bool = False,
    ) -> tuple[ir.Value, ...]:
        """Append a `Scan`: nodes that run once for each element of their inputs' first axes.

        Args:
            role: last part of the node's name, and first of its outputs'.
            indices: int64 inputs, alike in their first extents.
            maps: float32 inputs, of the same first extents.
            body: appends the nodes that take one element of each input, without the first axis;
                it may read any other value of the graph, and returns float32 results.
            own_constants: whether what `constant` adds belongs to the loop. ONNX Runtime lays out
                the weights of convolutions anew only where they lie beside them.

        Returns:
            The results of all elements, joined along a new first axis.
        """
        name = self._claim(self._path(role))
        types = [ir.DataType.INT64] * len(indices) + [ir.DataType.FLOAT] * len(maps)
        parts = [
            ir.val(self._claim(f"{name}.in{number}"), type=ir.TensorType(data_type))
            for number, data_type in enumerate(types)
        ]
        around, self._nodes = self._nodes, []
        outside, self._own_constants = self._own_constants, [] if own_constants else None
        try:
            results = list(body(*parts))
            nodes, constants = self._nodes, self._own_constants or []
        finally:
            self._nodes, self._own_constants = around, outside
        for result in results:
            result.type = ir.TensorType(ir.DataType.FLOAT)
        node = ir.node(
            "Scan",
            [*indices, *maps],
            {
                "body": ir.Graph(
                    parts, results, nodes=nodes, initializers=constants, name=f"{name}.body"
                ),
                "num_scan_inputs": len(parts),
            },
            num_outputs=len(results),
            name=name,
        )
        for number, output in enumerate(node.outputs):
            output.name = self._claim(f"{name}.out{number}")
        self._nodes.append(node)
        return tuple(node.outputs)

    def numbered(self, word: str) -> str:
        """Return a role that is not taken in this scope: the word and a number."""
        name = self._path(word)
        self._counts[name] = self._counts.get(name, 0) + 1
        return f"{word}{self._counts[name]}"

    def extents(self, role: str, *extents: int | ir.Value) -> ir.Value:
        """Return a shape, int64 [rank], of numbers and of values [1]."""
        parts: list[ir.Value] = []
        numbers: list[int] = []
        for extent in extents:
            if isinstance(extent, int):
                numbers.append(extent)
                continue
            parts += [self.integers(*numbers)] * bool(numbers)
            parts.append(extent)
            numbers = []
        parts += [self.integers(*numbers)] * bool(numbers)
        return parts[0] if len(parts) == 1 else self.op("Concat", role, *parts, axis=0)

    def stage(
        self,
        kind: StageKind,
        inputs: Sequence[ir.Value],
        outputs: Sequence[ir.Value],
        *,
        pointwise: Sequence[ir.Value] = (),
        halo: tuple[int, int] = (0, 0),
        align: int = 1,
        like: tuple[ir.Value, ...] = (),
    ) -> None:
        """Record that the graph between some of its values can run piece by piece.

        Args:
            kind: how it is cut, see `lama_edge.stages.Stage`.
            inputs: values that it reads with the halo.
            outputs: values that it gives.
            pointwise: values that it reads without one.
            halo: (before, after), in cells.
            align: see `lama_edge.stages.Stage`.
            like: see `lama_edge.stages.Stage`; of no use where the stage reads
                the first value itself.
        """
        values = tuple(inputs), tuple(outputs), tuple(pointwise)
        if like[:1] and like[0] in (*inputs, *pointwise):
            like = ()
        self.stages.append(RecordedStage(kind, *values, halo, align, like))

    def build(
        self,
        inputs: Sequence[ir.Value],
        output: ir.Value,
        *,
        name: str,
        ir_version: int,
    ) -> ir.Model:
        """Return the finished model.

        Args:
            inputs: graph inputs, typed and shaped.
            output: the graph's one output, typed and shaped.
            name: the graph's name.
            ir_version: version of the file format, see `onnx.helper.find_min_ir_version_for`.
        """
        graph = ir.Graph(
            list(inputs),
            [output],
            nodes=self._nodes,
            initializers=[value for value in self._constants.values() if value.uses()],
            opset_imports={"": self.opset},
            name=name,
        )
        return ir.Model(graph, ir_version=ir_version, producer_name="lama-edge")

    def _path(self, role: str) -> str:
        return ".".join([*self._scope, role])

    def _claim(self, name: str) -> str:
        if name in self._names:
            raise ValueError(f"two values of the graph are named {name!r}")
        self._names.add(name)
        return name

    def _add_constant(self, name: str, array: NDArray[Any]) -> ir.Value:
        self._claim(name)
        if array.dtype.kind == "f":
            check_finite(name, array)
        value = ir.val(name, const_value=ir.tensor(np.asarray(array, order="C"), name=name))
        self._constants[name] = value
        return value
