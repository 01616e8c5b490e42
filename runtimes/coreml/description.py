"""What a Core ML package says of one of its functions, read without its weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lama_edge.errors import ModelError, shown
from lama_edge.manifest import Manifest
from lama_edge.runtimes.base import ValueSeen, read_manifest
from lama_edge.runtimes.coreml.interpreter.package import read_package

_CHANNELS = {"GRAYSCALE": 1, "RGB": 3, "BGR": 3}


@dataclass(frozen=True)
class PackageDescription:
    """What a package says of a function.

    Attributes:
        function: its name.
        functions: the names of all, the default one first.
        manifest: the function's own; its inputs and outputs were compared with the package's.
        operations: how often each op type occurs in it, constants aside, the commonest first.
    """

    function: str
    functions: tuple[str, ...]
    manifest: Manifest
    operations: Mapping[str, int]


def describe_package(path: Path, function: str | None = None) -> PackageDescription:
    """Read what a package says of one of its functions.

    Args:
        path: the ``.mlpackage`` folder.
        function: which one; None is the default one.

    Raises:
        ModelError: when the package is damaged, has no such function, carries no manifest, or has
            other inputs and outputs than its manifest says.
        MissingBackendError: when coremltools is not installed.
    """
    package = read_package(path, function)
    chosen, own = package.function, package.description
    programs = package.specification.mlProgram.functions
    if chosen not in programs:
        raise ModelError(f"{str(path)!r} has no function {shown(chosen)}, though it describes one")
    manifest = read_manifest(
        path,
        package.manifest,
        inputs=[value_seen(one) for one in own.input],
        outputs=[value_seen(one) for one in own.output],
    )
    return PackageDescription(chosen, package.functions, manifest, _operations(programs[chosen]))


def value_seen(feature: Any) -> ValueSeen:
    """Return an input or output as a runner feeds or gives it.

    Args:
        feature: coremltools' ``FeatureDescription`` message; a picture becomes uint8
            [1,H,W,channels].

    Raises:
        ModelError: when it is neither an array nor a picture of 8 bits a channel.
    """
    kind = feature.type.WhichOneof("Type")
    if kind == "multiArrayType":
        array = feature.type.multiArrayType
        fixed = len(array.shape) > 0 and array.WhichOneof("ShapeFlexibility") is None
        return ValueSeen(
            str(feature.name),
            _named(array.ArrayDataType, array.dataType).lower(),
            tuple(array.shape) if fixed else None,
        )
    if kind != "imageType":
        raise ModelError(
            f"{shown(feature.name)} is {kind or 'of no type'}; known are arrays and images"
        )
    image = feature.type.imageType
    space = _named(image.ColorSpace, image.colorSpace)
    if space not in _CHANNELS:
        raise ModelError(
            f"{shown(feature.name)} is an image in {space}; known: {', '.join(_CHANNELS)}"
        )
    fixed = image.WhichOneof("SizeFlexibility") is None
    shape = (1, int(image.height), int(image.width), _CHANNELS[space])
    return ValueSeen(str(feature.name), "uint8", shape if fixed else None)


def _named(enumeration: Any, number: int) -> str:
    """Return the name of a number, which a file may have made up."""
    known = number in enumeration.values()
    return str(enumeration.Name(number)) if known else f"number {number}"


def is_work(op_type: str) -> bool:
    """Tell whether an operation computes anything once its model is loaded.

    Args:
        op_type: such as ``conv``; ``const`` and what unfolds to a constant are no work.
    """
    return op_type != "const" and not op_type.startswith("constexpr_")


def _operations(function: Any) -> dict[str, int]:
    """Count a function's operations by type."""
    block = function.block_specializations[function.opset]
    types = (str(operation.type) for operation in block.operations)
    return dict(Counter(filter(is_work, types)).most_common())
