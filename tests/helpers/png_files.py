"""PNG files of every kind, also those that Pillow reads and does not write."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
_SAMPLES = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
          (0, 1, 1, 2))  # fmt: skip


def chunk(kind: bytes, body: bytes) -> bytes:
    """Return a part of a PNG with its length and checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def write_png(
    samples: NDArray[np.uint16],
    depth: int,
    colour: int,
    *,
    interlaced: bool = False,
    parts: bytes = b"",
    pieces: int = 1,
) -> bytes:
    """Return a PNG whose rows use all five filters in turn.

    Args:
        samples: [H, W, S], below 2 to the `depth`.
        depth: bits of a sample.
        colour: PNG's colour type.
        interlaced: by Adam7.
        parts: whole chunks between IHDR and IDAT.
        pieces: number of IDAT chunks.
    """
    height, width, count = samples.shape
    assert count == _SAMPLES[colour]
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    back = max(1, depth * count // 8)
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    raw = b"".join(
        _filtered(_packed(samples[top::dy, left::dx], depth), back)
        for left, top, dx, dy in passes
        if left < width and top < height
    )
    data = zlib.compress(raw)
    step = -(-len(data) // pieces)
    idat = b"".join(chunk(b"IDAT", data[i : i + step]) for i in range(0, len(data), step))
    return SIGNATURE + chunk(b"IHDR", header) + parts + idat + chunk(b"IEND", b"")


def _packed(samples: NDArray[np.uint16], depth: int) -> NDArray[np.uint8]:
    """Return rows of bytes."""
    rows = samples.reshape(samples.shape[0], -1)
    if depth == 16:
        return rows.astype(">u2").view(np.uint8)
    bits = (rows[..., None] >> np.arange(depth - 1, -1, -1)) & 1
    return np.packbits(bits.reshape(rows.shape[0], -1).astype(np.uint8), axis=1)


def _filtered(rows: NDArray[np.uint8], back: int) -> bytes:
    out = bytearray()
    zero = np.zeros(rows.shape[1], np.int64)
    for y, row in enumerate(rows.astype(np.int64)):
        up = rows[y - 1].astype(np.int64) if y else zero
        left, corner = (np.concatenate([zero[:back], line])[: row.size] for line in (row, up))
        guess = left + up - corner
        nearest = np.select(
            [
                (abs(guess - left) <= abs(guess - up)) & (abs(guess - left) <= abs(guess - corner)),
                abs(guess - up) <= abs(guess - corner),
            ],
            [left, up],
            corner,
        )
        kind = y % 5
        predicted = (zero, left, up, (left + up) // 2, nearest)[kind]
        out += bytes([kind]) + ((row - predicted) % 256).astype(np.uint8).tobytes()
    return bytes(out)
