"""Element types and shapes of values in ML programs, and what the interpreter holds them in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from lama_edge.errors import ModelError
from lama_edge.runtimes.emulator.execution import fits

# 2 GiB in float32, twice 64 channels of 2048 x 2048 pixels: a stranger's file shall not fill the
# memory.
MAX_ELEMENTS = 2**29


@dataclass(frozen=True)
class Element:
    """An element type of ML programs.

    Attributes:
        name: as MIL spells it, such as ``fp16`` or ``uint4``.
        bits: how many a stored element takes.
        storage: the type in which the interpreter holds it; it loses nothing.
    """

    name: str
    bits: int
    storage: np.dtype[Any]


BOOL = Element("bool", 8, np.dtype("bool"))
STRING = Element("string", 0, np.dtype("uint8"))
FP16 = Element("fp16", 16, np.dtype("float16"))
FP32 = Element("fp32", 32, np.dtype("float32"))
INT32 = Element("int32", 32, np.dtype("int32"))
# By number: DataType in coremltools' mlmodel/format/MIL.proto.
_BY_CODE = {
    1: BOOL,
    2: STRING,
    10: FP16,
    11: FP32,
    21: Element("int8", 8, np.dtype("int8")),
    23: INT32,
    31: Element("uint8", 8, np.dtype("uint8")),
    33: Element("uint32", 32, np.dtype("int64")),
    35: Element("uint4", 4, np.dtype("uint8")),
    38: Element("uint6", 6, np.dtype("uint8")),
}


@dataclass(frozen=True)
class TensorType:
    """What a program declares of a value.

    Attributes:
        element: its element type.
        shape: its extents, None for one that is open.
    """

    element: Element
    shape: tuple[int | None, ...]

    def check(self, shape: tuple[int, ...]) -> None:
        """Refuse another shape than the declared one, or one that is too large to compute.

        Raises:
            ValueError: saying so.
        """
        if not fits(self.shape, shape):
            declared = ["any" if side is None else side for side in self.shape]
            raise ValueError(f"the result is {list(shape)}, the program declares {declared}")
        if math.prod(shape) > MAX_ELEMENTS:
            raise ValueError(f"a result of {list(shape)} is too large")


def read_type(proto: Any, where: str) -> TensorType:
    """Read a ``ValueType`` message.

    Args:
        proto: the message.
        where: names what is declared, for messages.

    Raises:
        ModelError: when it is no tensor, of an element type that the interpreter does not have,
            contradicts itself, or is too large.
    """
    kind = proto.WhichOneof("type")
    if kind != "tensorType":
        named = "of no type" if kind is None else f"a {kind.removesuffix('Type')}"
        raise ModelError(f"{where} is {named}; the interpreter has tensors only")
    tensor = proto.tensorType
    if tensor.dataType not in _BY_CODE:
        known = ", ".join(element.name for element in _BY_CODE.values())
        raise ModelError(
            f"{where} has the element type {tensor.dataType}; the interpreter has {known}"
        )
    sides: list[int | None] = []
    for dimension in tensor.dimensions:
        if dimension.WhichOneof("dimension") == "constant":
            sides.append(int(dimension.constant.size))
        elif dimension.unknown.variadic:
            raise ModelError(f"{where} is of any rank; the interpreter has given ones only")
        else:
            sides.append(None)
    if tensor.rank not in (len(sides), -1):
        raise ModelError(f"{where} has rank {tensor.rank} and {len(sides)} dimensions")
    if math.prod(side for side in sides if side is not None) > MAX_ELEMENTS:
        raise ModelError(f"{where} has the shape {sides}, which is too large")
    return TensorType(_BY_CODE[tensor.dataType], tuple(sides))
