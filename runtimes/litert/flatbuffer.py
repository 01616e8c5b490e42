"""Flatbuffers read where they stand, with every place checked against the file's end.

A table has a list of where its fields stand from its beginning; what has no fixed size stands
elsewhere, and the field says how far (https://flatbuffers.dev/internals).
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Table:
    """A table at a place in a file.

    Its methods give what a field holds, by the field's number: nothing, or the default, for one
    that is left out. They raise ValueError or `struct.error` where the file is damaged.
    """

    def __init__(self, data: mmap.mmap, at: int) -> None:
        """Read where the fields of the table at `at` stand."""
        self._data, self._at = data, at
        fields = at - self._read("<i", at)
        if fields < 0:
            raise ValueError("a table has no list of fields")
        size = self._read("<H", fields)
        if size < 4 or size % 2 or fields + size > len(data):
            raise ValueError("a table's list of fields is no list")
        self._places = struct.unpack_from(f"<{size // 2 - 2}H", data, fields + 4)

    def _read(self, form: str, at: int) -> Any:
        return struct.unpack_from(form, self._data, at)[0]

    def _place(self, field: int) -> int | None:
        place = self._places[field] if field < len(self._places) else 0
        return self._at + place if place else None

    def _target(self, field: int) -> int | None:
        place = self._place(field)
        return None if place is None else place + self._read("<I", place)

    def number(self, field: int, form: str, default: int = 0) -> Any:
        """Return a number, stored as `struct` writes it."""
        place = self._place(field)
        return default if place is None else self._read(form, place)

    def stored(self) -> dict[int, bytes]:
        """Return the eight bytes from where each field stands, which is where a number is."""
        places = {field: self._place(field) for field in range(len(self._places))}
        return {
            field: self._data[place : place + 8].ljust(8, b"\0")
            for field, place in places.items()
            if place is not None
        }

    def table(self, field: int) -> Table | None:
        """Return the table that a field points to."""
        target = self._target(field)
        return None if target is None else Table(self._data, target)

    def span(self, field: int, element: int = 1) -> tuple[int, int]:
        """Return where a vector's elements begin, and how many bytes they take."""
        target = self._target(field)
        if target is None:
            return 0, 0
        size = self._read("<I", target) * element
        if target + 4 + size > len(self._data):
            raise ValueError("a list is longer than the file")
        return target + 4, size

    def numbers(self, field: int, dtype: str) -> NDArray[Any]:
        """Return a copy of a list of numbers."""
        start, size = self.span(field, np.dtype(dtype).itemsize)
        return np.frombuffer(self._data[start : start + size], dtype)

    def content(self, field: int) -> bytes:
        """Return a copy of a list of bytes."""
        start, size = self.span(field)
        return self._data[start : start + size]

    def text(self, field: int) -> str:
        """Return a text."""
        return self.content(field).decode()

    def tables(self, field: int) -> Iterator[Table]:
        """Give the tables of a list."""
        start, size = self.span(field, 4)
        for place in range(start, start + size, 4):
            yield Table(self._data, place + self._read("<I", place))
