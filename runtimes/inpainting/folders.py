"""Inpainting folders of pictures: pairs by name, one open model, bad files reported at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from lama_edge.errors import LamaEdgeError
from lama_edge.files import make_folder
from lama_edge.imaging.saving import suffix_for
from lama_edge.pictures.pairs import Claims, Pair, find_pairs, pair_with_all
from lama_edge.runtimes.inpainting.files import InpaintedFile, InpaintFile, inpaint_with
from lama_edge.stores.base import Store
from lama_edge.stores.local import LocalStore


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
    images, masks, output = (LocalStore(path) for path in (job.image, job.mask, job.output))
    pairs, without_mask = pairs_of(images, masks, recursive=job.recursive, output=output)
    make_folder(job.output)
    outcome = InpaintedFolder(failed={job.image / name: no_mask(masks) for name in without_mask})
    claims = Claims(images, masks, output, pairs)
    with job.open() as inpainter:
        for done, pair in enumerate(pairs):
            progress(done, len(pairs))
            name = target_of(pair, job.picture_format)
            image, target = job.image / pair.image, job.output / name
            try:
                claims.add(name, pair)
                make_folder(target.parent)
                one = replace(job, image=image, mask=job.mask / pair.mask, output=target)
                outcome.written.append(inpaint_with(inpainter, one))
            except LamaEdgeError as error:
                outcome.failed[image] = str(error)
        progress(len(pairs), len(pairs))
    return outcome


def pairs_of(
    images: Store, masks: Store, *, recursive: bool, output: Store
) -> tuple[list[Pair], list[str]]:
    """Return what a run inpaints: see `find_pairs`, or `pair_with_all` where `masks` is one file.

    Raises:
        UsageError: as they do.
    """
    if masks.kind() == "file":
        return pair_with_all(images, masks, recursive=recursive, output=output), []
    return find_pairs(images, masks, recursive=recursive, output=output)


def no_mask(masks: Store) -> str:
    """Return what is wrong with a picture without a mask."""
    return f"there is no mask for it in {masks.spell()!r}"


def target_of(pair: Pair, picture_format: str | None) -> str:
    """Return the name of a pair's result in its store.

    Raises:
        UsageError: when the format is unknown.
    """
    return f"{pair.result}{suffix_for(picture_format, PurePosixPath(pair.image).suffix)}"
