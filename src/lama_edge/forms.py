"""Between pictures (uint8, height x width x channels) and the arrays of a model's own form."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.spec import IoSpec

Array = NDArray[Any]


def to_model(io: IoSpec, image: NDArray[np.uint8], hole: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Return one picture and its hole as the model's inputs, repeated where its batch is fixed.

    Args:
        io: the model's contract.
        image: uint8 [H,W,3], RGB.
        hole: bool [H,W], True inside the hole.
    """
    if io.image.dtype == "uint8":
        levels = np.where(hole, np.uint8(255), np.uint8(0))
        return _repeated(io, image), _repeated(io, levels[:, :, np.newaxis])
    levels, ones = image.astype(np.float32) / np.float32(255), hole.astype(np.float32)
    if io.image.layout == "NHWC":
        return _repeated(io, levels), _repeated(io, ones[:, :, np.newaxis])
    # In C order, as an app would hand it over: not as a view with strides.
    return _repeated(io, levels.transpose(2, 0, 1).copy()), _repeated(io, ones[np.newaxis])


def from_model(io: IoSpec, output: Array) -> NDArray[np.float32]:
    """Return the first picture of a model's output as float32 [H,W,3] on the 0-to-255 scale."""
    if io.output.dtype == "uint8":
        return np.asarray(output[0], dtype=np.float32)
    last = output[0] if io.output.layout == "NHWC" else output[0].transpose(1, 2, 0)
    return np.asarray(last * np.float32(255))


def sides_of(image: Array) -> tuple[int, int]:
    """Return height and width of a model's `image`, [N,3,H,W] or [N,H,W,3].

    No picture is 3 pixels wide: sides are 16 or more.
    """
    height, width = image.shape[1:3] if image.shape[3] == 3 else image.shape[2:]
    return int(height), int(width)


def _repeated(io: IoSpec, picture: Array) -> Array:
    return picture[np.newaxis] if io.pictures == 1 else np.stack([picture] * io.pictures)
