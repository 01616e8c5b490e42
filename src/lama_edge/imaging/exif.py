"""EXIF data, kept without what could show an older state of the picture.

EXIF data is a TIFF file without pixels (CIPA DC-008): a directory of fields, with directories of
the camera's settings and of the place below it. Kept is a list of fields by tag; of all others,
thumbnails, previews and makers' notes among them, the values are not even read. Pillow would
write what it keeps of text as ASCII; here every value keeps its bytes.
"""

from __future__ import annotations

import mmap
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

# Bytes of a value, by the type of its field, and of what a byte order turns round in it.
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 129: 1}
_WORDS = {3: 2, 4: 4, 5: 4, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8}
_LONG = 4
_ORIENTATION, _CAMERA, _PLACE = 0x0112, 0x8769, 0x8825
_X_RESOLUTION, _Y_RESOLUTION = 0x011A, 0x011B
# Description, maker, model, resolution, software, date, artist, computer, ratings, copyright, and
# Windows' title, comment, author, keywords and subject.
_MAIN_TAGS = frozenset(
    {0x010E, 0x010F, 0x0110, _ORIENTATION, _X_RESOLUTION, _Y_RESOLUTION, 0x0128, 0x0131, 0x0132}
    | {0x013B, 0x013C, 0x4746, 0x4749, 0x8298, _CAMERA, _PLACE, *range(0x9C9B, 0x9CA0)}
)
# Exposure, dates, lens, comment, weather, owner and numbers. Left out beside the makers' notes:
# the size and places in the picture, which turning it makes wrong.
_CAMERA_TAGS = frozenset(
    {0x829A, 0x829D, 0x8822, 0x8824, 0x8827, *range(0x8830, 0x8836), 0x9000, 0x9003, 0x9004}
    | {0x9010, 0x9011, 0x9012, *range(0x9201, 0x920B), 0x9286, 0x9290, 0x9291, 0x9292}
    | {*range(0x9400, 0x9406), 0xA001, 0xA20B, 0xA20E, 0xA20F, 0xA210, 0xA215, 0xA217, 0xA300}
    | {0xA301, *range(0xA401, 0xA40B), 0xA40C, 0xA420, *range(0xA430, 0xA43D), 0xA500}
) - {0xA40B}
_PLACE_TAGS = frozenset(range(32))
MAX_VALUE_BYTES = 2048
_MAX_BYTES = 60_000  # a JPEG segment holds 65,533
_PICTURE_STARTS = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"II*\0", b"MM\0*", b"GIF8")
_BREAKS = re.compile(rb"\0|\s*\n\s*|\\r|\\n")
_ENCODED = re.compile(rb"[A-Za-z0-9+/=_-]{256,}")  # base64 or hexadecimal: prose has spaces


class Field(NamedTuple):
    """A field of a directory: its type, and its value in bytes, low ones first."""

    kind: int
    value: bytes


Directory = dict[int, Field]


@dataclass(frozen=True)
class Exif:
    """What is kept of EXIF data.

    Attributes:
        main: fields of the first directory, by tag.
        camera: fields of the camera's settings.
        place: fields of the place (GPS).
        orientation: 1 to 8, as the data says: applied to the pixels and written no more.
    """

    main: Directory
    camera: Directory
    place: Directory
    orientation: int

    def to_bytes(self) -> bytes:
        """Return it as JPEG, PNG and WebP files hold it, after `Exif` and two zeros."""
        return b"Exif\0\0II*\0\x08\0\0\0" + self._directories({}, at=8, order="<")

    def add_to_tiff(self, path: Path) -> None:
        """Add it to a TIFF file: a new first directory at its end, with the fields of the old.

        Raises:
            ValueError: when the file is no TIFF, or is damaged.
            OSError: when it cannot be read or written.
        """
        data = path.read_bytes()
        order, start = _head(data)
        old = _directory(data, start, order, None, len(data))
        at = len(data) + len(data) % 2
        with path.open("r+b") as file:
            file.seek(at)
            file.write(self._directories(old, at, order))
            file.seek(4)
            file.write(struct.pack(order + "I", at))

    def _directories(self, more: Directory, at: int, order: str) -> bytes:
        pointer = Field(_LONG, bytes(4))
        below = {tag: found for tag, found in self._below.items() if found}
        main = {**self.main, **more, **dict.fromkeys(below, pointer)}
        end = at + len(_packed(main, at, order))
        parts = []
        for tag, found in below.items():
            main[tag] = Field(_LONG, struct.pack("<I", end))
            parts.append(_packed(found, end, order))
            end += len(parts[-1])
        return b"".join((_packed(main, at, order), *parts))

    @property
    def _below(self) -> dict[int, Directory]:
        return {_CAMERA: self.camera, _PLACE: self.place}


