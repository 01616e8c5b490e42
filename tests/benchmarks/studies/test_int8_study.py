"""The figures behind int8: their page is the committed result's, and quality is what it says."""

from __future__ import annotations

import json

import pytest
from places import ROOT

from lama_edge.benchmarks.studies.int8_quality import Subject
from lama_edge.benchmarks.studies.int8_study import PAGE, main
from lama_edge.models.checkpoint import load_checkpoint

# Measured 43.1 dB over the whole holdout of this size.
LEAST_INT8_DB, LEAST_W8_DB = 38.0, 45.0


def test_the_page_holds_the_committed_figures() -> None:
    document = json.loads((ROOT / "benchmarks/results/int8.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs/explanation/precision.md").read_text(encoding="utf-8")
    assert PAGE.updated(page, document) == page
    words = ["--json-out", str(ROOT / "benchmarks/results/int8.json")]
    assert main(["--check", *words, "--page", str(ROOT / "docs/explanation/precision.md")]) == 0


@pytest.mark.parametrize(("form", "least"), [("int8", LEAST_INT8_DB), ("w8", LEAST_W8_DB)])
def test_lama_tiny_keeps_its_pictures(form: str, least: float) -> None:
    subject = Subject(load_checkpoint(None), count=3)
    model = getattr(subject, form)(128)
    (found,) = subject.fidelity(model, 128)
    assert found.worst_db >= least
