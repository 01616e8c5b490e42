"""Masks: which of their pixels are hole."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lama_edge.errors import PictureError
from lama_edge.imaging import Hole
from lama_edge.imaging.reading import upright


def hole_of(mask: Image.Image | NDArray[Any]) -> Hole:
    """Turn a mask into its hole: bool [H,W], True where the mask's grey value is above 0.

    Args:
        mask: a PIL image of any mode (orientation is applied, alpha ignored), or a uint8 or
            bool array [H,W] or [H,W,1].

    Raises:
        PictureError: when it is neither, cannot be decoded, or is CIELAB.
    """
    if isinstance(mask, Image.Image):
        picture = upright(mask, "the mask")
        # The clipping in Pillow's own conversion differs between releases for these modes.
        if picture.mode[0] in "IF":
            return np.asarray(np.asarray(picture) > 0)
        picture.info.pop("transparency", None)
        return np.asarray(np.asarray(picture.convert("L")) > 0)
    if not isinstance(mask, np.ndarray):
        raise PictureError(f"the mask is a {type(mask).__name__}: give a PIL image or an array")
    if mask.dtype not in (np.uint8, np.bool_):
        raise PictureError(f"the mask has dtype {mask.dtype}: give uint8 or bool, above 0 is hole")
    if mask.ndim == 3 and mask.shape[2] == 1:
        mask = mask[:, :, 0]
    if mask.ndim != 2:
        raise PictureError(f"the mask has shape {mask.shape}: give [H,W] or [H,W,1]")
    return np.asarray(mask > 0)
