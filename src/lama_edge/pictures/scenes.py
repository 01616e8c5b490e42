"""Procedural pictures for training: periodic structure, soft backgrounds, objects in front.

They show what LaMa is known for (walls, facades, fences, grids) and what an eraser meets most in
photographs (skies, walls, grass, wood). Everything is drawn from a seed: no data, no licence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from lama_edge.pictures.textures import (
    PERIODIC,
    SMOOTH,
    STRUCTURED,
    Array,
    Surface,
    fractal_noise,
    random_colour,
)

_STRUCTURED_SHARE = 0.7
_LEAVES_SHARE = 0.08
_SPLIT_SHARE = 0.3
_OBJECTS_SHARE = 0.4
_PERSPECTIVE_SHARE = 0.5


def make_scene(rng: np.random.Generator, height: int, width: int) -> npt.NDArray[np.uint8]:
    """Draw one training scene.

    Args:
        rng: seeded generator; the same state gives the same picture.
        height: rows.
        width: columns.

    Returns:
        uint8 [H,W,3] RGB.
    """
    picture = _background(rng, height, width)
    if rng.random() < _SPLIT_SHARE:
        other = _background(rng, height, width)
        picture = np.where(_half_plane(rng, height, width)[..., None], other, picture)
    if rng.random() < _OBJECTS_SHARE:
        picture = _with_objects(rng, picture, count=int(rng.integers(1, 4)))
    return _expose(rng, picture)


def make_periodic_scene(rng: np.random.Generator, height: int, width: int) -> npt.NDArray[np.uint8]:
    """Draw one scene of nothing but a single periodic surface, for measuring.

    Args:
        rng: seeded generator.
        height: rows.
        width: columns.

    Returns:
        uint8 [H,W,3] RGB.
    """
    return _expose(rng, _pick(rng, PERIODIC)(rng, *_plane(rng, height, width)))


def _pick(rng: np.random.Generator, surfaces: Mapping[str, Surface]) -> Surface:
    names = sorted(surfaces)
    return surfaces[names[int(rng.integers(len(names)))]]


def _background(rng: np.random.Generator, height: int, width: int) -> Array:
    choice = rng.random()
    if choice < _LEAVES_SHARE:
        return _dead_leaves(rng, height, width)
    surfaces = STRUCTURED if choice < _LEAVES_SHARE + _STRUCTURED_SHARE else SMOOTH
    return _pick(rng, surfaces)(rng, *_plane(rng, height, width))


def _plane(rng: np.random.Generator, height: int, width: int) -> tuple[Array, Array]:
    """Coordinates (u, v) of a plane seen a little rotated, sheared and in mild perspective."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    y, x = y - np.float32(height / 2), x - np.float32(width / 2)
    upright = rng.random() < 0.5
    angle = rng.normal(0, 0.06) if upright else rng.uniform(-np.pi / 4, np.pi / 4)
    if rng.random() < 0.4:
        angle += np.pi / 2
    shear = rng.normal(0, 0.08)
    u = np.float32(np.cos(angle)) * x + np.float32(np.sin(angle) + shear) * y
    v = np.float32(-np.sin(angle)) * x + np.float32(np.cos(angle)) * y
    if rng.random() < _PERSPECTIVE_SHARE:
        tilt_x, tilt_y = rng.uniform(-0.35, 0.35, 2)
        depth = 1 + np.float32(tilt_x / width) * x + np.float32(tilt_y / height) * y
        u, v = u / depth, v / depth
    shift_u, shift_v = rng.uniform(0, 500, 2).astype(np.float32)
    return np.asarray(u + shift_u, np.float32), np.asarray(v + shift_v, np.float32)


def _half_plane(rng: np.random.Generator, height: int, width: int) -> npt.NDArray[np.bool_]:
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = rng.choice([0.0, np.pi / 2, np.pi, -np.pi / 2]) + rng.normal(0, 0.15)
    along = np.cos(angle) * (x / width - 0.5) + np.sin(angle) * (y / height - 0.5)
    return np.asarray(along > rng.uniform(-0.3, 0.3))


