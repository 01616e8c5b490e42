"""The pictures of a trade-off: what each precision made of one, and where it differs from fp32."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lama_edge.benchmarks.documents.pictures import ShownPicture
from lama_edge.benchmarks.reports import figures, images
from lama_edge.benchmarks.reports.charts.svg import round_up

_DETAIL_PX = 96
# Of the differences of the precision farthest from fp32; what lies above is drawn in red.
_TOP_PERCENTILE = 99.0
_NO_DIFFERENCE = 1e-6


@dataclass(frozen=True)
class Column:
    """One column below a picture's heading: the input, or a precision.

    Attributes:
        name: what it is of.
        images: from the top.
    """

    name: str
    images: tuple[images.Shown, ...]


@dataclass(frozen=True)
class PictureShown:
    """A picture as the page shows it.

    Attributes:
        picture: index into the document's ``pictures``.
        role: why it is shown.
        columns: the input, then every precision.
    """

    picture: int
    role: str
    columns: tuple[Column, ...]


def show_pictures(
    pictures: Sequence[ShownPicture], names: Sequence[str]
) -> tuple[list[PictureShown], images.Amplified | None]:
    """Encode all pictures, with one scale for all differences.

    Args:
        pictures: what to show.
        names: what to call each, in the same order.

    Returns:
        What the page shows, and how differences are drawn; None where there are none.
    """
    scale = _scale(pictures)
    plans = [list(_columns(p, name, scale)) for p, name in zip(pictures, names, strict=True)]
    encoders = [e for plan in plans for _, column in plan for _, _, e, _ in column]
    uris = iter(images.encode_all(encoders))
    shown = [
        PictureShown(
            picture.picture,
            picture.role,
            tuple(
                Column(name, tuple(images.Shown(next(uris), alt, text, *size[::-1])
                                   for text, alt, _, size in column))
                for name, column in plan
            ),
        )
        for picture, plan in zip(pictures, plans, strict=True)
    ]  # fmt: skip
    return shown, scale


_Plan = tuple[str, str, images.Encoder, tuple[int, int]]


def _scale(pictures: Sequence[ShownPicture]) -> images.Amplified | None:
    """Return how differences are drawn; None where there are none."""
    found = [d[p.hole] for p in pictures for name, d in p.differences.items() if name != "fp32"]
    largest = max((float(values.max()) for values in found), default=0.0)
    if not found:
        return None
    top = max(float(np.percentile(values, _TOP_PERCENTILE)) for values in found)
    return images.Amplified(round_up(max(top, _NO_DIFFERENCE)), largest)


def _columns(
    shown: ShownPicture, name: str, scale: images.Amplified | None
) -> Iterator[tuple[str, list[_Plan]]]:
    window = _detail(shown)
    place = f"{window[0].stop - window[0].start}×{window[1].stop - window[1].start}\u00a0px"
    size = shown.hole.shape
    detail_size = shown.hole[window].shape
    marked = images.tinted(shown.image, shown.hole)
    yield "input", [
        ("the hole marked", f"{name}: the input, the hole marked", images.photo(marked), size),
        (f"detail, {place}", f"{name}: the detail of the input", images.photo(marked[window]),
         detail_size),
    ]  # fmt: skip
    for precision, output in shown.outputs.items():
        column: list[_Plan] = [
            ("filled", f"{name}: filled by {precision}", images.photo(output), size),
            ("detail", f"{name}: the detail by {precision}", images.photo(output[window]),
             detail_size),
        ]  # fmt: skip
        if precision != "fp32" and scale is not None:
            apart = shown.differences[precision]
            largest = figures.scientific(float(apart.max()))
            encoder = images.difference(apart, shown.hole, scale)
            alt = f"{name}: where {precision} differs from fp32, by up to {largest}"
            caption = f"difference {scale.factor} (≤ {largest})"
            column.append((caption, alt, encoder, size))
        yield precision, column


def _detail(shown: ShownPicture) -> tuple[slice, slice]:
    """Return the window around the pixel where a precision is farthest from fp32."""
    apart = np.max(list(shown.differences.values()), axis=0)
    if not apart.any():
        apart = shown.hole
    row, column = np.unravel_index(int(np.argmax(apart)), apart.shape)
    slices = []
    for place, side in zip((int(row), int(column)), apart.shape, strict=True):
        length = min(side, _DETAIL_PX)
        start = int(np.clip(place - length // 2, 0, side - length))
        slices.append(slice(start, start + length))
    return slices[0], slices[1]
