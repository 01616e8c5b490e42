"""Where the holes of a mask are, and the windows of a picture that a model shall see."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from lama_edge.imaging import Hole

MIN_CONTEXT = 128
_CELL = 32


@dataclass(frozen=True, order=True)
class Box:
    """A rectangle of pixels; `bottom` and `right` are the first row and column outside."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the box in an array [H,W,…]."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def within(self, outer: Box) -> tuple[slice, slice]:
        """Index of the box in an array that holds only `outer`."""
        return (
            slice(self.top - outer.top, self.bottom - outer.top),
            slice(self.left - outer.left, self.right - outer.left),
        )

    def overlaps(self, other: Box) -> bool:
        """Whether the two share a pixel."""
        return (
            self.top < other.bottom
            and other.top < self.bottom
            and self.left < other.right
            and other.left < self.right
        )

    def grown_to(self, height: int, width: int, picture: Box) -> Box:
        """Return a box round this one of at least that size, as far as `picture` allows."""
        top, bottom = _grown(self.top, self.bottom, height, picture.bottom)
        left, right = _grown(self.left, self.right, width, picture.right)
        return Box(top, left, bottom, right)


def hole_windows(hole: Hole, *, min_context: int = MIN_CONTEXT) -> tuple[Box, ...]:
    """Return windows that hold every hole pixel with context round it, no two overlapping.

    A window is a hole's box and, on each side where the picture has it, a margin of the box's
    larger side, at least `min_context`. Windows that overlap are replaced by the box round
    both until none do. Pieces of a hole in the same or in neighbouring cells of a 32-pixel
    grid count as one.

    Args:
        hole: bool [H,W].
        min_context: smallest margin in pixels.

    Returns:
        From top to bottom; none when there is no hole.
    """
    windows: list[Box] = []
    for box in _separate_holes(_cell_boxes(hole)):
        margin = max(min_context, box.height, box.width)
        window = Box(
            max(0, box.top - margin),
            max(0, box.left - margin),
            min(hole.shape[0], box.bottom + margin),
            min(hole.shape[1], box.right + margin),
        )
        while hits := [other for other in windows if other.overlaps(window)]:
            windows = [other for other in windows if other not in hits]
            window = _box_round([window, *hits])
        windows.append(window)
    return tuple(sorted(windows))


def _cell_boxes(hole: Hole) -> dict[tuple[int, int], Box]:
    height, width = hole.shape
    rows, columns = math.ceil(height / _CELL), math.ceil(width / _CELL)
    padded = np.pad(hole, ((0, rows * _CELL - height), (0, columns * _CELL - width)))
    cells = padded.reshape(rows, _CELL, columns, _CELL)
    down = np.asarray(np.any(cells, axis=3)).swapaxes(1, 2)
    across = np.asarray(np.any(cells, axis=1))
    first_down, first_across = down.argmax(axis=2), across.argmax(axis=2)
    last_down, last_across = (flags[:, :, ::-1].argmax(axis=2) for flags in (down, across))
    boxes = {}
    for row, column in np.argwhere(down.any(axis=2)).tolist():
        y, x, at = row * _CELL, column * _CELL, (row, column)
        boxes[at] = Box(
            y + int(first_down[at]),
            x + int(first_across[at]),
            y + _CELL - int(last_down[at]),
            x + _CELL - int(last_across[at]),
        )
    return boxes


def _separate_holes(cells: dict[tuple[int, int], Box]) -> Iterator[Box]:
    cells = dict(cells)
    while cells:
        start, box = cells.popitem()
        found, frontier = [box], [start]
        while frontier:
            row, column = frontier.pop()
            for near in ((row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)):
                if near in cells:
                    found.append(cells.pop(near))
                    frontier.append(near)
        yield _box_round(found)


def _box_round(boxes: Iterable[Box]) -> Box:
    boxes = list(boxes)
    return Box(
        min(box.top for box in boxes),
        min(box.left for box in boxes),
        max(box.bottom for box in boxes),
        max(box.right for box in boxes),
    )


def _grown(start: int, stop: int, wanted: int, limit: int) -> tuple[int, int]:
    extent = min(limit, max(wanted, stop - start))
    start = min(max(0, start - (extent - (stop - start)) // 2), limit - extent)
    return start, start + extent
