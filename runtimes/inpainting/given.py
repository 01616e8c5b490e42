"""What callers hand over as pictures and masks: arrays of any usual kind, and torch's tensors."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import PictureError
from lama_edge.imaging import Hole, Pixels, check_unit, transparent

Array = NDArray[Any]
_CHANNELS = (1, 3, 4)
_LAYOUTS = "give [H,W], [H,W,1], [H,W,3] or [H,W,4]"
_TENSOR_LAYOUTS = "give a tensor [H,W], [C,H,W] or [1,C,H,W] of 1, 3 or 4 channels"


@dataclass(frozen=True)
class Given:
    """A picture as the model's side knows it, and the way back.

    Attributes:
        pixels: uint8 [H,W], [H,W,3] or [H,W,4].
        back: makes a new picture of the kind that was given, of the filled pixels and the hole;
            what is outside the hole, and alpha, has the very values that it came with.
    """

    pixels: Pixels
    back: Callable[[Pixels, Hole], Any]


def given_picture(image: object) -> Given:
    """Read an array or a tensor as a picture.

    Args:
        image: uint8, or floats from 0 to 1: an array [H,W], [H,W,1], [H,W,3] or [H,W,4], or a
            torch tensor [H,W], [C,H,W] or [1,C,H,W] of as many channels.

    Raises:
        PictureError: when it is none of these.
    """
    if _is_tensor(image):
        return _of_tensor(image)
    if not isinstance(image, np.ndarray):
        raise PictureError(
            f"the picture is a {type(image).__name__}: give a path, a PIL image, an array or a "
            "torch tensor"
        )
    pixels = _pixels(image)

    def back(filled: Pixels, hole: Hole) -> Array:
        result: Array = image.copy()
        at = _changed(filled, hole)
        colours = result if result.ndim == 2 else result[:, :, :3]
        colours[at] = _levels(_colours(filled, at), image.dtype).reshape(-1, *colours.shape[2:])
        return result

    return Given(pixels, back)


def given_mask(mask: object) -> Any:
    """Return a mask's tensor as an array [H,W]; other kinds as they are.

    Raises:
        PictureError: when a tensor is not [H,W], [1,H,W] or [1,1,H,W].
    """
    if not _is_tensor(mask):
        return mask
    array = _array(mask)
    if array.ndim not in (2, 3, 4) or any(extent != 1 for extent in array.shape[:-2]):
        raise PictureError(
            f"the mask has shape {array.shape}: give a tensor [H,W], [1,H,W] or [1,1,H,W]"
        )
    return array.reshape(array.shape[-2:])


def _is_tensor(value: object) -> bool:
    # Who has a tensor has imported torch; others shall not wait for it.
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _of_tensor(tensor: Any) -> Given:
    array = _array(tensor)
    planes = array[0] if array.ndim == 4 and array.shape[0] == 1 else array
    if planes.ndim not in (2, 3) or (planes.ndim == 3 and planes.shape[0] not in _CHANNELS):
        remedy = ""
        if planes.ndim == 3 and planes.shape[2] in _CHANNELS:
            remedy = "; of channels last make it with permute(2, 0, 1)"
        elif planes.ndim == 4:
            remedy = ", one picture at a time"
        raise PictureError(f"the picture has shape {array.shape}: {_TENSOR_LAYOUTS}{remedy}")
    pixels = _pixels(planes if planes.ndim == 2 else planes.transpose(1, 2, 0))

    def back(filled: Pixels, hole: Hole) -> Any:
        torch = sys.modules["torch"]
        result = tensor.detach().clone(memory_format=torch.contiguous_format)
        at = _changed(filled, hole)
        levels = _levels(_colours(filled, at), np.dtype(array.dtype)).reshape(len(filled[at]), -1)
        fill = torch.from_numpy(np.ascontiguousarray(levels.T))
        where = torch.from_numpy(at).to(tensor.device)
        colours = result.view(-1, *hole.shape)[:3]
        colours[:, where] = fill.to(tensor.device, tensor.dtype)
        return result

    return Given(pixels, back)


def _array(tensor: Any) -> Array:
    """Return a tensor's values; floats as float32, since NumPy has no bfloat16."""
    if tensor.is_meta or tensor.layout != sys.modules["torch"].strided:
        raise PictureError(
            f"the tensor has no laid out values ({tensor.device}, {tensor.layout}): give a dense "
            "one"
        )
    wide = tensor.float() if tensor.is_floating_point() else tensor
    array: Array = wide.numpy(force=True)  # from any device, without its gradient
    return array


def _pixels(levels: Array) -> Pixels:
    """Return a picture's array, channels last, as what the model's side knows."""
    shape = levels.shape
    if levels.ndim == 4:
        raise PictureError(f"the picture has shape {shape}: {_LAYOUTS}, one picture at a time")
    if levels.ndim == 3 and shape[2] not in _CHANNELS and shape[0] in _CHANNELS:
        raise PictureError(
            f"the picture has shape {shape}: {_LAYOUTS}; of channels first make it with "
            "transpose(1, 2, 0)"
        )
    if levels.ndim not in (2, 3) or (levels.ndim == 3 and shape[2] not in _CHANNELS) or 0 in shape:
        raise PictureError(f"the picture has shape {shape}: {_LAYOUTS}")
    if levels.dtype.kind == "f":
        check_unit(levels, "the picture")
        levels = np.rint(levels.astype(np.float64) * 255.0).astype(np.uint8)
    elif levels.dtype != np.uint8:
        raise PictureError(
            f"the picture has dtype {levels.dtype}: give uint8, 0 to 255, or floats from 0 to 1"
        )
    return levels[:, :, 0] if levels.ndim == 3 and shape[2] == 1 else levels


def _changed(filled: Pixels, hole: Hole) -> Hole:
    return hole & ~transparent(filled)


def _colours(filled: Pixels, at: Hole) -> Pixels:
    colours: Pixels = filled[at] if filled.ndim == 2 else filled[at][:, :3]
    return colours


def _levels(fill: Pixels, dtype: np.dtype[Any]) -> Array:
    return fill if dtype == np.uint8 else (fill / 255.0).astype(dtype)
