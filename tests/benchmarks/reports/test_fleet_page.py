"""The page of a fleet: every device by its name, and those without a result too."""

from __future__ import annotations

from typing import Any

import pytest

from lama_edge.benchmarks.documents.store import DocumentError
from lama_edge.benchmarks.reports.fleet_page import fleet_page

Document = dict[str, Any]


def _fleet(*devices: tuple[str, Document | None, str | None]) -> Document:
    return {
        "kind": "lama_edge.fleet",
        "schema_version": 1,
        "tool": "lama-edge 0.1.0",
        "measured_on": "2026-11-28",
        "devices": [
            {"name": name, "target": "ssh", "result": result, "error": error}
            for name, result, error in devices
        ],
    }


def test_results_and_failures_are_named(bench_documents: list[Document]) -> None:
    board, laptop = bench_documents
    html = fleet_page(
        _fleet(
            ("kitchen-pi", board, None),
            ("attic-pi", board, None),
            ("phone", None, "the connection to the target was lost <b>"),
            ("desk", laptop, None),
        )
    )
    for name in ("kitchen-pi (Raspberry Pi 5", "attic-pi (Raspberry Pi 5", "desk (AMD Ryzen"):
        assert name in html
    assert "1\u00a0device has no result: phone." in html
    assert "no result</span> the connection to the target was lost &lt;b&gt;" in html
    assert "none with a warning" not in html


def test_a_fleet_of_dead_devices_has_a_page() -> None:
    html = fleet_page(_fleet(("a", None, "nobody answers"), ("b", None, "no such host")))
    assert "2\u00a0devices have no result: a, b." in html
    assert "no such host" in html
    assert "How it was measured" not in html


def test_results_of_others_stand_beside(bench_documents: list[Document]) -> None:
    board, laptop = bench_documents
    html = fleet_page(_fleet(("pi", board, None)), beside=[laptop])
    assert "pi (Raspberry Pi 5" in html
    assert "Latency on 2 devices" in html


@pytest.mark.parametrize("change", [{"result": None}, {"error": "both"}, {"name": "../x"}])
def test_what_is_no_fleet_is_refused(bench_documents: list[Document], change: Document) -> None:
    document = _fleet(("pi", bench_documents[0], None))
    document["devices"][0].update(change)
    with pytest.raises(DocumentError, match=r"^the document does not fit the schema at devices"):
        fleet_page(document)
