"""The picture that everything is timed on, in the forms that the entries take."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lama_edge.benchmarks.bench.measured_picture import measured_picture
from lama_edge.forms import to_model
from lama_edge.spec import Size, io_spec

Array = NDArray[np.float32]


def image_and_mask(size: Size) -> tuple[Array, Array]:
    """Return the picture [1,3,H,W] and its mask [1,1,H,W], float32, 0 to 1, 1 is hole."""
    return to_model(io_spec("float"), *measured_picture(size))


def generator_input(size: Size) -> Array:
    """Return what the generator alone takes: masked picture and mask, float32 [1,4,H,W]."""
    image, mask = image_and_mask(size)
    return np.concatenate([image * (1 - mask), mask], axis=1)


def channels_first(output: Array) -> Array:
    """Return an output [1,3,H,W] or [1,H,W,3] as [1,3,H,W]; no picture is 3 pixels high."""
    return output if output.shape[1] == 3 else output.transpose(0, 3, 1, 2)
