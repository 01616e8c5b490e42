"""The picture that models are timed on."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lama_edge.spec import Size

HOLE_SHARE = 0.25
_SEED = 20222


def measured_picture(size: Size) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the picture that models are timed on, the same for every model of a size.

    Returns:
        The picture, uint8 [H,W,3]: periodic patterns in smooth colours. The hole, bool [H,W]:
        blobs that cover a quarter of it and touch its borders.
    """
    rng = np.random.default_rng(_SEED)
    # Single precision, and one channel at a time: this must not be what sets the peak memory.
    rows = np.linspace(0, 2 * np.pi, size.height, endpoint=False, dtype=np.float32)[:, None]
    columns = np.linspace(0, 2 * np.pi, size.width, endpoint=False, dtype=np.float32)[None, :]

    def wave(cycles: float) -> NDArray[np.float32]:
        angle, phase = rng.uniform(0, 2 * np.pi, 2).tolist()
        along = rows * (cycles * math.sin(angle)) + columns * (cycles * math.cos(angle))
        return np.asarray(np.sin(along + phase), dtype=np.float32)

    pattern = 0.5 + 0.12 * np.sign(wave(9)) + 0.12 * wave(14)
    image = np.empty((size.height, size.width, 3), dtype=np.uint8)
    for channel in range(3):
        image[:, :, channel] = np.clip(np.rint((pattern + 0.2 * wave(0.7)) * 255), 0, 255)
    blobs = wave(1.5)
    for cycles in (2, 2.5, 3, 4, 5):
        blobs += wave(cycles)
    return image, blobs > np.quantile(blobs, 1 - HOLE_SHARE)
