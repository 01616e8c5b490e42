"""The pictures whose values a model is measured on before its number format is made smaller.

Drawn from seeds, or the user's own; never those that a model is judged on. Flat white and flat
black with a wide hole are always among them: they drive the spectrum's first bin the furthest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import UsageError
from lama_edge.imaging import Pixels, enlarge, shrink
from lama_edge.imaging.reading import load_rgb
from lama_edge.judging.cases import ParityCase
from lama_edge.pictures.masks import NARROW, WIDE, MaskStyle, draw_mask
from lama_edge.pictures.pairs import find_pairs
from lama_edge.pictures.scenes import make_scene
from lama_edge.spec import Size, SizePolicy
from lama_edge.stores.local import LocalStore

MAX_PICTURES = 32
# Starts every seed here, and none of the holdout's, the training's or the parity cases'.
_STREAM = 0x63616C69
_MASK_STREAM = 0x6D61736B
# The middle one gives a feature map of odd width, the last one what most exports are made for.
_DYNAMIC_SIZES = (Size(256, 256), Size(320, 200), Size(512, 512))
_MAX_HOLE_SHARE = 0.6
_STYLES = {
    "wide": replace(WIDE, max_hole_share=_MAX_HOLE_SHARE),
    "medium": MaskStyle(
        strokes=(2, 8),
        max_angle=4,
        max_length_px=90,
        max_width_px=35,
        max_hole_share=_MAX_HOLE_SHARE,
    ),
    "narrow": NARROW,
}
_LEAST_WIDE_SHARE = 0.25
_BRIGHT, _DARK = 0.35, 0.25
_NOISE_LEVELS = 40.0
_STRIPE_PX = 8

Draw = Callable[[np.random.Generator, Size], Pixels]


def calibration_cases(
    policy: SizePolicy, *, folder: Path | None = None, sizes: Sequence[Size] = ()
) -> list[ParityCase]:
    """Return pictures and holes for a model to be calibrated on, the same in every run.

    Every size gets a flat white and a flat black picture with a wide hole. The other pictures
    (eight procedural ones, or the folder's) are dealt out among the sizes in turn, each with a
    wide, medium or narrow hole.

    Args:
        policy: the sizes that the model takes.
        folder: the user's pictures, cropped and scaled to the sizes; of more than
            `MAX_PICTURES` so many at equal distances. Files named like LaMa's masks are left
            out: holes are drawn. None draws pictures too.
        sizes: sizes to calibrate at; none stands for the policy's fixed size, or for three sizes
            up to 512 x 512.

    Raises:
        UsageError: when a size does not suit the model, or the folder holds no picture.
        PictureError: when a picture cannot be read.
    """
    chosen = _sizes(policy, sizes)
    draws = _procedural(len(chosen)) if folder is None else _from_folder(folder)
    cases = []
    for index, (name, kind, draw) in enumerate(draws):
        size = chosen[index % len(chosen)]
        rng = np.random.default_rng([_STREAM, size.height, size.width, index])
        cases.append(_case(name, kind, size, index, draw(rng, size)))
    for index, size in enumerate(chosen, start=len(cases)):
        for name, level in (("flat white", 255), ("flat black", 0)):
            flat = np.full((size.height, size.width, 3), level, dtype=np.uint8)
            cases.append(_case(name, "wide", size, index, flat))
    return cases


def _sizes(policy: SizePolicy, sizes: Sequence[Size]) -> list[Size]:
    if not sizes and policy.fixed is not None:
        return [policy.fixed]
    for size in sizes:
        problem = policy.problem_with(size.height, size.width)
        if problem is not None:
            raise UsageError(f"cannot calibrate at {size}: {problem}")
    wanted = sizes or [
        Size(policy.side_for(size.height), policy.side_for(size.width)) for size in _DYNAMIC_SIZES
    ]
    return list(dict.fromkeys(wanted))


def _case(name: str, kind: str, size: Size, index: int, image: Pixels) -> ParityCase:
    return ParityCase(image, _hole(kind, size, index), f"{name}, {kind} hole, {size}")


def _hole(kind: str, size: Size, index: int) -> NDArray[np.bool_]:
    """Draw a hole; a wide one is drawn on until it hides a quarter of the picture."""
    rng = np.random.default_rng([_STREAM, _MASK_STREAM, size.height, size.width, index])
    hole = draw_mask(rng, size.height, size.width, style=_STYLES[kind]) > 0
    while kind == "wide" and hole.mean() < _LEAST_WIDE_SHARE:
        hole |= draw_mask(rng, size.height, size.width, style=_STYLES[kind]) > 0
    return hole


def _procedural(sizes: int) -> list[tuple[str, str, Draw]]:
    """Return the kinds of drawn pictures, each size's first one among them."""
    kinds: list[tuple[str, str, Draw]] = [
        ("scene", "wide", _scene),
        ("bright scene", "wide", _bright),
        ("dark scene", "wide", _dark),
        ("scene", "medium", _scene),
        ("noisy scene", "medium", _noisy),
        ("stripes", "wide", _stripes),
        ("scene", "narrow", _scene),
        ("static", "narrow", _static),
    ]
    return [kinds[index % len(kinds)] for index in range(max(len(kinds), sizes))]


def _scene(rng: np.random.Generator, size: Size) -> Pixels:
    return make_scene(rng, size.height, size.width)


def _bright(rng: np.random.Generator, size: Size) -> Pixels:
    return _levels(255 - _BRIGHT * (255 - _scene(rng, size).astype(np.float64)))


def _dark(rng: np.random.Generator, size: Size) -> Pixels:
    return _levels(_DARK * _scene(rng, size))


def _noisy(rng: np.random.Generator, size: Size) -> Pixels:
    scene = _scene(rng, size)
    return _levels(scene + rng.normal(0, _NOISE_LEVELS, scene.shape))


def _static(rng: np.random.Generator, size: Size) -> Pixels:
    return rng.integers(0, 256, (size.height, size.width, 3), dtype=np.uint8)


def _stripes(rng: np.random.Generator, size: Size) -> Pixels:
    """Draw black and white stripes: one frequency at full contrast."""
    bands = (np.arange(size.width) + int(rng.integers(_STRIPE_PX))) // _STRIPE_PX % 2
    row = np.repeat(np.uint8(255) * bands.astype(np.uint8)[:, None], 3, axis=1)
    return np.ascontiguousarray(np.broadcast_to(row, (size.height, size.width, 3)))


def _levels(values: NDArray[np.floating[Any]]) -> Pixels:
    return np.asarray(np.clip(np.rint(values), 0, 255), dtype=np.uint8)


def _from_folder(folder: Path) -> list[tuple[str, str, Draw]]:
    store = LocalStore(folder)
    pairs, without_mask = find_pairs(store, store)
    paths = [folder / name for name in sorted({*(pair.image for pair in pairs), *without_mask})]
    step = max(1.0, len(paths) / MAX_PICTURES)
    chosen = [paths[int(index * step)] for index in range(min(len(paths), MAX_PICTURES))]
    kinds = tuple(_STYLES)
    return [
        (path.name, kinds[index % len(kinds)], _loader(path)) for index, path in enumerate(chosen)
    ]


def _loader(path: Path) -> Draw:
    def load(rng: np.random.Generator, size: Size) -> Pixels:
        return _fitted(load_rgb(path), size)

    return load


def _fitted(pixels: Pixels, size: Size) -> Pixels:
    """Crop the middle of the size's shape, and scale it."""
    height, width = pixels.shape[:2]
    scale = min(height / size.height, width / size.width)
    rows, columns = (max(1, round(side * scale)) for side in (size.height, size.width))
    top, left = (height - rows) // 2, (width - columns) // 2
    window = np.ascontiguousarray(pixels[top : top + rows, left : left + columns])
    resize = shrink if scale >= 1 else enlarge
    return resize(window, size.height, size.width)
