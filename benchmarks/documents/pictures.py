"""The pictures that stand beside the figures of a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class CasePictures:
    """The pictures of one case of a parity document.

    Attributes:
        model: index into the document's ``models``.
        case: index into the ``cases`` of that model.
        image: uint8 [H,W,3], RGB, what both sides were given.
        hole: bool [H,W], True inside the hole.
        reference: uint8 [H,W,3], RGB, what the reference made of it.
        output: uint8 [H,W,3], RGB, what the model made of it.
        difference: float32 [H,W], the largest absolute difference over the channels of the raw
            outputs on the 0-to-1 scale, less what rounding excuses; 0 outside the hole.
    """

    model: int
    case: int
    image: NDArray[np.uint8]
    hole: NDArray[np.bool_]
    reference: NDArray[np.uint8]
    output: NDArray[np.uint8]
    difference: NDArray[np.float32]


@dataclass(frozen=True)
class Picture:
    """What one run of a bench document made of a picture.

    Attributes:
        run: index into the ``runs`` of the first document.
        image: uint8 [H,W,3], RGB, what the model was given.
        hole: bool [H,W], True inside the hole.
        output: uint8 [H,W,3], RGB, what the model made of it.
    """

    run: int
    image: NDArray[np.uint8]
    hole: NDArray[np.bool_]
    output: NDArray[np.uint8]


@dataclass(frozen=True)
class ShownPicture:
    """What every precision made of one picture.

    Attributes:
        picture: index into the document's ``pictures``.
        role: why it is shown, such as ``worst``.
        image: uint8 [H,W,3], RGB, what all were given.
        hole: bool [H,W], True inside the hole.
        outputs: of each precision, uint8 [H,W,3], RGB; known pixels are the input's.
        differences: of each precision, float32 [H,W]: the largest absolute difference from fp32
            over the channels, on the 0-to-1 scale, less what rounding excuses; 0 outside.
    """

    picture: int
    role: str
    image: NDArray[np.uint8]
    hole: NDArray[np.bool_]
    outputs: Mapping[str, NDArray[np.uint8]]
    differences: Mapping[str, NDArray[np.float32]]
