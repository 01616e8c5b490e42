"""What is chosen for a package, without coremltools: precisions, targets, names of functions."""

from __future__ import annotations

from collections.abc import Sequence

from lama_edge.manifest import Manifest
from lama_edge.spec import IoSpec, Precision, Size, io_spec

PACKAGE_PRECISIONS = ("fp32", "fp16", "w8", "pal6", "pal4")
TARGETS = ("iOS16", "iOS17", "iOS18")
# The first one that knows several functions in a package.
MULTIFUNCTION_TARGET = "iOS18"
# A range needs an end. 2048 x 2048 is 4 GiB of maps at full resolution already.
MAX_DYNAMIC_SIDE = 2048
# Weights of the other precisions are stored in the format that they are computed with.
WEIGHT_BITS = {"w8": 8, "pal6": 6, "pal4": 4}


def arithmetic_of(precision: str) -> Precision:
    """Return the number format that a package's arithmetic is done in."""
    return "fp32" if precision == "fp32" else "fp16"


def graph_form(io: IoSpec) -> IoSpec:
    """Return the form that the deploy graph for a package is built in."""
    return io_spec("uint8", composite=io.composite) if io.form == "image" else io


def function_name(size: Size) -> str:
    """Return the name of a size's function in a package of several."""
    return f"size_{size}"


def by_function(manifests: Sequence[Manifest]) -> dict[str, Manifest]:
    """Return manifests by the names of their functions in a package."""
    if len(manifests) == 1:
        return {"main": manifests[0]}
    return {function_name(one.size.fixed): one for one in manifests if one.size.fixed}
