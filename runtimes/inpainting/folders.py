"""Inpainting folders of pictures: pairs by name, one open model, bad files reported at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lama_edge.errors import LamaEdgeError, UsageError
from lama_edge.files import make_folder
from lama_edge.imaging.saving import suffix_for
from lama_edge.pictures.pairs import Pair, find_pairs, pair_with_all
from lama_edge.runtimes.inpainting.files import InpaintedFile, InpaintFile, inpaint_with


@dataclass(frozen=True)
class InpaintedFolder:
    """What became of a folder's pictures.

    Attributes:
        written: the pictures that were written.
        failed: the others, with what was wrong.
    """

    written: list[InpaintedFile] = field(default_factory=list)
    failed: dict[Path, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "written": [result.to_dict() for result in self.written],
            "failed": {str(path): message for path, message in self.failed.items()},
        }


def inpaint_folder(
    job: InpaintFile, progress: Callable[[int, int], None] = lambda done, total: None
) -> InpaintedFolder:
    """Inpaint every picture of a folder, going on past those that cannot be used.

    Args:
        job: as for one file, but `image` and `output` are folders, and `mask` is one mask for
            all pictures or a folder of masks, named as `find_pairs` says; both folders may be
            the same. Results have the format of their picture, PNG where that cannot be
            written, or `picture_format`. They stand in the same folders inside `output`, which
            are made when missing.
        progress: called with the number of pairs done and of all.

    Raises:
        UsageError: when a folder is missing, holds no picture, or cannot be made.
        ModelError: when the model cannot be opened.
        MissingBackendError: when its runtime or provider is not installed here.
    """
    pairs, without_mask = _pairs(job)
    make_folder(job.output)
    outcome = InpaintedFolder(
        failed={path: f"there is no mask for it in {str(job.mask)!r}" for path in without_mask}
    )
    claims = _Claims(pairs)
    with job.open() as inpainter:
        for done, pair in enumerate(pairs):
            progress(done, len(pairs))
            target = _target(job, pair)
            try:
                claims.add(target, pair)
                make_folder(target.parent)
                one = replace(job, image=pair.image, mask=pair.mask, output=target)
                outcome.written.append(inpaint_with(inpainter, one))
            except LamaEdgeError as error:
                outcome.failed[pair.image] = str(error)
        progress(len(pairs), len(pairs))
    return outcome


def _pairs(job: InpaintFile) -> tuple[list[Pair], list[Path]]:
    if job.mask.is_file():
        pairs = pair_with_all(job.image, job.mask, recursive=job.recursive, output=job.output)
        return pairs, []
    return find_pairs(job.image, job.mask, recursive=job.recursive, output=job.output)


def _target(job: InpaintFile, pair: Pair) -> Path:
    suffix = suffix_for(job.picture_format, pair.image.suffix)
    return job.output / pair.image.parent.relative_to(job.image) / f"{pair.result}{suffix}"


class _Claims:
    """The files that a run reads and has written, so that none is replaced.

    Args:
        pairs: of the run.
    """

    def __init__(self, pairs: list[Pair]) -> None:
        masks = {pair.mask.resolve() for pair in pairs}
        self._read = masks | {pair.image.resolve() for pair in pairs}
        # What a mask is named is no name for a result in its folder, whatever the suffix: the
        # next run would take it for one.
        self._masks = masks | {mask.with_suffix("") for mask in masks}
        self._written: dict[Path, Pair] = {}

    def add(self, target: Path, pair: Pair) -> None:
        """Note that a pair's result is `target`.

        Raises:
            UsageError: when it would replace a picture or mask of this run, be taken for a mask
                by the next, or is another pair's result.
        """
        place = target.resolve()
        if place in self._read or {place, place.with_suffix("")} & self._masks:
            raise UsageError(
                f"its result {str(target)!r} would replace a picture or mask: name another folder"
            )
        other = self._written.setdefault(place, pair)
        if other is not pair:
            raise UsageError(
                f"its result {str(target)!r} with the mask {pair.mask.name!r} is that of "
                f"{str(other.image)!r} with {other.mask.name!r} too: rename one of them"
            )
