"""How the shared vectors are written: lines of JSON that point into a file of plain arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lama_edge.errors import LamaEdgeError, ModelError, PictureError, UsageError
from lama_edge.runtimes.base import Array
from lama_edge.runtimes.vectors.model import Rectangle

# Raised whenever a wrapper written for the last one would misread the files.
VERSION = 3

Case = dict[str, Any]
_KINDS = ((UsageError, "usage"), (ModelError, "model"), (PictureError, "picture"))


@dataclass(frozen=True)
class Topic:
    """One file of vectors.

    Attributes:
        name: of the files, without suffix.
        groups: the cases by what they show, as plain data.
        data: the arrays that the cases point into; empty when there are none.
    """

    name: str
    groups: Mapping[str, Sequence[Case]]
    data: bytes = b""

    def to_json(self) -> str:
        """Return the text of the JSON file: the version, and a line for each case."""
        groups = (
            f"{json.dumps(name)}: [\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]"
            for name, cases in self.groups.items()
        )
        return "{\n" + ",\n".join((f'"version": {VERSION}', *groups)) + "\n}\n"


def put(data: bytearray, array: Array) -> Case:
    """Append an array to the data and return where it is; booleans become 0 and 1."""
    array = array.astype(np.uint8) if array.dtype == np.bool_ else array
    reference = {"at": len(data), "shape": list(array.shape), "dtype": str(array.dtype)}
    data += array.astype(array.dtype.newbyteorder("<")).tobytes()
    return reference


def picture_case(seed: int, height: int, width: int, kind: str) -> Case:
    """Describe a picture of noise."""
    return {"seed": seed, "height": height, "width": width, "format": kind}


def mask_case(height: int, width: int, holes: Sequence[Rectangle]) -> Case:
    """Describe a mask by its rectangles."""
    return {"height": height, "width": width, "holes": holes}


def refusal(error: LamaEdgeError) -> Case:
    """Describe an error by the name of its class, as the wrappers have it, and by its code."""
    return {
        "error": next(name for kind, name in _KINDS if isinstance(error, kind)),
        "code": error.code,
    }
