"""Memory for maps and pieces that is used again instead of being returned to the system."""

from __future__ import annotations

from typing import Any

import numpy as np

from lama_edge.runtimes.base import Array


class Workspace:
    """Arrays that were used and can be used again.

    Fresh memory costs about as much as the copy that goes into it, and a picture's maps come in a
    handful of shapes again and again.
    """

    def __init__(self) -> None:
        self._spare: list[Array] = []
        self._buffers: dict[tuple[int, Any], Array] = {}

    def give_back(self, array: Array) -> None:
        """Take an array whose content may be written over."""
        self._spare.append(array)

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Return an array of any content: the one given back last of this shape, or a new one."""
        for index in reversed(range(len(self._spare))):
            if self._spare[index].shape == shape and self._spare[index].dtype == dtype:
                return self._spare.pop(index)
        return np.empty(shape, dtype)

    def contiguous(self, slot: int, view: Array) -> Array:
        """Return a view's elements in one stretch, valid until the next call for this slot."""
        if view.flags.c_contiguous:
            return view
        buffer = self._buffers.get((slot, view.dtype))
        if buffer is None or buffer.size < view.size:
            buffer = self._buffers[slot, view.dtype] = np.empty(view.size, view.dtype)
        copy = buffer[: view.size].reshape(view.shape)
        np.copyto(copy, view)
        return copy
