"""A model's inputs and outputs as an app sees them: arrays, and pictures of 8 bits a channel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lama_edge.errors import ModelError, shown
from lama_edge.runtimes.base import Array, ValueSeen
from lama_edge.runtimes.emulator.execution import fits

# Channels by ColorSpace, as coremltools' mlmodel/format/FeatureTypes.proto numbers it.
_CHANNELS = {10: 1, 20: 3}
# ArrayDataType in the same file.
_ARRAYS = {65568: "float32", 65552: "float16", 131104: "int32", 131080: "int8"}


@dataclass(frozen=True)
class Feature(ValueSeen):
    """An input or output of a model, named as in the program; see `ValueSeen`.

    Its element type and shape are those of the array that stands for it: pictures are uint8
    [1,H,W,channels], and None is an extent that is open.

    Attributes:
        channels: of a picture, grey or RGB; None for an array.
        held: element type of the program's own value, by numpy's name.
        ranges: the least and largest extent of each axis that is open, by axis; a program takes
            more than Core ML lets pass.
    """

    shape: tuple[object, ...]
    channels: int | None
    held: str
    ranges: Mapping[int, tuple[int, int]]

    def fed(self, array: Array) -> Array:
        """Return what the program is fed: of a picture its levels, 0 to 255, [1,channels,H,W].

        That is what Core ML does with a picture for an ML program; the scale that
        coremltools' ``ImageType`` is given stands in the program itself.

        Raises:
            ModelError: for a picture of another type or shape, or an extent out of range.
        """
        for axis, (least, largest) in self.ranges.items():
            if axis < array.ndim and not least <= array.shape[axis] <= largest:
                raise ModelError(
                    f"{self.name} is {array.shape}; the model takes {least} to {largest} along "
                    f"axis {axis}"
                )
        if self.channels is None:
            return array
        if array.dtype != np.uint8 or not fits(self.shape, array.shape):
            wanted = ",".join("any" if side is None else str(side) for side in self.shape)
            raise ModelError(
                f"{self.name} is {array.dtype} {array.shape}; the model takes a picture, uint8 "
                f"[{wanted}]"
            )
        return np.ascontiguousarray(array.transpose(0, 3, 1, 2), dtype=self.held)

    def given(self, array: Array) -> Array:
        """Return what an app gets: of a picture its levels, clipped and rounded to the nearest."""
        if self.channels is None:
            return array
        levels = np.rint(np.nan_to_num(array.astype(np.float32)))
        return np.ascontiguousarray(np.clip(levels, 0, 255).transpose(0, 2, 3, 1), dtype=np.uint8)


def read_features(protos: Any, values: tuple[ValueSeen, ...], what: str) -> tuple[Feature, ...]:
    """Read the description of a function's inputs or outputs.

    Args:
        protos: coremltools' ``FeatureDescription`` messages.
        values: the program's own inputs or outputs.
        what: ``input`` or ``output``, for messages.

    Raises:
        ModelError: when the description and the program contradict each other, or describe
            something other than arrays and pictures.
    """
    by_name = {value.name: value for value in values}
    described = [str(proto.name) for proto in protos]
    if len(set(described)) != len(described) or set(described) != set(by_name):
        raise ModelError(
            f"the description has the {what}s {', '.join(map(shown, described)) or 'none'}, the "
            f"program {', '.join(map(shown, by_name)) or 'none'}"
        )
    return tuple(_feature(proto, by_name[proto.name], what) for proto in protos)


def _feature(proto: Any, value: ValueSeen, what: str) -> Feature:
    where = f"the {what} {shown(value.name)}"
    kind = proto.type.WhichOneof("Type")
    held, shape = value.dtype, tuple(value.shape or ())
    if kind == "multiArrayType":
        array = proto.type.multiArrayType
        dtype = _ARRAYS.get(array.dataType)
        fixed = array.WhichOneof("ShapeFlexibility") is None and len(array.shape) > 0
        if dtype != held or (fixed and not fits(tuple(array.shape), shape)):
            described = f"{dtype or array.dataType} {list(array.shape)}"
            raise ModelError(f"{where} is described as {described}, the program has {held} {shape}")
        limits = _limits(enumerate(array.shapeRange.sizeRanges), shape)
        return Feature(value.name, held, shape, None, held, limits)
    if kind != "imageType":
        raise ModelError(f"{where} is {kind or 'of no type'}; it has arrays and images")
    image = proto.type.imageType
    channels = _CHANNELS.get(image.colorSpace)
    if channels is None:
        raise ModelError(f"{where} has the colour space {image.colorSpace}; it has 8-bit ones")
    fixed = image.WhichOneof("SizeFlexibility") is None
    sides = (int(image.height), int(image.width)) if fixed else (None, None)
    if len(shape) != 4 or not fits((1, channels, *sides), shape):
        raise ModelError(
            f"{where} is described as an image of {image.height}x{image.width} with "
            f"{channels} channels, the program has {held} {shape}"
        )
    seen = (1, *shape[2:], channels)
    sizes = image.imageSizeRange
    limits = _limits(((1, sizes.heightRange), (2, sizes.widthRange)), seen)
    return Feature(value.name, "uint8", seen, channels, held, limits)


def _limits(
    protos: Iterable[tuple[int, Any]], shape: tuple[object, ...]
) -> dict[int, tuple[int, int]]:
    """Return the ranges of the open axes; an upper bound below 0 stands for none, as 0 does."""
    return {
        axis: (int(proto.lowerBound), int(proto.upperBound))
        for axis, proto in protos
        if axis < len(shape) and shape[axis] is None and proto.upperBound > 0
    }
