"""Rectangles of pixels, and those that the holes of a mask lie in."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from lama_edge.imaging import Hole

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

    def with_margins(self, down: int, across: int, picture: Box) -> Box:
        """Return the box with that many more rows and columns on each side, within `picture`."""
        return Box(
            max(picture.top, self.top - down),
            max(picture.left, self.left - across),
            min(picture.bottom, self.bottom + down),
            min(picture.right, self.right + across),
        )

    def grown_to(self, height: int, width: int, picture: Box) -> Box:
        """Return a box round this one of at least that size, as far as `picture` allows."""
        top, bottom = _grown(self.top, self.bottom, height, picture.bottom)
        left, right = _grown(self.left, self.right, width, picture.right)
        return Box(top, left, bottom, right)


def hole_boxes(hole: Hole) -> list[Box]:
    """Return tight boxes that hold every hole pixel, no two overlapping, from top to bottom.

    Pieces of a hole in the same or in neighbouring cells of a 32-pixel grid count as one, and so
    do pieces whose boxes overlap.

    Args:
        hole: bool [H,W].
    """
    boxes: list[Box] = []
    for box in _separate_holes(_cell_boxes(hole)):
        while hits := [other for other in boxes if other.overlaps(box)]:
            boxes = [other for other in boxes if other not in hits]
            box = box_round([box, *hits])
        boxes.append(box)
    return sorted(boxes)


def halves(box: Box, hole: Hole) -> list[Box]:
    """Return the tight boxes on both sides of the known row or column nearest to the middle.

    Args:
        box: tight round hole pixels.
        hole: bool [H,W].

    Returns:
        Two boxes; none where every row and column of the box has a hole pixel.
    """
    inside = hole[box.slices]
    for axis in sorted((0, 1), key=lambda axis: -inside.shape[axis]):
        known = np.flatnonzero(~inside.any(axis=1 - axis))
        if known.size:
            at = int(known[np.abs(known - inside.shape[axis] // 2).argmin()])
            if axis == 0:
                cut = box.top + at
                parts = replace(box, bottom=cut), replace(box, top=cut)
            else:
                cut = box.left + at
                parts = replace(box, right=cut), replace(box, left=cut)
            return [_tight(part, hole) for part in parts]
    return []


def _tight(box: Box, hole: Hole) -> Box:
    inside = hole[box.slices]
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    return Box(
        box.top + int(rows[0]),
        box.left + int(columns[0]),
        box.top + int(rows[-1]) + 1,
        box.left + int(columns[-1]) + 1,
    )


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
        yield box_round(found)


def box_round(boxes: Iterable[Box]) -> Box:
    """Return the smallest box that holds all of them; there must be one."""
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
