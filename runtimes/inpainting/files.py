"""Inpainting picture files: read, inpaint, write."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lama_edge.errors import UsageError, parameter
from lama_edge.files import atomic_output, check_output
from lama_edge.imaging import check_same_size
from lama_edge.imaging.masks import DEFAULT_RULES, MaskRules, ReadMask, read_mask
from lama_edge.imaging.reading import load_mask, load_picture, stored_orientation
from lama_edge.imaging.saving import check_saveable, save_picture
from lama_edge.runtimes.inpainting.inpainter import Inpainter
from lama_edge.runtimes.inpainting.strategies import Plan, Strategy


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
        path: where it is.
        width: in pixels.
        height: in pixels.
        hole_share: share of the picture's pixels that were hole, 0 to 1.
        mask_channel: what of the mask was read, see `MaskRules`; never auto.
        plan: the strategy that was used, why, and the windows.
    """

    path: Path
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
    picture, mask = _read(job)
    with job.open() as inpainter:
        return _inpaint(inpainter, picture, mask, job.output)


def inpaint_with(inpainter: Inpainter, job: InpaintFile) -> InpaintedFile:
    """Inpaint one picture file with a model that is open already.

    Raises:
        LamaEdgeError: as `inpaint_file`.
    """
    picture, mask = _read(job)
    return _inpaint(inpainter, picture, mask, job.output)


def _read(job: InpaintFile) -> tuple[Image.Image, ReadMask]:
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
    limit = job.max_pixels
    picture = load_picture(job.image, max_pixels=limit, metadata=not job.strip_metadata)
    check_saveable(picture, output)
    mask = read_mask(load_mask(job.mask, max_pixels=limit), job.mask_rules)
    if picture.size != mask.hole.shape[::-1]:
        check_same_size(np.asarray(picture), mask.hole, stored_orientation(job.image))
    return picture, mask


def _inpaint(
    inpainter: Inpainter, picture: Image.Image, mask: ReadMask, output: Path
) -> InpaintedFile:
    plans: list[Plan] = []
    result = inpainter(picture, mask, report=plans.append)
    with atomic_output(output) as temporary:
        save_picture(result, temporary, named=output)
    share = float(mask.hole.mean())
    return InpaintedFile(output, result.width, result.height, share, mask.channel, plans[0])
