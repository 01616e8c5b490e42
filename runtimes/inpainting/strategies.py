"""Which windows of a picture the model shall see: the strategies, and how `auto` chooses.

`choose` is a pure function of the figures in `Situation`; `plan` gathers them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from lama_edge.errors import UsageError, parameter
from lama_edge.imaging import Hole
from lama_edge.manifest import Manifest
from lama_edge.runtimes.inpainting.memory import run_bytes, tiles_bytes
from lama_edge.spec import SizePolicy
from lama_edge.windows import Window, Working, hole_windows, whole_picture

Strategy = Literal["auto", "full", "crop", "resize", "tiles"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)

DEFAULT_MAX_SIDE = 1024
DEFAULT_TILE = 512
MIN_SIDE = 64
# Crops that see this share of the picture save little, and one run is simpler than several.
NEARLY_ALL = 0.7
# Beyond it a fill is visibly softer than what is round it.
MAX_SHRINKAGE = 2.0
# Of the free memory: the estimate is good to a tenth, and others want some too.
USABLE_SHARE = 0.8


@dataclass(frozen=True)
class Situation:
    """What `auto` decides from.

    Attributes:
        height: of the picture, in pixels.
        width: of the picture.
        policy: the sizes that the model takes.
        full_pixels: pixels that the model sees in the whole picture.
        crop_pixels: pixels that it sees in the windows round the holes, all together.
        largest_pixels: pixels that it sees in the largest of them.
        shrinkage: by how much the most shrunk of them is shrunk.
        max_side: largest side of what the model is given, in pixels.
        asked_max_side: whether the user gave it.
        bytes_per_pixel: memory that a run takes for each pixel that the model sees.
        full_tiles_bytes: memory that the whole picture takes in tiles.
        crop_tiles_bytes: memory that the largest window takes in tiles, not shrunk.
        free_bytes: memory that a run may take; None when nobody knows.
        can_tile: whether the model can run in tiles.
    """

    height: int
    width: int
    policy: SizePolicy
    full_pixels: int
    crop_pixels: int
    largest_pixels: int
    shrinkage: float
    max_side: int
    asked_max_side: bool
    bytes_per_pixel: int
    full_tiles_bytes: int
    crop_tiles_bytes: int
    free_bytes: int | None
    can_tile: bool

    @property
    def nearly_all(self) -> bool:
        """Whether crops would see nearly all of the picture."""
        return self.crop_pixels >= NEARLY_ALL * self.full_pixels

    @property
    def larger(self) -> bool:
        """Whether the picture is larger than what the model shall be given at once."""
        return max(self.height, self.width) > self.max_side

    def fits(self, pixels: int) -> bool:
        """Whether a run over so many pixels has the memory it takes."""
        return self.has(pixels * self.bytes_per_pixel)

    def has(self, amount: int) -> bool:
        """Whether so many bytes should be taken."""
        return self.free_bytes is None or amount <= self.usable_bytes

    @property
    def usable_bytes(self) -> int:
        """The memory that a run should take at most."""
        return int((self.free_bytes or 0) * USABLE_SHARE)


@dataclass(frozen=True)
class Choice:
    """A strategy, and why.

    Attributes:
        strategy: never ``auto``; ``none`` when the mask has no hole.
        code: the reason's stable name, which native wrappers have too: ``no_hole``, ``as_asked``,
            ``within_model`` or ``beyond_model`` (of a fixed size), ``share_seen`` (by crops),
            ``shrunk_too_far``, ``no_memory_for_tiles`` or ``no_memory_for_crop``.
        reason: in words, for the log and for the results.
        max_side: largest side of what a dynamic model is given; None is its own.
        whole: whether the one window is the whole picture, else there is one round each hole.
        warning: what the user should know, and what to do about it.
    """

    strategy: str
    code: str
    reason: str
    max_side: int | None
    whole: bool
    warning: str | None = None


@dataclass(frozen=True)
class Plan:
    """A choice, with its windows.

    Attributes:
        choice: the strategy and why.
        windows: what the model sees and fills; none when there is no hole.
        working: how large the model is given them.
    """

    choice: Choice
    windows: tuple[Window, ...]
    working: Working

    @property
    def in_tiles(self) -> bool:
        """Whether the model's tiled form fills the windows."""
        return self.choice.strategy == "tiles"

    def to_dict(self) -> dict[str, Any]:
        """Return strategy, reason and number of windows as plain data, ready for JSON."""
        return {
            "strategy": self.choice.strategy,
            "reason": self.choice.reason,
            "windows": len(self.windows),
        }


