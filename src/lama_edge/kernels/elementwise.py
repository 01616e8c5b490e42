"""Shares functions of single elements among threads."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.kernels.threads import shared

Array = NDArray[Any]

# Elements that are computed at a time: what a function makes on the way stays in the cache.
_BLOCK = 1 << 16
# Of an axis whose parts are as good as equal shares for a few threads.
_LONG = 16


def elementwise(function: Callable[..., Array], *arrays: Array) -> Array:
    """Apply a function to elements, as broadcasting pairs them; NumPy alone would use one core.

    Args:
        function: a ufunc, or whatever returns an array of its arguments' common shape, each
            element from theirs alone. Large arrays are handed over in parts.
        *arrays: at least one; not plain numbers, whose type would depend on the others'.

    Returns:
        An array of the common shape, and of the type that `function` gives.

    Raises:
        ValueError: when the shapes do not broadcast.
    """
    shape = np.broadcast_shapes(*(array.shape for array in arrays))
    elements = math.prod(shape)
    if elements <= _BLOCK:
        return np.asarray(function(*arrays))
    dtype = function(*(np.empty(0, array.dtype) for array in arrays)).dtype
    # As NumPy does: laid out as what it is computed from.
    model = next((array for array in arrays if array.shape == shape), None)
    out = np.empty(shape, dtype) if model is None else np.empty_like(model, dtype)
    # The outermost axis that is long enough to share; parts of it are long runs of memory.
    long = (axis for axis, side in enumerate(shape) if side >= _LONG)
    axis = max(long, key=lambda axis: out.strides[axis], default=0)
    parts = [np.moveaxis(np.broadcast_to(array, shape), axis, 0) for array in arrays]
    into = np.moveaxis(out, axis, 0)
    step = max(1, _BLOCK * len(into) // elements)

    def compute(share: slice) -> None:
        for first in range(share.start, share.stop, step):
            block = slice(first, min(first + step, share.stop))
            into[block] = function(*(part[block] for part in parts))

    def compute_in_place(share: slice) -> None:
        function(*(part[share] for part in parts), out=into[share])

    in_place = isinstance(function, np.ufunc)
    shared(compute_in_place if in_place else compute, len(into), elements)
    return out
