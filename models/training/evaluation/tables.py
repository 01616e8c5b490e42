"""How the evaluation is shown: Markdown tables, and their place in a model card."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path

from lama_edge.errors import UsageError
from lama_edge.files import atomic_output
from lama_edge.models.training.evaluation.comparison import (
    Comparison,
    Quality,
    SampleScore,
    summarise,
)

BEGIN_MARKER = "<!-- evaluation:begin -->"
END_MARKER = "<!-- evaluation:end -->"
_REFERENCE_PX = 256
# Near the quartiles of the wide test masks' widths.
_WIDTH_EDGES_PX = (0.0, 15.0, 20.0, math.inf)


def comparison_table(rows: Sequence[tuple[str, str, Comparison]], *, name: str) -> str:
    """Spell comparisons as a Markdown table.

    Args:
        rows: the pictures and the masks in words, and their comparison.
        name: of the generator.
    """
    lines = [
        _header("pictures", "masks", "side", "count", name=name),
        "| --- | --- | --: | --: | --- | --: | --- | --- |",
    ]
    for pictures, masks, found in rows:
        lines.append(f"| {pictures} | {masks} | {found.size} | {found.count} | {_cells(found)} |")
    return "\n".join(lines)


def width_table(groups: Sequence[Sequence[SampleScore]], *, name: str) -> str:
    """Spell scores by the width of their holes, as a Markdown table.

    Args:
        groups: scores of samples of one size each; the widths shown are those at 256 pixels.
        name: of the generator.
    """
    lines = [
        _header("width of the hole", "side", "count", name=name),
        "| --- | --: | --: | --- | --: | --- | --- |",
    ]
    for low, high in itertools.pairwise(_WIDTH_EDGES_PX):
        for scores in groups:
            chosen = [one for one in scores if low <= _width_at_reference(one) < high]
            if chosen:
                found = summarise(chosen)
                lines.append(
                    f"| {_range(low, high)} | {found.size} | {found.count} | {_cells(found)} |"
                )
    return "\n".join(lines)


def _header(*first: str, name: str) -> str:
    measured = ("PSNR, dB", f"{name} above the better", "SSIM", "sharpness")
    return f"| {' | '.join((*first, *measured))} |"


def _cells(found: Comparison) -> str:
    three = (found.telea, found.navier_stokes, found.ours)
    psnr = _three([one.psnr_db for one in three], digits=2)
    return f"{psnr} | {found.margin_db:+.2f} dB | {_rest(three)}"


def _rest(three: Sequence[Quality]) -> str:
    ssim = _three([one.ssim for one in three], digits=3)
    return f"{ssim} | {_three([one.sharpness for one in three], digits=2)}"


def _three(values: Sequence[float], *, digits: int) -> str:
    telea, navier_stokes, ours = (f"{value:.{digits}f}" for value in values)
    return f"{telea} / {navier_stokes} / **{ours}**"


def _width_at_reference(one: SampleScore) -> float:
    return math.inf if one.width_px is None else one.width_px * _REFERENCE_PX / one.size


def _range(low: float, high: float) -> str:
    if low <= 0:
        return f"below {high:.0f} px"
    return f"{low:.0f} px and more" if math.isinf(high) else f"{low:.0f} to {high:.0f} px"


def check_card(card: Path) -> None:
    """Refuse a card without markers before the long work.

    Raises:
        UsageError: when the card cannot be read, or lacks one of the markers.
    """
    _split(card)


def replace_figures(card: Path, figures: str) -> None:
    """Put the figures between the markers of a model card, and leave the rest as it is.

    Raises:
        UsageError: when the card cannot be read or written, or lacks one of the markers.
    """
    before, after = _split(card)
    text = f"{before}{BEGIN_MARKER}\n\n{figures}\n\n{END_MARKER}{after}"
    with atomic_output(card) as temporary:
        temporary.write_bytes(text.encode())


def _split(card: Path) -> tuple[str, str]:
    """Return what stands before and after the figures."""
    try:
        text = card.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the card {str(card)!r} cannot be read: name a text file") from error
    before, begin, rest = text.partition(BEGIN_MARKER)
    _, end, after = rest.partition(END_MARKER)
    if not begin or not end:
        raise UsageError(
            f"the card {str(card)!r} lacks the lines {BEGIN_MARKER} and {END_MARKER}: add them, "
            "in this order, where the tables belong"
        )
    return before, after