def check_options(strategy: str, max_side: int | None, tile: int | None) -> None:
    """Refuse options that cannot be used, or not together.

    Raises:
        UsageError: naming the option and the value seen.
    """
    if strategy not in STRATEGIES:
        raise UsageError(f"unknown strategy {strategy!r}; choose one of: {', '.join(STRATEGIES)}")
    for name, side, idle in (
        ("max_side", max_side, ("full", "tiles")),
        ("tile", tile, ("full", "crop", "resize")),
    ):
        if side is None:
            continue
        given = parameter(name, side)
        if side < MIN_SIDE:
            raise UsageError(
                f"{given} is too small: give at least {MIN_SIDE} pixels", code=f"{name}_too_small"
            )
        if strategy in idle:
            raise UsageError(
                f"{given} has no effect on {parameter('strategy', strategy)}: leave one of them "
                "out",
                code=f"{name}_unused",
            )


def plan(
    strategy: Strategy,
    hole: Hole,
    manifest: Manifest,
    *,
    max_side: int | None,
    tile: int | None,
    free_bytes: int | None,
    can_tile: Callable[[], bool],
) -> Plan:
    """Choose the windows that the model shall see.

    Args:
        strategy: what the user asked for.
        hole: bool [H,W].
        manifest: the model's.
        max_side: largest side of what a dynamic model is given; None is `DEFAULT_MAX_SIDE`.
        tile: side of a tile in pixels; None is `DEFAULT_TILE`.
        free_bytes: memory that a run may take; None when nobody knows.
        can_tile: tells whether the model can run in tiles; asked only when that matters.
    """
    policy = manifest.size
    side = DEFAULT_MAX_SIDE if max_side is None else max_side
    if policy.max_side is not None:
        side = min(side, policy.max_side)
    if not hole.any():
        none = Choice("none", "no_hole", "the mask has no hole", side, whole=True)
        return Plan(none, (), Working(policy))
    cropped = hole_windows(hole, Working(policy, side))
    situation = _situation(
        hole, manifest, cropped, side, DEFAULT_TILE if tile is None else tile, free_bytes
    )
    situation = replace(situation, asked_max_side=max_side is not None)
    if strategy == "auto":
        choice, untiled = choose(situation), choose(replace(situation, can_tile=False))
        choice = choice if choice == untiled or can_tile() else untiled
    else:
        choice = _as_asked(strategy, situation)
    working = Working(policy, choice.max_side)
    if choice.whole:
        return Plan(choice, whole_picture(hole), working)
    same = choice.max_side == side
    return Plan(choice, cropped if same else hole_windows(hole, working), working)


def choose(situation: Situation) -> Choice:
    """Choose for `auto`; a pure function.

    A fixed-size model gets the whole picture where that fits it, else crops. A dynamic one gets
    the whole picture where crops would see nearly all of it, in tiles when it is larger than
    `max_side`, else crops of at most `max_side`; tiles where that would shrink a window more
    than `MAX_SHRINKAGE` times, unless the user asked for that bound. Where tiles do not fit the
    free memory, there are crops all the same; where those do not, they run in tiles, or, where
    that does not fit either or the model cannot, shrunk until they do, with a warning.
    """
    s = situation
    picture = f"the picture of {s.width}x{s.height} (width x height)"
    if s.policy.fixed is not None:
        model = f"the model's {s.policy.fixed.width}x{s.policy.fixed.height}"
        if s.height <= s.policy.fixed.height and s.width <= s.policy.fixed.width:
            return Choice("full", "within_model", f"{picture} is within {model}", None, whole=True)
        beyond = f"{picture} is beyond {model}"
        return Choice("crop", "beyond_model", beyond, s.max_side, whole=False)
    share = f"{picture}, of which crops see {min(1.0, s.crop_pixels / s.full_pixels):.0%}"
    if s.nearly_all and not s.larger and s.fits(s.full_pixels):
        return Choice("full", "share_seen", share, None, whole=True)
    tiles = _better_in_tiles(s, picture, share)
    if tiles is not None and s.has(tiles[1]):
        return tiles[0]
    if not s.fits(s.largest_pixels):
        return _short_of_memory(s, picture)
    if tiles is None:
        return Choice("crop", "share_seen", share, s.max_side, whole=False)
    need, free = _gib(tiles[1]), _gib(s.free_bytes or 0)
    reason = f"{picture}: tiles take about {need} and {free} are free"
    made = f"{reason}, so the fill is made {s.shrinkage:.1f} times smaller: free memory, or give "
    warning = made + f"{parameter('strategy', 'tiles')} to try" if s.shrinkage > 1 else None
    return Choice("crop", "no_memory_for_tiles", reason, s.max_side, whole=False, warning=warning)


