"""Pages that are made of committed results: what is out of date is told, and written when asked."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from places import ROOT

from lama_edge.benchmarks.studies.generated import GeneratedPage
from lama_edge.errors import UsageError


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("coreml_precisions", "| pal4 |"),
        ("cpp_overhead", "| lama-tiny, float | 2 |"),
        ("large_photograph", "| `tiles` |"),
        ("web_speed", "| lama-tiny, int8 |"),
        ("worker_speed", "| lama-tiny | 2 workers, 1 thread each |"),
    ],
)
def test_a_page_that_is_out_of_date_is_told_and_left_alone(
    name: str, row: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if name == "coreml_precisions":
        pytest.importorskip("coremltools")
    module = importlib.import_module(f"lama_edge.benchmarks.studies.{name}")
    generated: GeneratedPage = module.PAGE
    page = tmp_path / "page.md"
    page.write_text("\n".join(generated.markers))
    words = ["--json-out", str(ROOT / generated.result), "--page", str(page)]
    assert module.main([*words, "--check"]) == 1
    assert f"is out of date: run python -m {module.__name__}" in capsys.readouterr().err
    assert page.read_text() == "\n".join(generated.markers)
    assert module.main(words) == 0
    assert row in page.read_text()
    assert module.main(["--page", str(tmp_path / "none.md")]) == UsageError.exit_code
