"""The contact sheet: holes filled by OpenCV and by a small generator, beside the truth.

`python -m lama_edge.models.training.evaluation.contact_sheet OUT.jpg [CHECKPOINT]` draws it for the
embedded model. Nothing on it is picked by eye: every scene is the first of its kind in the holdout,
every photograph has its first mask. The kinds are those of the periodic scenes, each of them once.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lama_edge.errors import PictureError, UsageError, exit_code_of, needs_extra
from lama_edge.files import atomic_output, check_output
from lama_edge.models.checkpoint import EMBEDDED_NAME, load_checkpoint
from lama_edge.models.training.evaluation.comparison import (
    NAVIER_STOKES,
    OURS,
    TELEA,
    fill_by_every_method,
)
from lama_edge.models.training.losses.metrics import hole_psnr_db
from lama_edge.pictures.holdout import Picture, Sample, holdout, periodic_surface
from lama_edge.pictures.photographs import photograph_samples
from lama_edge.pictures.textures import PERIODIC

with needs_extra("train"):
    from torch import nn

    from lama_edge.models.torch_modules.build import build_generator

_CELL_PX = 256
_GAP_PX = 12
_MARGIN_PX = 28
_LABEL_PX = 24
_HEADER_PX = 30
_SECTION_PX = 44
_ROW_PX = _CELL_PX + _LABEL_PX + _GAP_PX
_BETWEEN_SECTIONS_PX = 16
_FOOTNOTE_PX = 32
_LARGE_TEXT_PX = 24
_HEADING_TEXT_PX = 18
_TEXT_PX = 16
_PAPER = (255, 255, 255)
_INK = (32, 33, 36)
_FAINT_INK = (106, 110, 117)
_TINT = (225, 62, 104)
_HATCH_TINT = (239, 118, 149)
_HATCH_PERIOD_PX = 10
_HATCH_WIDTH_PX = 3
_JPEG_QUALITY = 45
_SUFFIXES = (".jpg", ".png")
_SEARCHED_SCENES = 1000
# Pillow's own font has no en dash.
_SPELT = {TELEA: TELEA, NAVIER_STOKES: "Navier-Stokes"}
_FOOTNOTE = (
    "Each scene is the first of its kind in the holdout, which is never trained on; masks are "
    "LaMa's wide test masks. PSNR inside the hole."
)


@dataclass(frozen=True)
class Section:
    """Rows of one size.

    Attributes:
        size: side of the pictures in pixels.
        surfaces: kinds of periodic scenes, of which each gives a row.
        photographs: names of photographs, of which each gives a row.
    """

    size: int
    surfaces: tuple[str, ...]
    photographs: tuple[str, ...]


_KINDS = tuple(sorted(PERIODIC))
SECTIONS = (Section(256, _KINDS, ("coffee",)), Section(512, _KINDS, ("brick",)))


@dataclass(frozen=True)
class Row:
    """One row: what it shows, the sample, the better classical fill and its name, our fill."""

    label: str
    sample: Sample
    classical_name: str
    classical: Picture
    ours: Picture


def section_rows(generator: nn.Module, section: Section) -> list[Row]:
    """Fill the samples of a section.

    Raises:
        PictureError: when a kind of scene, or a photograph large enough, does not exist.
        MissingBackendError: when OpenCV or scikit-image is not installed.
    """
    labelled = [(name, _first_of_kind(name, section.size)) for name in section.surfaces]
    for name in section.photographs:
        found = photograph_samples(section.size, 1, names=[name])
        if not found:
            raise PictureError(f"the photograph {name!r} is smaller than {section.size} pixels")
        labelled.append((f"photograph: {name}", found[0]))
    return [_row(generator, label, sample) for label, sample in labelled]


def _first_of_kind(surface: str, size: int) -> Sample:
    for index in range(_SEARCHED_SCENES):
        if periodic_surface(size, index) == surface:
            return holdout(size, index + 1)[index]
    raise PictureError(f"the holdout has no scene of {surface!r}: name a periodic surface")


def _row(generator: nn.Module, label: str, sample: Sample) -> Row:
    fills = fill_by_every_method(generator, sample)
    better = max((TELEA, NAVIER_STOKES), key=lambda name: hole_psnr_db(fills[name], sample))
    return Row(label, sample, better, fills[better], fills[OURS])


def contact_sheet(generator: nn.Module, *, name: str) -> Image.Image:
    """Lay out every section of `SECTIONS`: input, better classical fill, our fill, truth.

    Args:
        generator: in evaluation mode.
        name: how the sheet calls it.
    """
    sections = [(section, section_rows(generator, section)) for section in SECTIONS]
    heights = [
        _SECTION_PX + _HEADER_PX + len(rows) * _ROW_PX + _BETWEEN_SECTIONS_PX
        for _, rows in sections
    ]
    width = 2 * _MARGIN_PX + 4 * _CELL_PX + 3 * _GAP_PX
    height = 2 * _MARGIN_PX + sum(heights) + _FOOTNOTE_PX
    sheet = Image.new("RGB", (width, height), _PAPER)
    top = _MARGIN_PX
    for (section, rows), section_height in zip(sections, heights, strict=True):
        _draw_section(sheet, top, section, rows, name=name)
        top += section_height
    _write(sheet, (_MARGIN_PX, top), _FOOTNOTE, size_px=_TEXT_PX, ink=_FAINT_INK)
    return sheet


def _draw_section(
    sheet: Image.Image, top: int, section: Section, rows: Sequence[Row], *, name: str
) -> None:
    scale = section.size // _CELL_PX
    shown = "" if scale == 1 else f", shown at 1/{scale} of the size"
    title = f"{section.size} x {section.size} pixels{shown}"
    _write(sheet, (_MARGIN_PX, top), title, size_px=_LARGE_TEXT_PX, ink=_INK)
    top += _SECTION_PX
    for column, heading in enumerate(("input", "OpenCV, the better", name, "truth")):
        _write(sheet, (_left(column), top), heading, size_px=_HEADING_TEXT_PX, ink=_INK)
    top += _HEADER_PX
    for row in rows:
        _draw_row(sheet, top, row, name=name)
        top += _ROW_PX


def _draw_row(sheet: Image.Image, top: int, row: Row, *, name: str) -> None:
    pictures = (_with_tinted_hole(row.sample), row.classical, row.ours, row.sample.truth)
    labels = (
        row.label,
        f"{_SPELT[row.classical_name]}: {hole_psnr_db(row.classical, row.sample):.1f} dB",
        f"{name}: {hole_psnr_db(row.ours, row.sample):.1f} dB",
        "",
    )
    for column, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        sheet.paste(_at_cell_size(picture), (_left(column), top))
        below = (_left(column), top + _CELL_PX + _GAP_PX // 3)
        _write(sheet, below, label, size_px=_TEXT_PX, ink=_FAINT_INK)


def _write(
    sheet: Image.Image,
    position: tuple[int, int],
    text: str,
    *,
    size_px: int,
    ink: tuple[int, int, int],
) -> None:
    font = ImageFont.load_default(size_px)
    ImageDraw.Draw(sheet).text(position, text, fill=ink, font=font)


def _left(column: int) -> int:
    return _MARGIN_PX + column * (_CELL_PX + _GAP_PX)


def _at_cell_size(picture: Picture) -> Image.Image:
    image = Image.fromarray(picture)
    if image.width == _CELL_PX:
        return image
    return image.resize((_CELL_PX, _CELL_PX), Image.Resampling.BOX)


def _with_tinted_hole(sample: Sample) -> Picture:
    """Cover the hole by hatching that looks the same at every size once it is in its cell."""
    scale = max(1, sample.mask.shape[0] // _CELL_PX)
    y, x = np.indices(sample.mask.shape)
    hatch = (x + y) // scale % _HATCH_PERIOD_PX < _HATCH_WIDTH_PX
    cover = np.where(hatch[..., None], _HATCH_TINT, _TINT)
    return np.where(sample.hole[..., None], cover, sample.truth).astype(np.uint8)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m lama_edge.models.training.evaluation.contact_sheet",
        description="Draw fills of the holdout beside OpenCV's and the truth.",
    )
    parser.add_argument("out", type=Path, metavar="OUT.jpg", help="a .jpg or .png file")
    parser.add_argument("checkpoint", nargs="?", help="default: the embedded lama-tiny")
    args = parser.parse_args(argv)
    return exit_code_of(lambda: _run(args))


def _run(args: argparse.Namespace) -> None:
    if args.out.suffix not in _SUFFIXES:
        raise UsageError(f"the sheet {str(args.out)!r} must end in {' or '.join(_SUFFIXES)}")
    check_output(args.out)
    generator = build_generator(load_checkpoint(args.checkpoint))
    name = EMBEDDED_NAME if args.checkpoint is None else Path(args.checkpoint).stem
    sheet = contact_sheet(generator, name=name)
    with atomic_output(args.out) as temporary:
        sheet.save(temporary, quality=_JPEG_QUALITY, optimize=True)


if __name__ == "__main__":
    raise SystemExit(main())
