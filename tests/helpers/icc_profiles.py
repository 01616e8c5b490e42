"""A display's ICC profile of colours wider than sRGB, made from its numbers."""

from __future__ import annotations

import struct

_DISPLAY_P3 = ((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407))
_WHITE = (0.9642, 1.0, 0.8249)
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_HEADER_BYTES = 128


def display_p3() -> bytes:
    """Return Display P3, adapted to D50, as a profile of version 2.4 (ICC.1:2001-04)."""
    curve = b"para\0\0\0\0" + struct.pack(">HH", 3, 0) + _fixed(_SRGB_CURVE)
    name = b"desc\0\0\0\0" + struct.pack(">I", 3) + b"P3\0" + bytes(78)
    tags = {b"desc": name, b"cprt": b"text\0\0\0\0none\0", b"wtpt": _xyz(_WHITE)}
    tags |= {
        tag: _xyz(axis) for tag, axis in zip((b"rXYZ", b"gXYZ", b"bXYZ"), _DISPLAY_P3, strict=True)
    }
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    table, body = struct.pack(">I", len(tags)), b""
    start = _HEADER_BYTES + 4 + 12 * len(tags)
    for tag, data in tags.items():
        table += tag + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = struct.pack(">I4x4s", start + len(body), b"\x02\x40\0\0") + b"mntrRGB XYZ "
    header += bytes(12) + b"acsp" + bytes(28) + _fixed(_WHITE)
    return header.ljust(_HEADER_BYTES, b"\0") + table + body


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(values)


def _fixed(values: tuple[float, ...]) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))
