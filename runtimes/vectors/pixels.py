"""Shared vectors of what is done to pixels: pad, resize, composite, round."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from lama_edge.errors import ModelError
from lama_edge.imaging import composite, enlarge, pad, shrink, shrink_hole
from lama_edge.runtimes.base import Array
from lama_edge.runtimes.inpainting.inpainter import fill_window
from lama_edge.runtimes.vectors.format import Case, Topic, mask_case, picture_case, put, refusal
from lama_edge.runtimes.vectors.model import (
    CHANNELS,
    GivenRunner,
    hole_from,
    noise,
    some_rectangles,
    stand_in_manifest,
)
from lama_edge.spec import SizePolicy

_Sizes = Sequence[tuple[tuple[int, int], tuple[int, int]]]

_PADDED: _Sizes = (((1, 1), (16, 16)), ((5, 7), (16, 24)), ((3, 50), (72, 56)), ((8, 8), (8, 8)))
# One pixel, one axis only, factors below two, just above one, and far beyond; primes.
_SHRUNK: _Sizes = (
    ((2, 2), (1, 1)),
    ((37, 53), (37, 17)),
    ((37, 53), (12, 53)),
    ((37, 53), (36, 52)),
    ((61, 83), (48, 64)),
    ((90, 64), (31, 22)),
    ((800, 3), (7, 2)),
    ((5, 1000), (1, 64)),
    # Pillow 13 on its own would take the columns first.
    ((90, 11), (40, 9)),
    ((31, 30), (4, 17)),
)
_ENLARGED: _Sizes = (
    ((1, 1), (5, 9)),
    ((1, 7), (1, 30)),
    ((2, 3), (17, 19)),
    ((17, 22), (37, 22)),
    ((48, 64), (61, 83)),
    ((12, 13), (13, 89)),
)


def pixel_vectors() -> Topic:
    """Return small pictures with what the functions of `lama_edge.imaging` make of them."""
    data = bytearray()
    groups: dict[str, list[Case]] = {
        "noise": [
            {"picture": picture_case(3, 5, 4, kind), "result": put(data, noise(3, 5, 4, channels))}
            for kind, channels in CHANNELS.items()
        ],
        "padded": list(_resized(data, pad, _PADDED)),
        "shrunk": list(_resized(data, shrink, _SHRUNK)),
        "enlarged": list(_resized(data, enlarge, _ENLARGED)),
        "shrunk_holes": list(_shrunk_holes(data)),
        "composited": list(_composited(data)),
        "float_outputs": list(_float_outputs(data)),
    }
    return Topic("pixels", groups, bytes(data))


def _resized(
    data: bytearray, resize: Callable[[Array, int, int], Array], sizes: _Sizes
) -> Iterator[Case]:
    for seed, (size, to) in enumerate(sizes):
        result = put(data, resize(noise(seed, *size, 3), *to))
        yield {"picture": picture_case(seed, *size, "rgb"), "to": to, "result": result}


def _shrunk_holes(data: bytearray) -> Iterator[Case]:
    rng = np.random.default_rng(1)
    for size, to in _SHRUNK:
        holes = some_rectangles(rng, *size, most=3)
        result = put(data, shrink_hole(hole_from(holes, *size), *to))
        yield {"mask": mask_case(*size, holes), "to": to, "result": result}


def _composited(data: bytearray) -> Iterator[Case]:
    rng = np.random.default_rng(2)
    for kind, channels in CHANNELS.items():
        holes = some_rectangles(rng, 17, 23, most=3)
        result = composite(
            noise(1, 17, 23, channels), noise(2, 17, 23, 3), hole_from(holes, 17, 23)
        )
        yield {
            "picture": picture_case(1, 17, 23, kind),
            "fill": picture_case(2, 17, 23, "rgb"),
            "mask": mask_case(17, 23, holes),
            "result": put(data, result),
        }


def _float_outputs(data: bytearray) -> Iterator[Case]:
    """Planar outputs of a float model, 8 x 16: on the steps between levels, beyond, not finite."""
    halves = (np.arange(384, dtype=np.float32) / 2 - np.float32(30)) / np.float32(255)
    nearly = np.nextafter(halves, np.float32(2))
    beyond = np.resize(np.array([-1, -0.0, 1e-45, 1, 1.01, 1e9], np.float32), 384)
    spots = np.arange(384) % 100 == 7
    # The last one is finite, and infinite on the scale of levels.
    broken = (np.where(spots, np.float32(bad), halves) for bad in (np.nan, np.inf, 3e38))
    for values in (halves, nearly, beyond, *broken):
        with np.errstate(over="ignore"):
            yield _float_output(data, values.reshape(1, 3, 8, 16))


def _float_output(data: bytearray, output: Array) -> Case:
    case: Case = {"height": 8, "width": 16, "output": put(data, output[0])}
    manifest = stand_in_manifest(SizePolicy(None, 8, 8), "float", composite=False)
    black, hole = np.zeros((8, 16, 3), np.uint8), np.ones((8, 16), np.bool_)
    try:
        result = fill_window(GivenRunner(manifest, output), black, hole)
    except ModelError as error:
        return {**case, **refusal(error)}
    return {**case, "result": put(data, result)}
