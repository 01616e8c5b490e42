"""The page on parity shows every tolerance that models are judged by, and no other."""

from __future__ import annotations

from places import ROOT

from lama_edge.judging.tolerances import Tolerance
from lama_edge.runtimes.registry import runtimes

PAGE = ROOT / "docs/explanation/parity.md"
HEADINGS = 2


def test_the_page_has_the_tolerances_of_every_runtime() -> None:
    """Below a runtime's name a blank is the same runtime; several share a row in their order."""
    _, _, rest = PAGE.read_text(encoding="utf-8").partition("\n## Tolerances\n")
    lines = [line for line in rest.partition("\n## ")[0].splitlines() if line.startswith("|")]
    shown: dict[tuple[str, str], Tolerance] = {}
    titles = ""
    for line in lines[HEADINGS:]:
        _, own, precisions, texts, measured, _ = map(str.strip, line.split("|"))
        titles = own or titles
        assert measured
        for title in titles.split("; "):
            for name, text in zip(precisions.split(", "), texts.split("; "), strict=True):
                assert (title, name) not in shown
                shown[title, name] = tolerance(text)
    known = {(one.title, name): it for one in runtimes() for name, it in one.tolerances.items()}
    assert shown == known


def tolerance(text: str) -> Tolerance:
    """Read ``5e-2 and 55 dB``, or the difference alone."""
    difference, _, decibels = text.removesuffix(" dB").partition(" and ")
    return Tolerance(float(difference), float(decibels) if decibels else None)
