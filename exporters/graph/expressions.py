"""Arithmetic on small values of a graph, written like arithmetic on arrays.

Where a graph takes any size, what depends on the size is made by nodes: indices, and the matrices
of transforms. Written node by node, their formulas cannot be read.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lama_edge.errors import needs_extra
from lama_edge.exporters.graph.builder import GraphBuilder

with needs_extra("export"):
    import onnx_ir as ir

_TYPES = {
    "int64": ir.DataType.INT64,
    "float32": ir.DataType.FLOAT,
    "float64": ir.DataType.DOUBLE,
}


class Expression:
    """A value of the graph of known type; scalars are arrays [1], and arrays broadcast.

    Attributes:
        value: the graph's value.
        dtype: ``int64``, ``float32`` or ``float64``.
    """

    def __init__(self, builder: GraphBuilder, value: ir.Value, dtype: str = "int64") -> None:
        self._builder = builder
        self.value = value
        self.dtype = dtype

    def __add__(self, other: Operand) -> Expression:
        """Add."""
        return self.node("Add", other)

    def __sub__(self, other: Operand) -> Expression:
        """Subtract."""
        return self.node("Sub", other)

    def __mul__(self, other: Operand) -> Expression:
        """Multiply."""
        return self.node("Mul", other)

    def __truediv__(self, other: Operand) -> Expression:
        """Divide numbers with fractions."""
        return self.node("Div", other)

    def __floordiv__(self, other: Operand) -> Expression:
        """Divide integers that are not negative."""
        return self.node("Div", other)

    def __mod__(self, other: Operand) -> Expression:
        """Return the rest of dividing integers."""
        return self.node("Mod", other)

    def __neg__(self) -> Expression:
        """Negate."""
        return self.node("Neg")

    def tiles(self, side: int) -> Expression:
        """Return how many tiles of a side cover integers from 0 to these."""
        return (self + (side - 1)) // side

    def reflected(self, length: Expression) -> Expression:
        """Return positions of an axis in the place of those up to its length beyond its ends."""
        last = length - 1
        inside = last - (last - self.node("Abs")).node("Abs")
        return inside.node("Max", 0)

    def off_balance(self) -> Expression:
        """Return x + 1/x, which is least where a share is 1."""
        return self + self.node("Reciprocal")

    def steps(self) -> Expression:
        """Return 0, 1, … up to this integer, which is left out."""
        builder = self._builder
        zero, one = (
            builder.shared(f"int64_scalar_{n}", np.array(n, dtype=np.int64)) for n in (0, 1)
        )
        return self._made("Range", zero, self.node("Squeeze").value, one)

    def apart(self, *axes: int) -> Expression:
        """Insert axes of extent 1, at these places of the result."""
        return self._made("Unsqueeze", self.value, self._builder.integers(*axes))

    def shaped(self, *extents: int | Expression) -> Expression:
        """View as an array of these extents."""
        parts = [each.value if isinstance(each, Expression) else each for each in extents]
        shape = self._builder.extents(self._role("shape"), *parts)
        return self._made("Reshape", self.value, shape)

    def moved(self, *axes: int) -> Expression:
        """Put the axes in this order."""
        return self.node("Transpose", perm=axes)

    def as_type(self, dtype: str) -> Expression:
        """Convert."""
        return self.node("Cast", dtype=dtype, to=int(_TYPES[dtype]))

    def where(self, condition: ir.Value, other: Operand) -> Expression:
        """Keep what meets a condition, and take `other` elsewhere."""
        return self._made("Where", condition, self.value, self._operand(other))

    def equals(self, other: Operand) -> ir.Value:
        """Return which elements are equal, a bool value."""
        name = self._role("equal")
        return self._builder.op("Equal", name, self.value, self._operand(other))

    def node(
        self, op_type: str, *others: Operand, dtype: str | None = None, **attributes: Any
    ) -> Expression:
        """Apply an operator to this and to other operands."""
        operands = [self._operand(other) for other in others]
        return self._made(op_type, self.value, *operands, dtype=dtype, **attributes)

    def _made(
        self, op_type: str, *inputs: ir.Value, dtype: str | None = None, **attributes: Any
    ) -> Expression:
        name = self._role(op_type.lower())
        value = self._builder.op(op_type, name, *inputs, **attributes)
        return Expression(self._builder, value, dtype or self.dtype)

    def _operand(self, other: Operand) -> ir.Value:
        if isinstance(other, Expression):
            return other.value
        name = f"{self.dtype}_{other}".replace("-", "m").replace(".", "p")
        return self._builder.shared(name, np.array([other], dtype=self.dtype))

    def _role(self, word: str) -> str:
        return self._builder.numbered(word)


Operand = Expression | int | float


def extent(builder: GraphBuilder, x: ir.Value, axis: int) -> Expression:
    """Return how long an axis of `x` is, int64 [1]."""
    name = builder.numbered("extent")
    return Expression(builder, builder.op("Shape", name, x, start=axis, end=axis + 1))


def stacked(parts: list[Expression], axis: int) -> Expression:
    """Join expressions of one shape along a new axis."""
    builder = parts[0]._builder
    values = [part.apart(axis).value for part in parts]
    joined = builder.op("Concat", builder.numbered("stacked"), *values, axis=axis)
    return Expression(builder, joined, parts[0].dtype)


def best_divisor(number: Expression, cost: Expression, candidates: Expression) -> Expression:
    """Return the divisor of an integer that costs least.

    Args:
        number: int64 [1], n.
        cost: float32 [n], of 1, 2, … n.
        candidates: int64 [n], 1, 2, … n.
    """
    divides = (number % candidates).equals(0)
    possible = cost.where(divides, 1e30)
    return possible.node("ArgMin", dtype="int64", axis=0) + 1
