"""Procedural surfaces: periodic patterns and soft noise, evaluated on a plane's coordinates.

Every surface takes a seeded generator and the plane's coordinates `u` and `v` (float32 [H,W],
in pixels) and returns float32 [H,W,3] RGB in about [0,1]. Edges are one pixel soft, so that
nothing aliases at the scale it is drawn at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from PIL import Image

Array = npt.NDArray[np.float32]
Surface = Callable[[np.random.Generator, Array, Array], Array]

_HASH_SIZE = 4096
_PERIOD_PIXELS = (9.0, 44.0)


def random_colour(rng: np.random.Generator) -> Array:
    """Draw a colour, float32 [3] in [0,1]; most are muted, as in photographs."""
    saturation = rng.uniform(0.1, 0.9) if rng.random() < 0.3 else rng.uniform(0.0, 0.25)
    tint = rng.random(3) * 2 - 1
    colour = rng.uniform(0.08, 0.92) + 0.5 * saturation * tint
    return np.clip(colour, 0, 1).astype(np.float32)


def contrasting_colour(rng: np.random.Generator, other: Array) -> Array:
    """Draw a colour whose brightness differs visibly from that of `other`."""
    for _ in range(8):
        colour = random_colour(rng)
        if abs(float(colour.mean() - other.mean())) > 0.15:
            return colour
    return np.asarray(1.0 - other, dtype=np.float32)


def mix(low: Array, high: Array, weight: Array) -> Array:
    """Blend two colours ([3] or [H,W,3]) by `weight` [H,W] in [0,1]."""
    return low + (high - low) * weight[..., None]


def fractal_noise(
    rng: np.random.Generator,
    height: int,
    width: int,
    *,
    cell_pixels: float,
    stretch: float = 1.0,
    roughness: float = 0.5,
    octaves: int = 4,
) -> Array:
    """Sum random grids, each twice as fine as the last, into value noise.

    Args:
        rng: seeded generator.
        height: rows.
        width: columns.
        cell_pixels: size of the coarsest grid's cells.
        stretch: how much taller than wide the cells are.
        roughness: amplitude of each octave relative to the one before.
        octaves: number of grids.

    Returns:
        float32 [H,W] with mean 0 and about 1 of standard deviation.
    """
    total: Array = np.zeros((height, width), dtype=np.float32)
    power = 0.0
    for octave in range(octaves):
        cell = cell_pixels / 2**octave
        if cell < 1:
            break
        rows = max(2, round(height / (cell * stretch)) + 1)
        columns = max(2, round(width / cell) + 1)
        grid = Image.fromarray(rng.standard_normal((rows, columns), dtype=np.float32))
        layer = np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC))
        total += np.float32(roughness**octave) * layer
        power += 0.45 * roughness ** (2 * octave)
    return np.asarray(total / np.sqrt(max(power, 1e-6)), dtype=np.float32)


def _soft_step(x: Array) -> Array:
    return np.clip(x + 0.5, 0, 1)


def _inside(f: Array, low: float, high: float) -> Array:
    return _soft_step(f - low) * _soft_step(high - f)


def _cells(rng: np.random.Generator, row: Array, column: Array) -> Array:
    """Give every cell its own random number in [-1,1]."""
    table = rng.uniform(-1, 1, _HASH_SIZE).astype(np.float32)
    index = row.astype(np.int32) * 73 + column.astype(np.int32) * 19
    return np.asarray(table[index % _HASH_SIZE], dtype=np.float32)


def _period(rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(*np.log(_PERIOD_PIXELS))))


def _grain(rng: np.random.Generator, u: Array, strength: float) -> Array:
    height, width = u.shape
    noise = fractal_noise(rng, height, width, cell_pixels=8, roughness=0.8)
    return (strength * noise)[..., None]


def bricks(rng: np.random.Generator, u: Array, v: Array) -> Array:
    """A wall of bricks or, without the half-brick shift, of tiles."""
    tall = _period(rng) * 0.7 + 3
    wide = tall * rng.uniform(1.0, 3.2)
    shift = rng.choice([0.5, 0.5, 0.0, 0.33])
    joint = rng.uniform(0.5, max(0.9, 0.09 * tall))
    row = np.floor(v / tall)
    along = u + (row * shift * wide).astype(np.float32)
    column = np.floor(along / wide)
    fu, fv = along - column * wide, v - row * tall
    face = _inside(fu, joint, wide - joint) * _inside(fv, joint, tall - joint)
    mortar = random_colour(rng)
    colour = contrasting_colour(rng, mortar)
    varied = colour + (rng.uniform(0, 0.12) * _cells(rng, row, column))[..., None]
    if rng.random() < 0.4:
        varied = varied + (rng.uniform(0.05, 0.2) * (0.5 - fv / tall))[..., None]
    return mix(mortar, varied, face) + _grain(rng, u, rng.uniform(0, 0.05))


def facade(rng: np.random.Generator, u: Array, v: Array) -> Array:
    """Rows of windows with frames, some lit, and a ledge at every floor."""
    tall = _period(rng) * 1.2 + 8
    wide = tall * rng.uniform(0.6, 1.4)
    row, column = np.floor(v / tall), np.floor(u / wide)
    fu, fv = u - column * wide, v - row * tall
    left, top = rng.uniform(0.12, 0.3) * wide, rng.uniform(0.12, 0.3) * tall
    wall = random_colour(rng)
    glass = contrasting_colour(rng, wall) + (0.15 * _cells(rng, row, column))[..., None]
    glass = glass + (rng.uniform(-0.3, 0.3) * (fv / tall - 0.5))[..., None]
    border = rng.uniform(0.8, 2.0)
    frame = _inside(fu, left - border, wide - left + border)
    frame *= _inside(fv, top - border, tall - top + border)
    pane = _inside(fu, left, wide - left) * _inside(fv, top, tall - top)
    if rng.random() < 0.6:
        pane *= 1 - _inside(fu, wide / 2 - border / 2, wide / 2 + border / 2)
    out = mix(wall, random_colour(rng), frame)
    out = mix(out, glass, pane)
    if rng.random() < 0.5:
        out = mix(out, contrasting_colour(rng, wall), _inside(fv, 0.0, rng.uniform(1, 3)))
    return out + _grain(rng, u, rng.uniform(0, 0.03))


def fence(rng: np.random.Generator, u: Array, v: Array) -> Array:
    """Bars and rails, or a diagonal lattice, before a soft background."""
    period = _period(rng)
    if rng.random() < 0.4:
        u, v = (u + v) * np.float32(0.7071), (u - v) * np.float32(0.7071)
        rail_period = period
    else:
        rail_period = period * rng.uniform(1.0, 5.0)
    bar = max(1.2, period * rng.uniform(0.08, 0.3))
    fu, fv = np.mod(u, np.float32(period)), np.mod(v, np.float32(rail_period))
    lines = np.maximum(_inside(fu, 0.5, 0.5 + bar), _inside(fv, 0.5, 0.5 + bar))
    behind = soft(rng, u, v)
    colour = contrasting_colour(rng, behind.mean(axis=(0, 1)))
    shaded = colour + (rng.uniform(-0.2, 0.2) * (fu / bar - 0.5) * (fu < bar + 1))[..., None]
    return mix(behind, shaded, lines)


def stripes(rng: np.random.Generator, u: Array, v: Array) -> Array:
    """Sharp or sinusoidal stripes of two or three colours."""
    period = _period(rng)
    phase = np.mod(u, np.float32(period))
    low = random_colour(rng)
    high = contrasting_colour(rng, low)
    if rng.random() < 0.4:
        return mix(low, high, 0.5 + 0.5 * np.sin(u * np.float32(2 * np.pi / period)))
    out = mix(low, high, _inside(phase, 0.5, period * rng.uniform(0.25, 0.6)))
    if rng.random() < 0.4:
        start = period * rng.uniform(0.62, 0.75)
        out = mix(out, random_colour(rng), _inside(phase, start, start + 0.2 * period))
    return out + _grain(rng, u, rng.uniform(0, 0.03))


def checker(rng: np.random.Generator, u: Array, v: Array) -> Array:
    """A checkerboard, or plaid where two sets of stripes cross."""
    across, down = _period(rng), _period(rng)
    low = random_colour(rng)
    high = contrasting_colour(rng, low)
    if rng.random() < 0.5:
        down = across
    a = _inside(np.mod(u, np.float32(2 * across)), 0.5, across + 0.5)
    b = _inside(np.mod(v, np.float32(2 * down)), 0.5, down + 0.5)
    weight = a + b - 2 * a * b if rng.random() < 0.6 else 0.5 * (a + b)
    return mix(low, high, weight)


def dots(rng: np.random.Generator, u: Array, v: Array) -> Array:
    """Discs or rings on a square or a shifted grid."""
    period = _period(rng) + 4
    row = np.floor(v / period)
    along = u + row * np.float32(rng.choice([0.0, 0.5]) * period)
    column = np.floor(along / period)
    fu, fv = along - (column + 0.5) * period, v - (row + 0.5) * period
    distance = np.hypot(fu, fv).astype(np.float32)
    radius = period * rng.uniform(0.18, 0.45)
    weight = _soft_step(radius - distance)
    if rng.random() < 0.3:
        weight *= _soft_step(distance - 0.5 * radius)
    ground = random_colour(rng)
    colour = contrasting_colour(rng, ground) + (0.06 * _cells(rng, row, column))[..., None]
    return mix(ground, colour, weight) + _grain(rng, u, rng.uniform(0, 0.03))


def text_rows(rng: np.random.Generator, u: Array, v: Array) -> Array:
    """Lines of words made of strokes, like a printed page seen from afar."""
    pitch = rng.uniform(7, 22)
    stroke = pitch * rng.uniform(0.12, 0.2)
    row, column = np.floor(v / pitch), np.floor(u / stroke)
    fv = v - row * pitch
    word = _cells(rng, row, np.floor(column / 4)) > -0.6
    ink = (_cells(rng, row, column) > 0.05) & word
    lines = _inside(fv, 0.2 * pitch, 0.72 * pitch) * ink
    paper = random_colour(rng)
    return mix(paper, contrasting_colour(rng, paper), lines.astype(np.float32))


def soft(rng: np.random.Generator, u: Array, v: Array) -> Array:
    """A smooth gradient, plain or with faint clouds, like a sky or a painted wall."""
    height, width = u.shape
    angle = rng.uniform(0, 2 * np.pi)
    along = u * np.float32(np.cos(angle)) + v * np.float32(np.sin(angle))
    along = (along - along.min()) / max(float(np.ptp(along)), 1e-3)
    first = random_colour(rng)
    second = first + rng.uniform(0.05, 0.5) * (random_colour(rng) - first)
    out = mix(first, second.astype(np.float32), along)
    if rng.random() < 0.6:
        cloud = fractal_noise(rng, height, width, cell_pixels=rng.uniform(24, 128))
        out = out + (rng.uniform(0.01, 0.12) * cloud)[..., None]
    return out


def rough(rng: np.random.Generator, u: Array, v: Array) -> Array:
    """Noise with a colour ramp: grass, gravel, cloth, plaster, foliage."""
    height, width = u.shape
    noise = fractal_noise(
        rng,
        height,
        width,
        cell_pixels=float(np.exp(rng.uniform(*np.log((4.0, 64.0))))),
        stretch=float(rng.choice([1.0, 1.0, 0.25, 4.0])),
        roughness=rng.uniform(0.4, 0.9),
        octaves=5,
    )
    first = random_colour(rng)
    second = first + rng.uniform(0.1, 0.6) * (random_colour(rng) - first)
    return mix(first, second.astype(np.float32), 0.5 + 0.35 * noise)


def wood(rng: np.random.Generator, u: Array, v: Array) -> Array:
    """Grain lines that wander along the board, with gaps between boards."""
    height, width = u.shape
    wander = fractal_noise(rng, height, width, cell_pixels=64, stretch=3, octaves=2)
    period = rng.uniform(4, 16)
    rings = np.sin((u + rng.uniform(1, 6) * wander) * np.float32(2 * np.pi / period))
    fine = fractal_noise(rng, height, width, cell_pixels=3, stretch=12, octaves=2)
    first = random_colour(rng)
    second = first * np.float32(rng.uniform(0.6, 0.9))
    out = mix(first, second, 0.5 + 0.3 * rings + 0.12 * fine)
    if rng.random() < 0.5:
        board = rng.uniform(20, 60)
        gap = _inside(np.mod(u, np.float32(board)), 0.5, 1.5 + 0.03 * board)
        out = mix(out, first * np.float32(0.3), gap)
    return out


PERIODIC: Mapping[str, Surface] = MappingProxyType(
    {
        "bricks": bricks,
        "facade": facade,
        "fence": fence,
        "stripes": stripes,
        "checker": checker,
        "dots": dots,
    }
)
STRUCTURED: Mapping[str, Surface] = MappingProxyType({**PERIODIC, "text_rows": text_rows})
SMOOTH: Mapping[str, Surface] = MappingProxyType({"soft": soft, "rough": rough, "wood": wood})
