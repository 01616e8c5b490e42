"""What applications use: a picture and a mask of any size in, the inpainted picture out.

Three layers, mirrored by the native wrappers: `_run_model` (arrays of a size that the model
takes), `fill_window` (one window of any size), and the `strategies` that choose the windows.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, overload

import numpy as np
from PIL import Image

from lama_edge.errors import ModelError, UsageError
from lama_edge.forms import from_model, to_model
from lama_edge.imaging import (
    Hole,
    Pixels,
    check_same_size,
    composite,
    enlarge,
    pad,
    shrink,
    shrink_hole,
    to_8_bits,
    to_rgb,
    transparent,
)
from lama_edge.imaging.masks import DEFAULT_RULES, MaskRules, ReadMask, hole_of
from lama_edge.imaging.reading import (
    load_mask,
    load_picture,
    native_picture,
    orientation_of,
    stored_orientation,
)
from lama_edge.runtimes.base import Array, Runner, open_runner
from lama_edge.runtimes.inpainting.given import given_mask, given_picture
from lama_edge.runtimes.inpainting.memory import free_bytes
from lama_edge.runtimes.inpainting.strategies import Plan, Strategy, check_options, plan
from lama_edge.windows import Working

_log = logging.getLogger(__name__)
# A picture, or what is read as its mask; tensors are torch's, which is not imported here.
Mask = str | Path | Image.Image | Array | ReadMask


class Inpainter:
    """An open model that takes pictures and masks of any size.

    ``with Inpainter.open("lama.onnx") as inpainter: result = inpainter(photo, mask)``: a context
    manager, which releases the model at the end of the block. One picture after the other may be
    given to it, of any sizes and kinds.

    Attributes:
        runner: the open model; after `open` for tiles a closed one, until another strategy asks
            for it.
        strategy: how the windows that the model sees are chosen. ``full``: the whole picture
            is one. ``crop``: one for each separate hole, with context round it, shrunk for the
            model where it is larger than `max_side`. ``resize``: the whole picture, shrunk to
            `max_side`. ``tiles``: the whole picture at its own resolution, in bounded memory.
            ``auto``: what `strategies.choose` says. Only the fill is enlarged again. May be
            changed between pictures.
        max_side: largest side in pixels of what a dynamic model is given by ``crop`` and
            ``resize``; None is `strategies.DEFAULT_MAX_SIDE`. Fixed-size models go by their size.
        tile: side of a tile in pixels; None leaves it to the runner.
        mask_rules: how masks are read; may be changed between pictures.
        max_pixels: how many pixels a picture's or mask's file may have; None is Pillow's limit.
    """

    def __init__(
        self,
        runner: Runner,
        *,
        strategy: Strategy = "auto",
        max_side: int | None = None,
        tile: int | None = None,
        mask_rules: MaskRules = DEFAULT_RULES,
        max_pixels: int | None = None,
    ) -> None:
        """Wrap an open runner; the arguments are the class's attributes.

        Raises:
            UsageError: when an option cannot be used, or not with the strategy, or `runner` is
                a path.
        """
        check_options(strategy, max_side, tile)
        if not isinstance(runner, Runner):
            raise UsageError(
                f"{str(runner)!r} is no open runner: open a model's path or name by Inpainter.open"
            )
        self.runner = runner
        self.strategy = strategy
        self.max_side = max_side
        self.tile = tile
        self.mask_rules = mask_rules
        self.max_pixels = max_pixels
        self._tiled: Runner | None = None
        self._open_again: Callable[[], Runner] | None = None

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        provider: str = "auto",
        threads: int | None = None,
        strategy: Strategy = "auto",
        max_side: int | None = None,
        tile: int | None = None,
        mask_rules: MaskRules = DEFAULT_RULES,
        max_pixels: int | None = None,
    ) -> Inpainter:
        """Open a model.

        Args:
            path: an exported model, or a checkpoint's path or name; see `open_runner`.
            provider: the runtime's device or execution provider by its short name, such as
                ``cpu``; ``auto`` is the best one of those available. See `open_runner`.
            threads: processor threads that work on one operation; None leaves it to the runtime.
            strategy: how the windows that the model sees are chosen, see the class.
            max_side: largest side in pixels of what a dynamic model is given, see the class.
            tile: side of a tile in pixels, see the class.
            mask_rules: how masks are read: which channel, grown by how much, inverted or not.
            max_pixels: how many pixels a file may have, see the class.

        Raises:
            UsageError: when an option cannot be used, or not with the strategy.
            ModelError: when the model cannot be opened, or not in tiles as asked.
            MissingBackendError: when the runtime or provider is not installed here.
        """
        check_options(strategy, max_side, tile)
        open_whole = partial(open_runner, path, provider=provider, threads=threads)
        inpainter = cls(
            open_whole(),
            strategy=strategy,
            max_side=max_side,
            tile=tile,
            mask_rules=mask_rules,
            max_pixels=max_pixels,
        )
        if strategy == "tiles":
            # Nothing runs whole then: its weights need not stay in memory beside the parts'.
            try:
                inpainter._tiles()
            finally:
                inpainter.runner.close()
            inpainter._open_again = open_whole
        return inpainter

    @overload
    def __call__(
        self,
        image: str | Path | Image.Image,
        mask: Mask | Any,
        *,
        report: Callable[[Plan], None] = ...,
    ) -> Image.Image: ...

    @overload
    def __call__(
        self, image: Array, mask: Mask | Any, *, report: Callable[[Plan], None] = ...
    ) -> Array: ...

    @overload
    def __call__(
        self, image: Any, mask: Mask | Any, *, report: Callable[[Plan], None] = ...
    ) -> Any: ...

    def __call__(
        self,
        image: str | Path | Image.Image | Array | Any,
        mask: Mask | Any,
        *,
        report: Callable[[Plan], None] = lambda plan: None,
    ) -> Image.Image | Array | Any:
        """Fill the hole of a picture.

        Args:
            image: the picture, of any size: a path; a PIL image; an array [H,W], [H,W,1],
                [H,W,3] or [H,W,4] (channels last); or a torch tensor [H,W], [C,H,W] or [1,C,H,W]
                with 1, 3 or 4 channels (channels first). Arrays and tensors are uint8, 0 to 255,
                or floats from 0 to 1, which the model sees in 8 bits. Channels are grey, RGB or
                RGBA, alpha not multiplied in. The orientation in a file's or PIL image's EXIF
                data is applied; `native_picture` says what becomes of modes other than L, RGB,
                RGBA and I;16 (grey of 16 bits, filled with 8 of them).
            mask: of the same size, any value above 0 is hole: a path or a PIL image, read as
                `mask_rules` say; an array [H,W] or [H,W,1] or a tensor [H,W], [1,H,W] or
                [1,1,H,W] of bool, uint8 or floats from 0 to 1; or what `read_mask` read.
            report: called with the windows and why they are these, before the model runs.

        Returns:
            A new picture: for a path or a PIL image a PIL image of the same mode and size, upright,
            with the same ``info`` (`lama_edge.imaging.saving.save_picture` writes it with what is
            kept of a file's metadata); for an array or a tensor one of the same shape, dtype and
            layout, a tensor on the same device. Outside the hole every value is identical to the
            one given, of floats too; so are fully transparent pixels and all of alpha. The model
            takes fully transparent pixels for hole, so that their colour does not bleed into the
            fill. It is not run when there is no hole.

        Raises:
            PictureError: when image or mask cannot be read or used, such as floats that are NaN
                or beyond 0 to 1, or a layout that is none of these; or when their sizes differ.
            ModelError: when the model's output is not finite or does not fit its contract.
        """
        limit = self.max_pixels
        if isinstance(mask, str | Path):
            mask = load_mask(mask, max_pixels=limit)
        hole = hole_of(given_mask(mask), self.mask_rules)
        if isinstance(image, str | Path):
            orientation = stored_orientation(image)
            image = load_picture(image, max_pixels=limit)
        elif isinstance(image, Image.Image):
            orientation = orientation_of(image)
        else:
            given = given_picture(image)
            check_same_size(given.pixels, hole)
            return given.back(self._inpaint(given.pixels, hole, report), hole)
        picture = native_picture(image)
        pixels = np.asarray(picture)
        check_same_size(pixels, hole, orientation)
        filled = self._inpaint(to_8_bits(pixels), hole, report)
        if pixels.dtype == np.uint16:  # the fill has 8 bits, what is known keeps all 16
            result = Image.fromarray(np.where(hole, filled.astype(np.uint16) * 257, pixels))
        else:
            result = Image.fromarray(filled)
        result.info = dict(picture.info)
        return result

    def close(self) -> None:
        """Release the runner; calling it again does nothing."""
        self._open_again = None
        self.runner.close()
        if self._tiled is not None:
            self._tiled.close()

    def __enter__(self) -> Inpainter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _inpaint(self, pixels: Pixels, hole: Hole, report: Callable[[Plan], None]) -> Pixels:
        result: Pixels = pixels.copy()
        # What is fully transparent shows nothing: the model shall not see its colour, nor are
        # windows planned for it, and it keeps its value, in the hole too.
        unseen = transparent(pixels)
        fillable = hole & ~unseen
        if hole.any() and not fillable.any():
            _log.warning("all of the hole is fully transparent: nothing is filled")
        chosen = self._plan(fillable)
        report(chosen)
        for window in chosen.windows:
            view, at = window.view.slices, window.hole.slices
            fill = fill_window(
                self._tiles() if chosen.in_tiles else self._whole(),
                to_rgb(pixels[view]),
                hole[view] | unseen[view],
                max_side=chosen.working.max_side,
            )
            result[at] = composite(pixels[at], fill[window.hole.within(window.view)], fillable[at])
        return result

    def _plan(self, hole: Hole) -> Plan:
        chosen = plan(
            self.strategy,
            hole,
            self.runner.manifest,
            max_side=self.max_side,
            tile=self.tile,
            free_bytes=free_bytes() if self.runner.uses_host_memory else None,
            can_tile=self._can_tile,
        )
        choice = chosen.choice
        _log.info(
            "strategy %s, %d window(s): %s", choice.strategy, len(chosen.windows), choice.reason
        )
        if choice.warning is not None:
            _log.warning("%s", choice.warning)
        return chosen

    def _can_tile(self) -> bool:
        try:
            self._tiles()
        except ModelError as error:
            _log.info("no tiles: %s", error)
            return False
        return True

    def _whole(self) -> Runner:
        """Return the open model; one that was let go for its tiles is opened again."""
        if self._open_again is not None:
            self.runner, self._open_again = self._open_again(), None
        return self.runner

    def _tiles(self) -> Runner:
        if self._tiled is None:
            self._tiled = self.runner.tiled(self.tile)
        return self._tiled


def fill_window(runner: Runner, rgb: Pixels, hole: Hole, *, max_side: int | None = None) -> Pixels:
    """Fill the hole of one window, of any size, in one run of the model.

    The model gets the window padded to a size it takes: a fixed-size one to its size. A window
    that is larger than that, or than `max_side`, is shrunk first, and interpolated back up when
    it is filled.

    Args:
        runner: an open model.
        rgb: uint8 [H,W,3].
        hole: bool [H,W].
        max_side: largest side that a dynamic model is given, in pixels; None is any.

    Returns:
        uint8 [H,W,3], to be used inside the hole only.

    Raises:
        ModelError: when the model's output is not finite or does not fit its contract.
    """
    working = Working(runner.manifest.size, max_side)
    size, small = working.seen(*hole.shape), working.shrunk(*hole.shape)
    if small == hole.shape:
        return _fill_padded(runner, rgb, hole, size)
    filled = _fill_padded(runner, shrink(rgb, *small), shrink_hole(hole, *small), size)
    return enlarge(filled, *hole.shape)


def _fill_padded(runner: Runner, rgb: Pixels, hole: Hole, size: tuple[int, int]) -> Pixels:
    fill = _run_model(runner, pad(rgb, *size), pad(hole, *size))
    # A raw fill is composited too: `enlarge` then blends the hole's rim with the real picture.
    return composite(rgb, fill[: rgb.shape[0], : rgb.shape[1]], hole)


def _run_model(runner: Runner, rgb: Pixels, hole: Hole) -> Pixels:
    io = runner.manifest.io
    image, mask = (np.ascontiguousarray(array) for array in to_model(io, rgb, hole))
    output = runner.run(image, mask)
    height, width = hole.shape
    expected = io.output.shape(height, width, io.pictures)
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
            "values: its precision overflows here, use an fp32 export",
            code="output_nan" if what == "NaN" else "output_infinite",
        )
    np.clip(np.rint(levels, out=levels), 0, 255, out=levels)
    return levels.astype(np.uint8)
