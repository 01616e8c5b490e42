"""The windows of a picture that a model shall see, so that every hole of a mask is filled."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lama_edge.imaging import Hole, fitted_size, padded_size
from lama_edge.spec import SizePolicy
from lama_edge.windows.boxes import Box, box_round, halves, hole_boxes

_ANY_SIDE = 1 << 30


@dataclass(frozen=True, order=True)
class Window:
    """What the model sees of a picture, and what of that it fills.

    Attributes:
        view: the rectangle that the model sees; hole pixels anywhere in it are hole to the model.
        hole: the rectangle inside `view` whose hole pixels are filled from it.
    """

    view: Box
    hole: Box


@dataclass(frozen=True)
class Working:
    """How large a window may be, and what the model makes of it.

    Attributes:
        policy: the sizes that the model takes.
        max_side: largest side of what a dynamic model is given, in pixels, if that is less than
            its own; None is any. A fixed-size model's own size takes its place.
    """

    policy: SizePolicy
    max_side: int | None = None

    @property
    def limits(self) -> tuple[int, int]:
        """Largest height and width that are given to the model unshrunk."""
        fixed = self.policy.fixed
        if fixed is not None:
            return fixed.height, fixed.width
        side = min(self.max_side or _ANY_SIDE, self.policy.max_side or _ANY_SIDE)
        return side, side

    def shrinkage(self, height: int, width: int) -> float:
        """Return by how much a window is shrunk for the model, 1 when it is not."""
        max_height, max_width = self.limits
        return max(1.0, height / max_height, width / max_width)

    def shrunk(self, height: int, width: int) -> tuple[int, int]:
        """Return (height, width) of what is left of a window, before padding."""
        return fitted_size(height, width, *self.limits)

    def seen(self, height: int, width: int) -> tuple[int, int]:
        """Return (height, width) of what the model is given, padding included."""
        fixed = self.policy.fixed
        if fixed is not None:
            return fixed.height, fixed.width
        return padded_size(*self.shrunk(height, width), self.policy.multiple, self.policy.min_size)

    def pixels(self, height: int, width: int) -> int:
        """Return the number of pixels that the model is given for a window."""
        return math.prod(self.seen(height, width))


def context_px(height: int, width: int) -> tuple[int, int]:
    """Return the good and the least margin round a hole's box, in pixels.

    With s, the root of the box's area: 64 + s/3, and 32 + s/4 for windows that would else be
    shrunk. Measured with lama-tiny (docs/how-to/inpainting.md): for holes of 16 to 256 pixels the
    good margin is within 0.2 dB of the best one, 0.2 to 0.6 dB better than the whole picture of 512
    to 768 pixels; the least is about as good as the whole picture.
    """
    mean_side = math.isqrt(height * width)
    return 64 + mean_side // 3, 32 + mean_side // 4


def hole_windows(hole: Hole, working: Working) -> tuple[Window, ...]:
    """Return the windows to fill a picture's holes from.

    Each of `hole_boxes` that would be shrunk is first cut where a whole row or column of it is
    known. A window is such a box with the margin of `context_px` on each side where the picture
    has it, less of it where the window would else be shrunk. Two are replaced by one round both
    where that costs the model fewer pixels and shrinks neither more, or where the hole of one
    reaches into the other's. Last, a window grows into
    the picture where the model would be given padding.

    Every hole pixel is in the `hole` of exactly one window. Windows may overlap, and see holes
    that others fill: as holes, not as filled, so that no result depends on their order.

    Args:
        hole: bool [H,W].
        working: the model's sizes and the largest side.

    Returns:
        From top to bottom; none when there is no hole.
    """
    picture = Box(0, 0, *hole.shape)
    windows: list[Window] = []
    for box in (part for piece in hole_boxes(hole) for part in _cut(piece, hole, working)):
        window, kept = _absorbed(_window(box, picture, working), windows)
        while (joined := _best_join(window, kept, working)) is not None:
            window, kept = joined
        windows = [*kept, window]
    grown = (Window(_filled_up(one.view, picture, working), one.hole) for one in windows)
    return tuple(sorted(grown))


def whole_picture(hole: Hole) -> tuple[Window, ...]:
    """Return the one window that sees and fills everything; none when there is no hole."""
    picture = Box(0, 0, *hole.shape)
    return (Window(picture, picture),) if hole.any() else ()


def _cut(box: Box, hole: Hole, working: Working) -> list[Box]:
    """Cut a box along known rows and columns until its parts need no shrinking."""
    picture = Box(0, 0, *hole.shape)
    done: list[Box] = []
    left = [box]
    while left:
        box = left.pop()
        view = _window(box, picture, working).view
        parts = halves(box, hole) if working.shrinkage(view.height, view.width) > 1 else []
        left += parts
        done += [] if parts else [box]
    return sorted(done)


def _window(box: Box, picture: Box, working: Working) -> Window:
    good, least = context_px(box.height, box.width)
    shrinkage = working.shrinkage(
        min(box.height + 2 * least, picture.height), min(box.width + 2 * least, picture.width)
    )
    down, across = (
        min(good, max(least, int(limit * shrinkage - side) // 2))
        for limit, side in zip(working.limits, (box.height, box.width), strict=True)
    )
    return Window(box.with_margins(down, across, picture), box)


def _filled_up(view: Box, picture: Box, working: Working) -> Box:
    """Return the view with real pixels where the model would be given padding."""
    shrinkage = working.shrinkage(view.height, view.width)
    height, width = working.seen(view.height, view.width)
    return view.grown_to(int(height * shrinkage), int(width * shrinkage), picture)


def _best_join(
    window: Window, windows: list[Window], working: Working
) -> tuple[Window, list[Window]] | None:
    """Return the join that saves the model most pixels, and the windows that it leaves."""
    best: tuple[Window, list[Window]] | None = None
    most = 0
    for other in windows:
        if working.policy.fixed is None and not other.view.overlaps(window.view):
            continue
        least_shrunk = min(_shrinkage(window, working), _shrinkage(other, working))
        if _shrinkage(_round([window, other]), working) > least_shrunk:
            continue
        joined, kept = _absorbed(_round([window, other]), windows)
        if _shrinkage(joined, working) > least_shrunk:
            continue
        gone = [window, *(one for one in windows if one not in kept)]
        saving = sum(_pixels(one, working) for one in gone) - _pixels(joined, working)
        if saving > most:
            best, most = (joined, kept), saving
    return best


def _absorbed(window: Window, windows: list[Window]) -> tuple[Window, list[Window]]:
    """Return the window round it and all whose holes it overlaps, and the other windows."""
    while hits := [one for one in windows if one.hole.overlaps(window.hole)]:
        window = _round([window, *hits])
        windows = [one for one in windows if one not in hits]
    return window, windows


def _round(windows: list[Window]) -> Window:
    return Window(box_round(one.view for one in windows), box_round(one.hole for one in windows))


def _shrinkage(window: Window, working: Working) -> float:
    return working.shrinkage(window.view.height, window.view.width)


def _pixels(window: Window, working: Working) -> int:
    return working.pixels(window.view.height, window.view.width)