def _better_in_tiles(s: Situation, picture: str, share: str) -> tuple[Choice, int] | None:
    """Return the choice of tiles where crops are worse, and the memory that it takes."""
    if not s.can_tile or s.asked_max_side:
        return None
    if s.nearly_all and s.larger:
        return Choice("tiles", "share_seen", share, None, whole=True), s.full_tiles_bytes
    if s.shrinkage > MAX_SHRINKAGE:
        crop = f"a crop of {s.max_side} pixels would shrink a hole {s.shrinkage:.1f} times"
        choice = Choice("tiles", "shrunk_too_far", f"{picture}: {crop}", None, whole=False)
        return choice, s.crop_tiles_bytes
    return None


def _short_of_memory(s: Situation, picture: str) -> Choice:
    need, free = (_gib(n) for n in (s.largest_pixels * s.bytes_per_pixel, s.free_bytes or 0))
    reason = f"{picture}: a crop takes about {need} and {free} are free"
    if s.can_tile and s.has(s.crop_tiles_bytes):
        return Choice("tiles", "no_memory_for_crop", reason, None, whole=False)
    step = s.policy.multiple
    fitting = math.isqrt(s.usable_bytes // s.bytes_per_pixel) // step * step
    side = min(max(MIN_SIDE, fitting), s.max_side)
    warning = (
        f"{reason}, so the fill is made at {side} pixels a side: free memory, or give "
        f"{parameter('max_side', side)} to say so yourself"
    )
    return Choice("resize", "no_memory_for_crop", reason, side, whole=False, warning=warning)


def _as_asked(strategy: Strategy, s: Situation) -> Choice:
    bounded = strategy in ("crop", "resize")
    warning = None
    run = {"full": s.full_pixels, "crop": s.largest_pixels}.get(strategy, 0) * s.bytes_per_pixel
    need = s.full_tiles_bytes if strategy == "tiles" else run
    other = parameter("strategy", "crop" if strategy == "tiles" else "tiles")
    if strategy != "tiles":
        other += f", or resize with a smaller {parameter('max_side')}"
    if not s.has(need):
        warning = (
            f"{parameter('strategy', strategy)} takes about {_gib(need)} and "
            f"{_gib(s.free_bytes or 0)} are free: should it fail, give {other}"
        )
    side = s.max_side if bounded else None
    whole = strategy != "crop"
    return Choice(strategy, "as_asked", "as asked", side, whole=whole, warning=warning)


def _situation(
    hole: Hole,
    manifest: Manifest,
    windows: tuple[Window, ...],
    max_side: int,
    tile: int,
    free_bytes: int | None,
) -> Situation:
    policy = manifest.size
    working, unbounded = Working(policy, max_side), Working(policy)
    sizes = [(window.view.height, window.view.width) for window in windows]
    pixels = [working.pixels(*size) for size in sizes]
    full_pixels = unbounded.pixels(*hole.shape)
    unshrunk_pixels = max(unbounded.pixels(*size) for size in sizes)
    return Situation(
        height=hole.shape[0],
        width=hole.shape[1],
        policy=policy,
        full_pixels=full_pixels,
        crop_pixels=sum(pixels),
        largest_pixels=max(pixels),
        shrinkage=max(working.shrinkage(*size) for size in sizes),
        max_side=max_side,
        asked_max_side=False,
        bytes_per_pixel=run_bytes(manifest, 1),
        full_tiles_bytes=tiles_bytes(manifest, full_pixels, tile),
        crop_tiles_bytes=tiles_bytes(manifest, unshrunk_pixels, tile),
        free_bytes=free_bytes,
        can_tile=True,
    )


def _gib(amount: int) -> str:
    return f"{amount / 2**30:.1f} GiB"
