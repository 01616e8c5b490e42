"""The table of devices in the documentation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from places import ROOT

from lama_edge.benchmarks.documents.store import DocumentError
from lama_edge.benchmarks.studies.device_page import PAGE, device_table
from lama_edge.errors import UsageError

Document = dict[str, Any]
BEGIN, END = PAGE.markers
main = PAGE.main


@pytest.fixture
def clone(tmp_path: Path, bench_documents: list[Document]) -> list[str]:
    """A folder of results and a page, as options of the command."""
    results, page = tmp_path / "results", tmp_path / "devices.md"
    results.mkdir()
    for index, document in enumerate(bench_documents):
        (results / f"{index}.json").write_text(json.dumps(document), encoding="utf-8")
    page.write_text(f"# Devices\n\n{BEGIN}\nold\n{END}\n\nThe end.\n", encoding="utf-8")
    return ["--results", str(results), "--page", str(page)]


def test_the_table_holds_every_run_whatever_the_order(bench_documents: list[Document]) -> None:
    table = device_table(bench_documents)
    assert table == device_table(bench_documents[::-1])
    lines = table.replace("\u00a0", " ").splitlines()
    assert len(lines) == 2 + 8
    assert lines[2] == (
        "| AMD Ryzen 7 7840U | lama-fourier.onnx | fp32 | onnxruntime 1.31.1, cpu | 8 | 512×512 "
        "| 1.19 s | 4.3 % | 1.58 GiB | 118.2 dB |"
    )
    assert "| 3.44 s (⚠) | 8.5 % | 868 MiB | 57.3 dB |" in lines[6]
    assert "| failed | – | – | – |" in lines[8]


def test_a_page_s_device_goes_by_its_name_and_its_browser(page_document: Document) -> None:
    table = device_table([page_document])
    assert (
        "| Pixel 9 (Chrome 156) | lama-tiny.onnx | fp32 | onnxruntime-web 1.30.0, wasm |" in table
    )
    page_document["environment"] |= {"device": None, "chip": "arm valhall"}
    assert "| Chrome 156 on Android 16 (arm valhall) |" in device_table([page_document])


def test_a_name_cannot_break_out_of_its_cell(bench_documents: list[Document]) -> None:
    bench_documents[0]["runs"][0]["model"]["name"] = "a|b`c*[d](e)<script>\n| x"
    (line,) = (row for row in device_table(bench_documents).splitlines() if "script" in row)
    assert "a\\|b\\`c\\*\\[d\\](e)&lt;script&gt; \\| x" in line


def test_no_results_are_said_to_be_none() -> None:
    assert device_table([]) == "No results are committed yet.\n"


def test_writing_replaces_only_what_is_between_the_markers(clone: list[str]) -> None:
    assert main([*clone, "--check"]) == 1
    assert main(clone) == 0
    assert main([*clone, "--check"]) == 0
    text = Path(clone[-1]).read_text(encoding="utf-8")
    assert text.startswith("# Devices\n\n" + BEGIN)
    assert text.endswith(END + "\n\nThe end.\n")
    assert "old" not in text
    assert "Cortex-A76" in text


def test_checking_writes_nothing(clone: list[str]) -> None:
    before = Path(clone[-1]).read_bytes()
    assert main([*clone, "--check"]) == 1
    assert Path(clone[-1]).read_bytes() == before


@pytest.mark.parametrize("page", ["", BEGIN, f"{END}{BEGIN}", f"{BEGIN}{END}{BEGIN}{END}"])
def test_a_page_without_its_markers_is_refused(page: str) -> None:
    with pytest.raises(UsageError, match="once each"):
        PAGE.updated(page, [])


def test_a_damaged_result_is_named(clone: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path(clone[1], "1.json").write_text("{", encoding="utf-8")
    assert main(clone) == DocumentError.exit_code
    assert "1.json" in capsys.readouterr().err


def test_the_committed_page_is_up_to_date() -> None:
    results, page = ROOT / "benchmarks" / "results", ROOT / "docs" / "reference" / "devices.md"
    assert main(["--check", "--results", str(results), "--page", str(page)]) == 0
