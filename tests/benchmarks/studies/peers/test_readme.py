"""The table of peers in the README."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from places import ROOT

from lama_edge.benchmarks.documents.store import PEERS, load_document
from lama_edge.benchmarks.studies.peers.readme import PAGE, block
from lama_edge.errors import UsageError

RESULT = ROOT / "benchmarks" / "results" / "peers.json"
Document = dict[str, Any]
BEGIN, END = PAGE.markers
main = PAGE.main


# Until the forms were named after what they are for, and each runtime had files of its own.
FORMER_NAMES = {
    "lama-edge": "lama-edge-cpu",
    "lama-edge-direct": "lama-edge-any",
    "lama-edge-openvino": "lama-edge-any-openvino",
}
# What was not there when other machines were measured.
LATER = {
    "lama-edge-litert",
    "lama-edge-openvino",
    "lama-edge-executorch",
    "lama-edge-ncnn",
    "lama-edge-mnn",
    "lama-edge-cpu-int8",
    "lama-edge-litert-int8",
    "lama-edge-openvino-int8",
    "lama-edge-executorch-int8",
}


@pytest.fixture
def document() -> Document:
    return load_document(RESULT, PEERS)


def test_the_committed_readme_is_up_to_date() -> None:
    words = ["--check", "--result", str(RESULT), "--page", str(ROOT / PAGE.page)]
    assert main(words) == 0


@pytest.mark.parametrize(
    "path", sorted(RESULT.parent.glob("peers-*.json")), ids=lambda path: path.name
)
def test_committed_comparisons_have_the_entries_that_the_readme_had(
    path: Path, document: Document
) -> None:
    rows = load_document(path, PEERS)["entries"]
    names = {FORMER_NAMES.get(row["name"], row["name"]) for row in rows}
    assert {row["name"] for row in document["entries"]} - LATER <= names
    assert {row["name"] for row in rows if row["error"]} <= LATER
    assert not [row for row in document["entries"] if row["error"]]


def test_every_entry_has_its_row_and_its_description(document: Document) -> None:
    text = block(document)
    for row in document["entries"]:
        assert f"| {row['name']} |" in text
        assert f"- `{row['name']}`: {row['description']}" in text
    limit = next(row["limit"] for row in document["entries"] if row["limit"])
    assert limit["fastest"] in text


def test_the_fastest_of_ours_is_named_whichever_runtime_it_is_in(document: Document) -> None:
    rows = [row for row in document["entries"] if row["name"].startswith("lama-edge-")][:3]
    names = [row["name"] for row in rows]
    for row, precision, median_s in zip(
        rows, ("fp32", "fp32", "int8"), (2.0, 1.6, 9.0), strict=True
    ):
        row.update(precision=precision, median_s=median_s)
    document["entries"] = rows
    text = block(document)
    assert (
        f"The fastest of ours in fp32 is `{names[1]}`; the others' times are 1.25× (`{names[0]}`). "
        f"The fastest of ours in int8 is `{names[2]}`." in text
    )
    rows[2].update(error="out of memory", median_s=None, samples_s=[], ratio=None)
    assert "ours in int8" not in block(document)


def test_a_failed_entry_and_one_left_out_are_said_to_be_so(document: Document) -> None:
    first = document["entries"][0]
    first.update(error="out of memory", median_s=None, samples_s=[], ratio=None)
    document["left_out"] = [{"name": "other", "needs": "package"}]
    text = block(document)
    assert f"| {first['name']} | failed | – |" in text
    assert "`other`: not measured, package was not installed" in text


def test_writing_replaces_only_what_is_between_the_markers(
    tmp_path: Path, document: Document
) -> None:
    page, result = tmp_path / "README.md", tmp_path / "peers.json"
    page.write_text(f"# Top\n\n{BEGIN}\nold\n{END}\n\nThe end.\n", encoding="utf-8")
    result.write_text(json.dumps(document), encoding="utf-8")
    words = ["--result", str(result), "--page", str(page)]
    assert main([*words, "--check"]) == 1
    assert "old" in page.read_text(encoding="utf-8")
    assert main(words) == 0
    assert main([*words, "--check"]) == 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# Top\n\n{BEGIN}\n")
    assert text.endswith(f"{END}\n\nThe end.\n")
    assert "old" not in text


@pytest.mark.parametrize("page", ["", BEGIN, f"{END}{BEGIN}", f"{BEGIN}{END}{BEGIN}{END}"])
def test_a_page_without_its_markers_is_refused(page: str, document: Document) -> None:
    with pytest.raises(UsageError, match="once each"):
        PAGE.updated(page, document)
