"""What applications use: a picture and a mask of any size in, the inpainted picture out.

Three layers, mirrored by the native wrappers: `_run_model` (arrays of a size that the model
takes), `fill_window` (one window of any size), and the strategies that choose the windows.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Literal, get_args, overload

import numpy as np
from PIL import Image

from lama_edge.errors import ModelError, UsageError
from lama_edge.imaging import (
    Hole,
    Pixels,
    check_pixels,
    check_same_size,
    composite,
    enlarge,
    fitted_size,
    hole_of,
    native_picture,
    pad,
    padded_size,
    shrink,
    shrink_hole,
    to_rgb,
)
from lama_edge.runtimes.base import Array, Runner, open_runner
from lama_edge.runtimes.forms import from_model, to_model
from lama_edge.spec import SizePolicy
from lama_edge.windows import Box, hole_windows

Strategy = Literal["auto", "full", "crop"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)

AUTO_FULL_PIXELS = 1024 * 1024

_log = logging.getLogger(__name__)


class Inpainter:
    """An open model that takes pictures and masks of any size.

    Use it as a context manager; it releases the runner at the end of the block.

    Attributes:
        runner: the open model.
        strategy: how the windows that the model sees are chosen. ``full``: the whole picture
            is one. ``crop``: one for each separate hole, with context round it. ``auto``:
            ``full`` for a picture of at most one megapixel (of at most the model's own size
            when that is fixed), else ``crop``.
    """

    runner: Runner
    strategy: Strategy

    def __init__(self, runner: Runner, *, strategy: Strategy = "auto") -> None:
        """Wrap an open runner.

        Raises:
            UsageError: when the strategy is unknown.
        """
        _check_strategy(strategy)
        self.runner = runner
        self.strategy = strategy

    @classmethod
    def open(
        cls, path: str | Path, *, provider: str = "auto", strategy: Strategy = "auto"
    ) -> Inpainter:
        """Open a model.

        Args:
            path: as in `open_runner`.
            provider: as in `open_runner`.
            strategy: see the class.

        Raises:
            UsageError: when the strategy is unknown.
            ModelError: when the model cannot be opened.
            MissingBackendError: when the runtime or provider is not installed here.
        """
        _check_strategy(strategy)
        return cls(open_runner(path, provider=provider), strategy=strategy)

    @overload
    def __call__(self, image: Image.Image, mask: Image.Image | Array) -> Image.Image: ...

    @overload
    def __call__(self, image: Pixels, mask: Image.Image | Array) -> Pixels: ...

    def __call__(
        self, image: Image.Image | Pixels, mask: Image.Image | Array
    ) -> Image.Image | Pixels:
        """Fill the hole of a picture.

        Args:
            image: a PIL image, or a uint8 array [H,W], [H,W,3] or [H,W,4]. The orientation in
                a PIL image's EXIF data is applied; modes other than L, RGB and RGBA become RGB.
            mask: of the same size, any value above 0 is hole: a PIL image, or a uint8 or bool
                array [H,W] or [H,W,1].

        Returns:
            A new picture of the same type, mode and size, a PIL image with the same ``info``.
            Pixels outside the hole and all of alpha are bit-identical. The model is not run
            when there is no hole.

        Raises:
            PictureError: when image or mask cannot be used, or their sizes differ.
            ModelError: when the model's output is not finite or does not fit its contract.
        """
        hole = hole_of(mask)
        if not isinstance(image, Image.Image):
            check_pixels(image)
            return self._inpaint(image, hole)
        picture = native_picture(image)
        result = Image.fromarray(self._inpaint(np.asarray(picture), hole))
        result.info = dict(picture.info)
        return result

    def close(self) -> None:
        """Release the runner; calling it again does nothing."""
        self.runner.close()

    def __enter__(self) -> Inpainter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _inpaint(self, pixels: Pixels, hole: Hole) -> Pixels:
        check_same_size(pixels, hole)
        result: Pixels = pixels.copy()
        if not hole.any():
            return result
        policy = self.runner.manifest.size
        for window in _plan(self.strategy, hole, policy):
            view = _model_view(window, hole, policy)
            fill = fill_window(self.runner, to_rgb(pixels[view.slices]), hole[view.slices])
            result[window.slices] = composite(
                pixels[window.slices], fill[window.within(view)], hole[window.slices]
            )
        return result


def fill_window(runner: Runner, rgb: Pixels, hole: Hole) -> Pixels:
    """Fill the hole of one window, of any size, in one run of the model.

    A dynamic model gets the window padded to a size it takes. A fixed-size one gets it padded
    to its size, or shrunk to fit first; then the filled window is interpolated back up.

    Args:
        runner: an open model.
        rgb: uint8 [H,W,3].
        hole: bool [H,W].

    Returns:
        uint8 [H,W,3], to be used inside the hole only.

    Raises:
        ModelError: when the model's output is not finite or does not fit its contract.
    """
    height, width = hole.shape
    policy = runner.manifest.size
    if policy.fixed is None:
        size = padded_size(height, width, policy.multiple, policy.min_size)
        return _fill_padded(runner, rgb, hole, size)
    size = policy.fixed.height, policy.fixed.width
    small = fitted_size(height, width, *size)
    if small == (height, width):
        return _fill_padded(runner, rgb, hole, size)
    filled = _fill_padded(runner, shrink(rgb, *small), shrink_hole(hole, *small), size)
    return enlarge(filled, height, width)


def _fill_padded(runner: Runner, rgb: Pixels, hole: Hole, size: tuple[int, int]) -> Pixels:
    fill = _run_model(runner, pad(rgb, *size), pad(hole, *size))
    # A raw fill is composited too: `enlarge` then blends the hole's rim with the real picture.
    return composite(rgb, fill[: rgb.shape[0], : rgb.shape[1]], hole)


def _run_model(runner: Runner, rgb: Pixels, hole: Hole) -> Pixels:
    io = runner.manifest.io
    image, mask = (np.ascontiguousarray(array) for array in to_model(io, rgb, hole))
    output = runner.run(image, mask)
    expected = io.output.shape(*hole.shape)
    if output.shape != expected or output.dtype != np.dtype(io.output.dtype):
        raise ModelError(
            f"the model returned {output.dtype} {output.shape} instead of {io.output.dtype} "
            f"{expected}: export it again"
        )
    levels = from_model(io, output)
    if not np.isfinite(levels).all():
        what = "NaN" if np.isnan(levels).any() else "infinity"
        raise ModelError(
            f"the model returned {what} at {int((~np.isfinite(levels)).sum())} of {levels.size} "
            "values: its precision overflows here, use an fp32 export"
        )
    return np.asarray(np.rint(levels).clip(0, 255), dtype=np.uint8)


def _whole_picture(hole: Hole) -> tuple[Box, ...]:
    return (Box(0, 0, *hole.shape),)


_PLANNERS: dict[str, Callable[[Hole], tuple[Box, ...]]] = {
    "full": _whole_picture,
    "crop": hole_windows,
}


def _check_strategy(strategy: str) -> None:
    if strategy not in STRATEGIES:
        raise UsageError(f"unknown strategy {strategy!r}; choose one of: {', '.join(STRATEGIES)}")


def _plan(strategy: Strategy, hole: Hole, policy: SizePolicy) -> tuple[Box, ...]:
    name, reason = _choose(hole, policy) if strategy == "auto" else (strategy, "as asked")
    windows = _PLANNERS[name](hole)
    _log.info("strategy %s, %d window(s): %s", name, len(windows), reason)
    return windows


def _choose(hole: Hole, policy: SizePolicy) -> tuple[Strategy, str]:
    height, width = hole.shape
    picture = f"the picture of {width}x{height} (width x height)"
    if policy.fixed is not None:
        fits = height <= policy.fixed.height and width <= policy.fixed.width
        limit = f"the model's {policy.fixed.width}x{policy.fixed.height}"
    else:
        fits = height * width <= AUTO_FULL_PIXELS
        limit = f"{AUTO_FULL_PIXELS} pixels"
    if fits:
        return "full", f"{picture} is within {limit}"
    return "crop", f"{picture} is beyond {limit}"


def _model_view(window: Box, hole: Hole, policy: SizePolicy) -> Box:
    """Return the window, grown for a fixed-size model to use real pixels before padding."""
    if policy.fixed is None:
        return window
    height, width = policy.fixed.height, policy.fixed.width
    shrinkage = max(1.0, window.height / height, window.width / width)
    picture = Box(0, 0, *hole.shape)
    return window.grown_to(int(height * shrinkage), int(width * shrinkage), picture)
