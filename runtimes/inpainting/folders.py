"""Inpainting folders of pictures: pairs by name, one open model, bad files reported at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lama_edge.errors import LamaEdgeError, UsageError
from lama_edge.pictures.pairs import find_pairs
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
        job: as for one file, but `image`, `mask` and `output` are folders. Masks are named like
            their picture, or, as LaMa names them, `x_mask001.png` for `x.png`, several a
            picture if need be; both folders may be the same. Results are PNG files named like
            the picture or, with LaMa's names, like the mask; the output folder is made when
            missing.
        progress: called with the number of pairs done and of all.

    Raises:
        UsageError: when a folder is missing, or holds no picture.
        ModelError: when the model cannot be opened.
        MissingBackendError: when its runtime or provider is not installed here.
    """
    pairs, without_mask = find_pairs(job.image, job.mask)
    outcome = InpaintedFolder(
        failed={path: f"there is no mask for it in {str(job.mask)!r}" for path in without_mask}
    )
    origins = {path.resolve(): path for pair in pairs for path in (pair.image, pair.mask)}
    with job.open() as inpainter:
        job.output.mkdir(parents=True, exist_ok=True)
        for done, pair in enumerate(pairs):
            progress(done, len(pairs))
            target = job.output / f"{pair.result}.png"
            try:
                _claim(target, pair.image, origins)
                one = replace(job, image=pair.image, mask=pair.mask, output=target)
                outcome.written.append(inpaint_with(inpainter, one))
            except LamaEdgeError as error:
                outcome.failed[pair.image] = str(error)
        progress(len(pairs), len(pairs))
    return outcome


def _claim(target: Path, image: Path, origins: dict[Path, Path]) -> None:
    """Note that a picture's result is `target`, where that takes nothing from anybody.

    Raises:
        UsageError: when it is a picture or mask of this run, or another picture's result.
    """
    place = target.resolve()
    origin = origins.get(place)
    if origin is not None and origin.resolve() == place:
        raise UsageError(
            f"its result {str(target)!r} would replace a picture or mask: name another folder"
        )
    if origin is not None:
        raise UsageError(
            f"its result {str(target)!r} is that of {str(origin)!r} too: rename one of them"
        )
    origins[place] = image
