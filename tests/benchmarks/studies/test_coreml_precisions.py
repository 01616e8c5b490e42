"""The figures of a package's precisions: the page holds those that are committed."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("coremltools")

from places import ROOT

from lama_edge.benchmarks.studies.coreml_precisions import PAGE as GENERATED
from lama_edge.benchmarks.studies.coreml_precisions import main, measure
from lama_edge.exporters.formats.coreml.options import PACKAGE_PRECISIONS

RESULT, PAGE = ROOT / "benchmarks/results/coreml.json", ROOT / "docs/reference/coreml.md"


def test_the_page_holds_the_committed_figures_of_every_precision() -> None:
    document = json.loads(RESULT.read_text(encoding="utf-8"))
    assert [row["precision"] for row in document["precisions"]] == list(PACKAGE_PRECISIONS)
    page = PAGE.read_text(encoding="utf-8")
    assert GENERATED.updated(page, document) == page
    assert main(["--check", "--json-out", str(RESULT), "--page", str(PAGE)]) == 0


@pytest.mark.slow
def test_the_committed_figures_can_be_measured_again() -> None:
    document = json.loads(RESULT.read_text(encoding="utf-8"))
    (committed,) = (row for row in document["precisions"] if row["precision"] == "fp16")
    (again,) = measure(committed["figures"]["periodic scenes"]["count"], ["fp16"])["precisions"]
    for name, figures in committed["figures"].items():
        assert again["figures"][name]["psnr_db"] == pytest.approx(figures["psnr_db"], abs=0.5)
