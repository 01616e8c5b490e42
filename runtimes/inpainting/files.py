"""Inpainting picture files: read, inpaint, write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from lama_edge.errors import UsageError, parameter
from lama_edge.files import atomic_output, check_output
from lama_edge.imaging import check_same_size
from lama_edge.imaging.masks import DEFAULT_RULES, MaskRules, ReadMask, read_mask
from lama_edge.imaging.reading import load_mask, load_picture, stored_orientation
from lama_edge.imaging.saving import check_saveable, save_picture
from lama_edge.pictures.pairs import Pair
from lama_edge.runtimes.inpainting.inpainter import Inpainter
from lama_edge.runtimes.inpainting.strategies import Plan, Strategy
from lama_edge.stores.base import Store

# What a file is to a run.
Role = Literal["picture", "mask", "result"]


@dataclass(frozen=True, kw_only=True)
class InpaintOptions:
    """How pictures are inpainted, one of them or many.

    Attributes:
        strategy: see `Inpainter`.
        max_side: see `Inpainter`.
        tile: see `Inpainter`.
        provider: see `open_runner`.
        threads: see `open_runner`.
        strip_metadata: leave out all that the picture's file says beside its pixels, but for
            the ICC profile.
        max_pixels: how many pixels picture and mask may have; None is Pillow's limit.
        mask_rules: how the mask is read.
        picture_format: for folders, the format of all results, one of `FORMAT_NAMES`; None keeps
            each picture's own. A file's is in the suffix of `output`.
        recursive: for folders, whether those inside are read too.
    """

    strategy: Strategy = "auto"
    max_side: int | None = None
    tile: int | None = None
    provider: str = "auto"
    threads: int | None = None
    strip_metadata: bool = False
    max_pixels: int | None = None
    mask_rules: MaskRules = DEFAULT_RULES
    picture_format: str | None = None
    recursive: bool = False

    def open(self, model: str | Path) -> Inpainter:
        """Open a model as the options say.

        Args:
            model: as for `open_runner`.

        Raises:
            LamaEdgeError: as `Inpainter.open`.
        """
        return Inpainter.open(
            model,
            provider=self.provider,
            threads=self.threads,
            strategy=self.strategy,
            max_side=self.max_side,
            tile=self.tile,
            mask_rules=self.mask_rules,
        )


@dataclass(frozen=True)
class InpaintFile(InpaintOptions):
    """What `inpaint_file` shall do; its options, by name, are those of `InpaintOptions`.

    Attributes:
        model: an exported model, or a checkpoint's path or name; see `open_runner`.
        image: the picture.
        mask: a picture of the same size; any value above 0 is hole.
        output: the picture to write, in the format of its suffix; replaced when it exists, but
            neither picture nor mask.
    """

    model: str | Path
    image: Path
    mask: Path
    output: Path

    def open(self, model: str | Path | None = None) -> Inpainter:
        """Open the job's model, or another one, as the job says.

        Raises:
            LamaEdgeError: as `Inpainter.open`.
        """
        return super().open(self.model if model is None else model)


@dataclass(frozen=True)
class InpaintedFile:
    """A picture that was written.

    Attributes:
        path: where it is; of a store, its path or URL as text.
        width: in pixels.
        height: in pixels.
        hole_share: share of the picture's pixels that were hole, 0 to 1.
        mask_channel: what of the mask was read, see `MaskRules`; never auto.
        plan: the strategy that was used, why, and the windows.
    """

    path: Path | str
    width: int
    height: int
    hole_share: float
    mask_channel: str
    plan: Plan

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "path": str(self.path),
            "width": self.width,
            "height": self.height,
            "hole_share": self.hole_share,
            "mask_channel": self.mask_channel,
            **self.plan.to_dict(),
        }


@dataclass(frozen=True)
class Stores:
    """Where a run's files lie.

    Attributes:
        pictures: those to inpaint.
        masks: their masks, or the one for all.
        output: where results go.
    """

    pictures: Store
    masks: Store
    output: Store


def inpaint_file(job: InpaintFile) -> InpaintedFile:
    """Inpaint one picture file.

    Raises:
        UsageError: when the output cannot be written, or would replace the picture or mask, or
            the job has options for folders.
        PictureError: when picture or mask cannot be used, or the output's format cannot hold
            the picture.
        ModelError: when the model cannot be opened or fails.
        MissingBackendError: when its runtime or provider is not installed here.
    """
    if job.picture_format is not None or job.recursive:
        raise UsageError(
            f"{parameter('picture_format')} and {parameter('recursive')} are for folders, and "
            f"{str(job.image)!r} is none: the suffix of the output says the format"
        )
    given = _read_job(job)
    with job.open() as inpainter:
        return _written_job(inpainter, given, job)


def inpaint_with(inpainter: Inpainter, job: InpaintFile) -> InpaintedFile:
    """Inpaint one picture file with a model that is open already.

    Raises:
        LamaEdgeError: as `inpaint_file`.
    """
    return _written_job(inpainter, _read_job(job), job)


def inpaint_stored(
    inpainter: Inpainter,
    stores: Stores,
    pair: Pair,
    target: str,
    *,
    strip_metadata: bool = False,
    max_pixels: int | None = None,
    mask_rules: MaskRules = DEFAULT_RULES,
    seen: Callable[[Role, Path], None] = lambda role, path: None,
) -> InpaintedFile:
    """Inpaint one picture of a store, to the same bytes as `inpaint_file`.

    Whether the result would replace what a run reads or has written, `Claims` knows.

    Args:
        inpainter: the open model.
        stores: where picture, mask and result lie.
        pair: picture and mask.
        target: the result's name in its store; its suffix is its format.
        strip_metadata: see `InpaintFile`.
        max_pixels: see `InpaintFile`.
        mask_rules: see `InpaintFile`.
        seen: called with each file while it can be read, such as to hash it: picture and mask
            before anything is read of them, the result before it is put in its place.

    Raises:
        LamaEdgeError: as `inpaint_file`, and `StoreFileError` for a file that is missing or
            refused: these are of this one picture.
        StoreError: when a store cannot be used any more.
    """
    output = stores.output.spell(target)
    with stores.pictures.fetched(pair.image) as image, stores.masks.fetched(pair.mask) as mask:
        seen("picture", image)
        seen("mask", mask)
        given = _read(
            _Named(image, stores.pictures.spell(pair.image)),
            _Named(mask, stores.masks.spell(pair.mask)),
            output,
            strip_metadata=strip_metadata,
            max_pixels=max_pixels,
            mask_rules=mask_rules,
        )
    made = _inpainted(inpainter, *given)
    with stores.output.written(target) as temporary:
        save_picture(made.picture, temporary, named=output)
        seen("result", temporary)
    return made.at(output)


@dataclass(frozen=True)
class _Named:
    """A file, and what messages call it, which is its own path where it is no copy."""

    path: Path
    name: str | Path


@dataclass(frozen=True)
class _Made:
    """A result before it is written."""

    picture: Image.Image
    hole_share: float
    mask_channel: str
    plan: Plan

    def at(self, path: Path | str) -> InpaintedFile:
        return InpaintedFile(
            path, *self.picture.size, self.hole_share, self.mask_channel, self.plan
        )


def _read_job(job: InpaintFile) -> tuple[Image.Image, ReadMask]:
    output = job.output
    check_output(output)
    for name, path in (("picture", job.image), ("mask", job.mask)):
        if output.resolve() == path.resolve():
            raise UsageError(f"the output {str(output)!r} is the {name} itself: name another file")
    if job.mask.is_dir():
        raise UsageError(
            f"the mask {str(job.mask)!r} is a folder and the picture {str(job.image)!r} a file: "
            "give one mask, or a folder of pictures too"
        )
    return _read(
        _Named(job.image, job.image),
        _Named(job.mask, job.mask),
        output,
        strip_metadata=job.strip_metadata,
        max_pixels=job.max_pixels,
        mask_rules=job.mask_rules,
    )


def _read(
    image: _Named,
    mask: _Named,
    output: str | Path,
    *,
    strip_metadata: bool,
    max_pixels: int | None,
    mask_rules: MaskRules,
) -> tuple[Image.Image, ReadMask]:
    picture = load_picture(
        image.path, max_pixels=max_pixels, metadata=not strip_metadata, named=image.name
    )
    check_saveable(picture, output)
    read = read_mask(load_mask(mask.path, max_pixels=max_pixels, named=mask.name), mask_rules)
    if picture.size != read.hole.shape[::-1]:
        check_same_size(np.asarray(picture), read.hole, stored_orientation(image.path))
    return picture, read


def _inpainted(inpainter: Inpainter, picture: Image.Image, mask: ReadMask) -> _Made:
    plans: list[Plan] = []
    result = inpainter(picture, mask, report=plans.append)
    return _Made(result, float(mask.hole.mean()), mask.channel, plans[0])


def _written_job(
    inpainter: Inpainter, given: tuple[Image.Image, ReadMask], job: InpaintFile
) -> InpaintedFile:
    made = _inpainted(inpainter, *given)
    with atomic_output(job.output) as temporary:
        save_picture(made.picture, temporary, named=job.output)
    return made.at(job.output)
