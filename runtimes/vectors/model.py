"""Stand-ins of the shared vectors: pictures, holes and a model that any language can compute.

Their formulas are in tests/data/vectors/README.md; whatever changes here changes there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lama_edge.imaging import Hole, Pixels
from lama_edge.manifest import Manifest, Source
from lama_edge.runtimes.base import Array, Runner, check_inputs
from lama_edge.runtimes.registry import Runtime
from lama_edge.spec import IoForm, SizePolicy, io_spec

Rectangle = tuple[int, int, int, int]
STAND_IN = Runtime("stand-in", "a stand-in", "stand-in", (), "", (), (), {})
CHANNELS = {"grey": 1, "rgb": 3, "rgba": 4}


def noise(seed: int, height: int, width: int, channels: int) -> Pixels:
    """Return a picture of pseudo-random levels, uint8 [H,W], [H,W,3] or [H,W,4]."""
    y, x, c = np.indices((height, width, channels), dtype=np.uint32)
    factors = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F)
    mixed = np.zeros_like(y)
    for index, factor in zip((np.full_like(y, seed), y, x, c), factors, strict=True):
        mixed += index * np.uint32(factor)
    mixed ^= mixed >> 15
    mixed *= np.uint32(0x2C1B3C6D)
    mixed ^= mixed >> 12
    levels: Pixels = (mixed >> 24).astype(np.uint8)
    return levels[:, :, 0] if channels == 1 else levels


def hole_from(rectangles: Sequence[Rectangle], height: int, width: int) -> Hole:
    """Return bool [H,W], True in each (top, left, bottom, right)."""
    hole = np.zeros((height, width), dtype=np.bool_)
    for top, left, bottom, right in rectangles:
        hole[top:bottom, left:right] = True
    return hole


def some_rectangles(
    rng: np.random.Generator, height: int, width: int, *, most: int
) -> list[Rectangle]:
    """Return one to `most` rectangles anywhere in a picture, from single pixels to whole sides."""
    found = []
    for _ in range(int(rng.integers(1, most + 1))):
        top, left = int(rng.integers(height)), int(rng.integers(width))
        down, across = (
            int(rng.choice((1, 1, 1 + side // 40, 1 + side // 20, 1 + side // 9, side)))
            for side in (height, width)
        )
        found.append((top, left, min(height, top + down), min(width, left + across)))
    return found


def stand_in_manifest(
    policy: SizePolicy, form: IoForm = "uint8", *, composite: bool = True, ngf: int = 64
) -> Manifest:
    """Return the manifest of a model that is nowhere exported."""
    return Manifest(
        format={"name": "stand-in"},
        io=io_spec(form, composite=composite),
        size=policy,
        precision="fp32",
        dft="matmul",
        source=Source("0" * 64, {"kind": "ffc_resnet", "ngf": ngf}, 1),
        tools={},
    )


class ArithmeticRunner(Runner):
    """Fills by integer arithmetic that depends on every pixel's place, neighbours and mask.

    Attributes:
        sizes: (height, width) of each run, in order.
    """

    runtime = STAND_IN
    runtime_version = "1"
    provider = "arithmetic"

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self.sizes: list[tuple[int, int]] = []

    def run(self, image: Array, mask: Array) -> Array:
        """Inpaint one picture; see `Runner.run`."""
        io = self.manifest.io
        check_inputs(io, self.manifest.size, image, mask)
        if io.form == "float":
            levels = np.rint(image[0].transpose(1, 2, 0) * np.float32(255))
            hole = mask[0, 0] > 0
        else:
            levels, hole = image[0], mask[0, :, :, 0] > 0
        self.sizes.append((hole.shape[0], hole.shape[1]))
        filled = arithmetic_fill(levels.astype(np.int64), hole)
        if io.composite:
            filled = np.where(hole[:, :, np.newaxis], filled, levels).astype(np.uint8)
        if io.form == "float":
            planar = filled.transpose(2, 0, 1)[np.newaxis].astype(np.float32)
            return np.asarray(planar / np.float32(255))
        return filled[np.newaxis]

    def close(self) -> None:
        """Hold nothing, release nothing."""


def arithmetic_fill(levels: Array, hole: Hole) -> Pixels:
    """Return uint8 [H,W,3] of integer levels [H,W,3]: what `ArithmeticRunner` computes."""
    y, x, c = np.indices(levels.shape)
    mirrored = 3 * levels[:, ::-1] + 5 * np.roll(levels[::-1], -1, axis=2)
    turned = 50 * hole[::-1, ::-1, np.newaxis]
    return np.asarray((mirrored + turned + 7 * y + 11 * x + 13 * c) % 256, dtype=np.uint8)


class GivenRunner(Runner):
    """Returns the output it was given, whatever it sees."""

    runtime = STAND_IN
    runtime_version = "1"
    provider = "given"

    def __init__(self, manifest: Manifest, output: Array) -> None:
        self.manifest = manifest
        self.output = output

    def run(self, image: Array, mask: Array) -> Array:
        """Return the output; see `Runner.run`."""
        return self.output

    def close(self) -> None:
        """Hold nothing, release nothing."""
