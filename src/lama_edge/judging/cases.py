"""The pictures that models are judged on: what a case is, and the seeded ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lama_edge.errors import ModelError
from lama_edge.spec import Size, SizePolicy

_SEED = 20221
# Height and width of the seeded pictures of dynamic models, in multiples of their step.
_SEEDED_STEPS = ((1, 1), (8, 12), (9, 13), (17, 11), (32, 24))


@dataclass(frozen=True)
class ParityCase:
    """A picture and a hole to judge on.

    Attributes:
        image: uint8 [H,W,3], RGB.
        hole: bool [H,W], True inside the hole.
        name: what reports call it.
    """

    image: NDArray[np.uint8]
    hole: NDArray[np.bool_]
    name: str = ""

    @property
    def size(self) -> Size:
        """The picture's size."""
        return Size(*self.hole.shape)

    @property
    def touches_border(self) -> bool:
        """Whether the hole reaches any border, where a fault in a padding shows."""
        hole = self.hole
        return bool(hole[0].any() or hole[-1].any() or hole[:, 0].any() or hole[:, -1].any())


def seeded_cases(policy: SizePolicy) -> list[ParityCase]:
    """Return the pictures that a model of this size policy is judged on.

    A fixed-size model has one; a dynamic one several, square, oblong and with odd bottlenecks, as
    far as its smallest and largest side allow.
    Every hole touches all four borders.
    """
    rng = np.random.default_rng(_SEED)
    return [_seeded_case(rng, size) for size in _seeded_sizes(policy)]


def _seeded_sizes(policy: SizePolicy) -> list[Size]:
    if policy.fixed is not None:
        return [policy.fixed]
    step, least = policy.multiple, policy.min_size
    sizes = [Size(*(policy.side_for(n * step) for n in sides)) for sides in _SEEDED_STEPS]
    if len(set(sizes)) < len(sizes):
        # The smallest side is so large, or the largest so small, that several became the same:
        # they are spread over the sides that there are.
        last = max(map(max, _SEEDED_STEPS)) - 1
        span = last * step
        if policy.max_side is not None:
            span = min(span, policy.max_side - least)
        sizes = [
            Size(*(policy.side_for(least + (n - 1) * span // last) for n in sides))
            for sides in _SEEDED_STEPS
        ]
    return list(dict.fromkeys(sizes))


def shared_policy(one: SizePolicy, other: SizePolicy) -> SizePolicy:
    """Return the sizes that two models both take.

    Raises:
        ModelError: when there is none.
    """
    fixed = one.fixed or other.fixed
    if fixed is not None:
        for policy in (one, other):
            problem = policy.problem_with(fixed.height, fixed.width)
            if problem is not None:
                raise ModelError(
                    f"the model and the reference have no size in common: at {fixed}, {problem}"
                )
    multiple = math.lcm(one.multiple, other.multiple)
    least = -(-max(one.min_size, other.min_size) // multiple) * multiple
    most = min((p.max_side for p in (one, other) if p.max_side is not None), default=None)
    if most is not None:
        most = most // multiple * multiple
        if fixed is None and most < least:
            raise ModelError(
                f"the model and the reference have no size in common: the one begins at {least} a "
                f"side and the other ends at {most}"
            )
    return SizePolicy(fixed, multiple, least, most)


def _seeded_case(rng: np.random.Generator, size: Size) -> ParityCase:
    """Draw smooth colours with texture and noise, and a hole that touches all four borders."""
    rows = np.linspace(0, 1, size.height)[:, None, None]
    columns = np.linspace(0, 1, size.width)[None, :, None]
    image = np.full((size.height, size.width, 3), 0.5)
    for cycles in (1, 3, 11, 29):
        angle, phase = rng.uniform(0, 2 * np.pi, (2, 3))
        wave = cycles * (rows * np.sin(angle) + columns * np.cos(angle))
        image += 0.12 * np.sin(2 * np.pi * wave + phase)
    image += rng.normal(0, 0.03, image.shape)
    pixels = np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)
    return ParityCase(pixels, seeded_hole(rng, size), f"seeded {size}")


def seeded_hole(rng: np.random.Generator, size: Size) -> NDArray[np.bool_]:
    """Draw a block on each border, and a band of noise that crosses the picture."""
    hole = np.zeros((size.height, size.width), dtype=bool)
    for edge in range(4):
        thickness = max(2, hole.shape[0] // 5)
        start = int(rng.integers(0, max(1, hole.shape[1] // 2)))
        hole[:thickness, start : start + max(2, hole.shape[1] // 3)] = True
        hole = np.rot90(hole)
        if edge == 0:
            hole[hole.shape[0] // 3 : hole.shape[0] // 2, :] |= rng.random(hole.shape[1]) < 0.5
    return np.array(hole)
