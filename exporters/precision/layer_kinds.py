"""The kinds of a generator's layers, told from their names: what a precision is chosen for."""

from __future__ import annotations

import re
from typing import Literal, get_args

LayerKind = Literal[
    "stem",
    "downsampling",
    "to local",
    "local to global",
    "reduce",
    "spectrum",
    "expand",
    "residual",
    "upsampling",
    "head",
]
LAYER_KINDS: tuple[LayerKind, ...] = get_args(LayerKind)

_PATTERNS: tuple[tuple[str, LayerKind], ...] = (
    (r"^stem\.", "stem"),
    (r"^down\d+\.", "downsampling"),
    (r"^up\d+\.", "upsampling"),
    (r"^head\.", "head"),
    (r"\.spectral\.reduce", "reduce"),
    (r"\.spectral\.expand", "expand"),
    (r"\.spectral\.", "spectrum"),
    (r"\.local_to_global(_product)?$", "local to global"),
    (r"\.(local|(local|global)_to_local(_product)?)$", "to local"),
    (r"^block\d+\.", "residual"),
)


def layer_kind(name: str) -> LayerKind:
    """Return the kind of the convolution or product of that name.

    Raises:
        ValueError: when no layer is named so.
    """
    for pattern, kind in _PATTERNS:
        if re.search(pattern, name):
            return kind
    raise ValueError(f"{name!r} is no layer of a generator")