def read_exif(data: bytes | mmap.mmap) -> Exif:
    """Read EXIF data, or the directories of a TIFF file.

    Raises:
        ValueError: when it is damaged, or longer than a picture's words about itself are.
    """
    order, start = _head(data)
    main = _directory(data, start, order, _MAIN_TAGS)
    camera, place = (
        _directory(data, _number(main.pop(tag)), order, tags) if tag in main else {}
        for tag, tags in ((_CAMERA, _CAMERA_TAGS), (_PLACE, _PLACE_TAGS))
    )
    orientation = _number(main.pop(_ORIENTATION, Field(3, b"\1\0")))
    if 5 <= orientation <= 8:  # the sides are swapped, and so are their resolutions
        swapped = {_X_RESOLUTION: _Y_RESOLUTION, _Y_RESOLUTION: _X_RESOLUTION}
        main = {swapped.get(tag, tag): field for tag, field in main.items()}
    exif = Exif(main, camera, place, orientation)
    if len(exif.to_bytes()) > _MAX_BYTES:
        raise ValueError("its values are far too long")
    return exif


def holds_picture(value: bytes) -> bool:
    """Tell whether a text or a value may be a picture, as such or in base64 or hexadecimal."""
    if any(start in value for start in _PICTURE_STARTS):
        return True
    return _ENCODED.search(_BREAKS.sub(b"", value)) is not None


def _head(data: bytes | mmap.mmap) -> tuple[str, int]:
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(data[:4]))
    if order is None or len(data) < 8:
        raise ValueError("no TIFF header")
    return order, struct.unpack(order + "I", data[4:8])[0]


def _directory(
    data: bytes | mmap.mmap,
    at: int,
    order: str,
    tags: frozenset[int] | None,
    most: int = MAX_VALUE_BYTES,
) -> Directory:
    """Read a directory's fields of these tags, or all; too long ones and pictures are left out."""
    found: Directory = {}
    try:
        (count,) = struct.unpack(order + "H", data[at : at + 2])
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind, length = struct.unpack(order + "HHI", data[entry : entry + 8])
            size = _SIZES.get(kind, 0) * length
            if (tags is not None and tag not in tags) or not 0 < size <= most:
                continue
            place = entry + 8
            if size > 4:
                (place,) = struct.unpack(order + "I", data[place : place + 4])
            value = bytes(data[place : place + size])
            if len(value) != size:
                raise ValueError(f"a value of {size} bytes lies beyond its end")
            if tags is None or not holds_picture(value):
                found[tag] = Field(kind, _turned(kind, value, order))
    except struct.error as error:
        raise ValueError("it ends in the middle of a directory") from error
    return found


def _packed(fields: Directory, at: int, order: str) -> bytes:
    """Return a directory that is to lie at a place, with its values behind it."""
    entries, values = [struct.pack(order + "H", len(fields))], b""
    end = at + 2 + 12 * len(fields) + 4
    for tag, (kind, value) in sorted(fields.items()):
        length = len(value) // _SIZES[kind]
        held = _turned(kind, value, order)
        if len(held) > 4:
            place = struct.pack(order + "I", end + len(values))
            values += held + bytes(len(held) % 2)
        else:
            place = held.ljust(4, b"\0")
        entries.append(struct.pack(order + "HHI", tag, kind, length) + place)
    return b"".join((*entries, bytes(4), values))


def _turned(kind: int, value: bytes, order: str) -> bytes:
    """Turn a value between low bytes first and another order; both ways are the same."""
    word = _WORDS.get(kind)
    if order == "<" or word is None:
        return value
    words = np.frombuffer(value, f"u{word}")
    return bytes(words.byteswap().tobytes())


def _number(field: Field) -> int:
    return int.from_bytes(field.value, "little")