def _dead_leaves(rng: np.random.Generator, height: int, width: int) -> Array:
    """Discs and boxes covering each other, whose edges have the statistics of photographs.

    Lee, Mumford and Huang, "Occlusion Models for Natural Images", IJCV 2001.
    """
    canvas = Image.new("RGB", (2 * width, 2 * height), _as_bytes(random_colour(rng)))
    draw = ImageDraw.Draw(canvas)
    palette = [random_colour(rng) for _ in range(5)]
    for _ in range(int(rng.integers(20, 90))):
        radius = float(min(rng.pareto(1.5) * 8 + 6, min(height, width)))
        colour = palette[int(rng.integers(5))] + rng.normal(0, 0.05, 3)
        _draw_shape(rng, draw, radius, _as_bytes(colour), (2 * width, 2 * height))
    canvas = canvas.resize((width, height), Image.Resampling.BOX)
    noise = fractal_noise(rng, height, width, cell_pixels=16, roughness=0.7)
    picture = np.asarray(canvas, dtype=np.float32) / 255
    return np.asarray(picture + (rng.uniform(0, 0.05) * noise)[..., None], dtype=np.float32)


def _draw_shape(
    rng: np.random.Generator,
    draw: ImageDraw.ImageDraw,
    radius: float,
    fill: tuple[int, int, int] | int,
    size: tuple[int, int],
) -> None:
    x, y = rng.uniform(0, size[0]), rng.uniform(0, size[1])
    squeeze = radius * rng.uniform(0.4, 1.0)
    if rng.random() < 0.5:
        draw.ellipse((x - radius, y - squeeze, x + radius, y + squeeze), fill=fill)
        return
    turn = rng.uniform(0, np.pi)
    corners = turn + np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 7))))
    points = [(x + radius * np.cos(a), y + squeeze * np.sin(a)) for a in corners]
    draw.polygon([(float(px), float(py)) for px, py in points], fill=fill)


def _with_objects(rng: np.random.Generator, picture: Array, *, count: int) -> Array:
    height, width = picture.shape[:2]
    for _ in range(count):
        stencil = Image.new("L", (2 * width, 2 * height), 0)
        radius = rng.uniform(0.1, 0.45) * min(height, width)
        _draw_shape(rng, ImageDraw.Draw(stencil), radius, 255, stencil.size)
        small = stencil.resize((width, height), Image.Resampling.BOX)
        cover = np.asarray(small, dtype=np.float32)[..., None] / 255
        surface = _pick(rng, SMOOTH)(rng, *_plane(rng, height, width))
        picture = np.asarray(picture + (surface - picture) * cover, dtype=np.float32)
    return picture


def _expose(rng: np.random.Generator, picture: Array) -> npt.NDArray[np.uint8]:
    """Light the scene unevenly, blur it a little, add the sensor's noise, and quantise."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    slope_x, slope_y = rng.normal(0, 0.18, 2).astype(np.float32)
    light = 1 + slope_x * (x / width - np.float32(0.5)) + slope_y * (y / height - np.float32(0.5))
    lit = picture * light[..., None] * np.float32(rng.uniform(0.8, 1.15))
    image = Image.fromarray((np.clip(lit, 0, 1) * 255).astype(np.uint8))
    if rng.random() < 0.4:
        image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.4, 1.6))))
    noise = rng.standard_normal(picture.shape, dtype=np.float32)
    noisy = np.asarray(image, dtype=np.float32) + np.float32(rng.exponential(1.0)) * noise
    return np.asarray(np.clip(np.rint(noisy), 0, 255), dtype=np.uint8)


def _as_bytes(colour: npt.NDArray[np.floating[Any]]) -> tuple[int, int, int]:
    red, green, blue = (int(c) for c in np.clip(np.rint(colour * 255), 0, 255))
    return red, green, blue
