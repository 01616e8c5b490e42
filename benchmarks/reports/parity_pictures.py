"""The pictures of a parity check: what each side made of a case, and where they differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lama_edge.benchmarks.documents.pictures import CasePictures
from lama_edge.benchmarks.reports import figures, images
from lama_edge.benchmarks.reports.charts.svg import round_up
from lama_edge.benchmarks.reports.images import Amplified

# Differences that stay below this share of the tolerance would all look black on a scale that
# ends at the tolerance: they get a scale of their own.
_FAINT = 1 / 20


@dataclass(frozen=True)
class CaseShown:
    """The pictures of one case as the page shows them.

    Attributes:
        images: input, mask, reference, output and difference.
        legend: how the differences are drawn.
    """

    images: tuple[images.Shown, ...]
    legend: Amplified


def show_cases(
    document: Mapping[str, Any], pictures: Sequence[CasePictures]
) -> dict[tuple[int, int], CaseShown]:
    """Encode all pictures, those of one model with one scale for the differences.

    Args:
        document: a parity document.
        pictures: pictures of any of its cases.

    Returns:
        What the page shows, by the indices of model and case.
    """
    amplified = {
        index: _amplified(
            document["models"][index],
            max(_largest(p) for p in pictures if p.model == index),
        )
        for index in {picture.model for picture in pictures}
    }
    encoders = [e for p in pictures for e in _encoders(p, amplified[p.model])]
    uris = iter(images.encode_all(encoders))
    shown = {}
    for picture in pictures:
        model = document["models"][picture.model]
        case = model["cases"][picture.case]
        legend = amplified[picture.model]
        words = list(_words(model["model"]["name"], case, document["reference"]["name"], legend))
        height, width = picture.hole.shape
        shown[picture.model, picture.case] = CaseShown(
            tuple(images.Shown(next(uris), alt, caption, width, height) for caption, alt in words),
            legend,
        )
    return shown


def _largest(picture: CasePictures) -> float:
    finite = np.nan_to_num(picture.difference, nan=1.0, posinf=1.0)
    return float(finite.max(initial=0.0))


def _encoders(picture: CasePictures, amplified: Amplified) -> Iterator[images.Encoder]:
    yield images.photo(picture.image)
    yield images.mask(picture.hole)
    yield images.photo(picture.reference)
    yield images.photo(picture.output)
    yield images.difference(picture.difference, picture.hole, amplified)


def _words(
    model: str, case: Mapping[str, Any], reference: str, amplified: Amplified
) -> Iterator[tuple[str, str]]:
    """Give the caption and the description of each picture of a case."""
    name = case["name"]
    yield "Input", f"{name}: the picture that was given"
    yield "Mask", f"{name}: the mask, white inside the hole"
    yield "Reference", f"{name}: the result of {reference}"
    yield "Output", f"{name}: the result of {model}"
    yield (
        f"Difference {amplified.factor}",
        f"{name}: the differences inside the hole, amplified {amplified.factor}; "
        f"the largest is {figures.scientific(case['max_abs_diff'])}",
    )


def _amplified(model: Mapping[str, Any], largest: float) -> Amplified:
    """Choose a scale on which both the differences and the tolerance can be judged."""
    allowed = model["tolerance"]
    name = f"the tolerance of {figures.scientific(allowed)}"
    if allowed is None:
        top, remark = round_up(largest or 1.0), "There is no tolerance to compare with."
    elif largest > allowed:
        top, remark = allowed, f"That scale ends at {name}; red is above it, logarithmic."
    elif largest >= _FAINT * allowed:
        top, remark = allowed, f"The scale ends at {name}."
    else:
        top = round_up(largest or allowed)
        times = figures.two_digits(allowed / top)
        remark = f"The scale ends far below {name}, which is {times} times its top."
    return Amplified(top, largest, remark)
