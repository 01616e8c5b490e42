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
from lama_edge.spec import SizePolicy

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
        """Return the text of the JSON file: a line for each case."""
        groups = (
            f"{json.dumps(name)}: [\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]"
            for name, cases in self.groups.items()
        )
        return "{\n" + ",\n".join(groups) + "\n}\n"


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


def policy_case(policy: SizePolicy) -> Case:
    """Describe the sizes that a model takes."""
    fixed = None if policy.fixed is None else [policy.fixed.height, policy.fixed.width]
    return {"fixed": fixed, "multiple": policy.multiple, "min_size": policy.min_size}


def kind_of(error: LamaEdgeError) -> str:
    """Return the name of an error's class, as the wrappers have it."""
    return next(name for kind, name in _KINDS if isinstance(error, kind))
