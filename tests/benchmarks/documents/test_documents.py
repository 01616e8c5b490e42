"""Bench documents: what is written reads back, and anything else is refused in one line."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from old_documents import in_version_1, in_version_2
from places import DATA, ROOT

from lama_edge.benchmarks.bench.compare import compare
from lama_edge.benchmarks.documents.store import (
    BENCH,
    TRADEOFF,
    DocumentError,
    check_document,
    load_bench,
    save_document,
)
from lama_edge.benchmarks.reports.bench_page import bench_page
from lama_edge.errors import LamaEdgeError, UsageError

SCHEMAS = ROOT / "benchmarks" / "documents" / "schema"
RESULTS = ROOT / "benchmarks" / "results"
# Where no Python ran there is no version of it, and where no page did no browser; without a target
# it was this machine. Older documents of peers say neither of the last two.
OPTIONAL = {"python", "packages", "browser", "gpu", "target", "for", "precision", "psnr_db"}
_SENSORS = {
    "clock_mhz": [2600.0],
    "temperature_c": {"cpu": 41.0},
    "throttled": None,
    "power_w": None,
    "power_mode": None,
    "governor": "performance",
    "battery": {"percent": 81.5, "status": "Discharging"},
    "clocks_pinned": False,
}
_RUN = {
    "model": {
        "name": "t.onnx",
        "format": "onnx",
        "sha256": "0" * 64,
        "size_bytes": 1000,
        "precision": "fp32",
        "io": "float",
        "dft": None,
        "architecture": "ffc_resnet",
        "parameters": 10,
        "source_sha256": "1" * 64,
    },
    "target": "local",
    "program": {"name": "lama-edge-worker", "version": "0.1.0", "sha256": "2" * 64},
    "runtime": "onnxruntime 1.31.1",
    "provider": "cpu",
    "threads": 2,
    "size": "64x64",
    "batch": 1,
    "first": {"load_ms": 9.0, "run_ms": 3.0},
    "rounds": [
        {
            "load_ms": 1.0,
            "first_run_ms": 3.0,
            "warmup_ms": [3.0],
            "samples_ms": [2.0, 2.5],
            "other_load": 0.1,
            "sensors": {"before": _SENSORS, "after": _SENSORS},
            "waited": {"seconds": 4.0, "temperature_c": 34, "sensor": "cpu", "timed_out": False},
        }
    ],
    "sustained": {
        "asked_s": 2.0,
        "at_s": [0.0, 1.0],
        "samples_ms": [1000.0, 1000.5],
        "watched": [
            {"at_s": at_s, "clock_mhz": None, "temperature_c": None, "throttled": None}
            for at_s in (0, 2)
        ],
    },
    "memory_bytes": None,
    "placement": {"providers": {"QNN": 7, "CPU": 1}, "fell_back": ["stem (Pad)"]},
    "parity": {
        "reference": "t in numpy 2.3.5",
        "max_abs_diff": 1e-6,
        "tolerance": 1e-4,
        "psnr_db": None,
        "least_psnr_db": None,
        "passed": True,
    },
    "statistics": {
        "count": 2,
        **dict.fromkeys(("median_ms", "mean_ms", "min_ms", "max_ms", "p90_ms", "p99_ms"), 2.0),
        "spread": 0.1,
        **dict.fromkeys(("first_load_ms", "first_run_ms", "cold_load_ms", "cold_run_ms"), 3.0),
        "sustained_ratio": 1.0005,
    },
    "quality": None,
    "warnings": ["only 2 samples"],
    "error": None,
}
DOCUMENT: dict[str, Any] = {
    "kind": "lama_edge.bench",
    "schema_version": 3,
    "protocol": 2,
    "tool": "lama-edge 0.1.0",
    "measured_on": "2026-11-22",
    "environment": {
        "device": None,
        "chip": "a chip",
        "cores": 2,
        "memory_bytes": 1 << 30,
        "os": "an OS",
        "machine": "x86_64",
        "python": "3.11.7",
        "packages": {"numpy": "2.3.5"},
    },
    "settings": {
        "min_warmup_ms": 200,
        "min_warmup_runs": 3,
        "min_seconds": 3,
        "min_runs": 10,
        "rounds": 1,
        "cool_down_s": 0,
        "max_temperature_c": 35,
        "cool_timeout_s": 300,
        "sustained_s": 2.0,
    },
    "runs": [_RUN],
}


@pytest.fixture
def document() -> dict[str, Any]:
    return copy.deepcopy(DOCUMENT)


@pytest.mark.parametrize("name", sorted(path.name for path in SCHEMAS.glob("*.json")))
def test_each_schema_is_a_schema_and_forbids_what_it_does_not_know(name: str) -> None:
    schema = json.loads((SCHEMAS / name).read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)

    def objects(node: Any) -> Any:
        if isinstance(node, dict):
            if "properties" in node and "type" in node and "required" in node:
                yield node
            for value in node.values():
                yield from objects(value)
        elif isinstance(node, list):
            for value in node:
                yield from objects(value)

    found = list(objects(schema))
    assert len(found) >= 1
    for node in found:
        assert node["additionalProperties"] is False
        assert set(node["properties"]) - set(node["required"]) <= OPTIONAL


def test_a_document_reads_back_as_it_was_written(document: dict[str, Any], tmp_path: Path) -> None:
    save_document(document, tmp_path / "r.json")
    assert load_bench(tmp_path / "r.json") == document


def test_a_document_that_does_not_fit_is_not_written(
    document: dict[str, Any], unchanged_folder: Path
) -> None:
    document["host"] = "box7"
    with pytest.raises(DocumentError, match="host"):
        save_document(document, unchanged_folder / "r.json")


def test_a_row_is_measured_or_failed_and_nothing_between(document: dict[str, Any]) -> None:
    run = document["runs"][0]
    run.update(error="it died", statistics=None, rounds=[], size=None, runtime=None)
    assert check_document(document, BENCH) is document
    run["error"] = None
    with pytest.raises(DocumentError, match=r"at runs\[0\]"):
        check_document(document, BENCH)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as JSON"),
        (b"{", "cannot be read as JSON"),
        (b"\xff\xfe{}", "no UTF-8"),
        (b"[" * 100_000, "cannot be read as JSON"),
        (b"[1]", "no lama_edge.bench document"),
        (b"null", "no lama_edge.bench document"),
        (b'{"kind": "lama_edge.parity"}', "its kind is 'lama_edge.parity'.*lama-edge bench"),
        (b'{"kind": ["\x1b"]}', "cannot be read as JSON"),
        (b'{"kind": "lama_edge.bench"}', "schema_version None"),
        (
            b'{"kind": "lama_edge.bench", "schema_version": 4}',
            "schema_version 4; .* reads 1 and 2 and 3.*upda",
        ),
        (b'{"kind": "lama_edge.bench", "schema_version": true}', "schema_version True"),
        (b'{"kind": "lama_edge.bench", "schema_version": 1}', "at its top level: .*required"),
        (b'{"kind": NaN}', "nan at kind: all numbers must be finite"),
        (b'{"kind": 1e999}', "inf at kind: all numbers must be finite"),
    ],
)
def test_a_file_that_is_no_bench_document_is_refused_in_one_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "r.json"
    path.write_bytes(content)
    with pytest.raises(LamaEdgeError, match=message) as caught:
        load_bench(path)
    assert "r.json" in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.json", tmp_path):
        with pytest.raises(UsageError, match=f"cannot read '.*{path.name}'"):
            load_bench(path)


def _set(*place: str | int, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: Any) -> None:
        for step in place[:-1]:
            document = document[step]
        document[place[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("runs", 0, "threads", to=0), r"at runs\[0\]\.threads: 0 is less"),
        (_set("runs", 0, "rounds", 0, "samples_ms", 1, to=-1.0), r"samples_ms\[1\]"),
        (_set("runs", 0, "rounds", 0, "samples_ms", to=[]), "samples_ms"),
        (_set("runs", 0, "statistics", "median_ms", to="2"), "median_ms"),
        (_set("runs", 0, "statistics", "mean_ms", to=float("nan")), "nan at .*mean_ms: .*finite"),
        (_set("runs", 0, "statistics", "spread", to=float("inf")), "inf at .*spread: .*finite"),
        (_set("runs", 0, "rounds", 0, "load_ms", to=10**400), "a number of 1329 bits at .*load_ms"),
        (_set("runs", 0, "model", "path", to="/home/alice"), "path"),
        (_set("runs", 0, "size", to="big"), "size"),
        (_set("runs", 0, "program", "sha256", to="2"), "sha256"),
        (_set("runs", 0, "parity", "passed", to=None), "parity"),
        (_set("runs", 0, "sustained", "watched", 0, "where", to="here"), "sustained"),
        (_set("runs", 0, "placement", "fell_back", to=["a (Pad)"] * 21), "placement"),
        (_set("protocol", to=3), "protocol"),
        (_set("environment", "host", to="box7"), "environment.*host"),
        (_set("environment", "chip", to=None), r"environment\.chip"),
        (_set("measured_on", to="2026-11-22T10:00:00"), "measured_on"),
        (_set("runs", to=[]), "runs"),
    ],
)
def test_each_field_is_held_to_its_schema(
    document: dict[str, Any], change: Callable[[dict[str, Any]], None], message: str
) -> None:
    change(document)
    with pytest.raises(DocumentError, match=message) as caught:
        check_document(document, BENCH)
    assert str(caught.value).isprintable()


def test_a_machine_without_python_has_a_document(document: dict[str, Any]) -> None:
    del document["environment"]["python"], document["environment"]["packages"]
    assert check_document(document, BENCH) is document


_QUALITY = {"reference": "t", "tolerance": 5e-2, "psnr_db": 50.0, "snr_db": 30.0, "sizes": []}


@pytest.mark.parametrize(
    ("precision", "largest", "passed"),
    [("fp32", 5e-2, True), ("fp32", 6e-2, False), ("fp16", 6e-2, False), ("fp16", 1e-3, None)],
)
def test_version_1_tells_of_passed_only_what_its_figures_say(
    document: dict[str, Any], precision: str, largest: float, passed: bool | None
) -> None:
    document["runs"][0]["model"]["precision"] = precision
    document["runs"][0]["quality"] = {**_QUALITY, "max_abs_diff": largest}
    document = in_version_1(document)
    run = document["runs"][0]
    found = check_document(document, BENCH)
    assert found["schema_version"] == 3
    assert found["runs"][0]["quality"] == {
        **run["quality"], "least_psnr_db": None, "passed": passed
    }  # fmt: skip
    assert check_document(found, BENCH) is found
    assert "passed" not in run["quality"]


@pytest.mark.parametrize(
    ("runtime", "python", "program"),
    [
        ("onnxruntime 1.31.1", True, "python"),
        ("onnxruntime 1.31.1 (C++ worker)", True, "lama-edge-worker"),
        (None, True, "python"),
        ("toy 1.0", False, "unknown"),
    ],
)
def test_version_2_is_read_as_protocol_1(
    document: dict[str, Any], runtime: str | None, python: bool, program: str
) -> None:
    document["runs"][0].update(runtime=runtime, memory_bytes=5000)
    document["runs"][0]["statistics"].update(cold_load_ms=7.0, cold_run_ms=8.0)
    if not python:
        del document["environment"]["python"], document["environment"]["packages"]
    old = in_version_2(document)
    before = copy.deepcopy(old)
    found = check_document(old, BENCH)
    assert old == before
    assert check_document(found, BENCH) is found
    assert (found["schema_version"], found["protocol"]) == (3, 1)
    (run,) = found["runs"]
    assert run["program"] == {"name": program, "version": None, "sha256": None}
    assert run["memory_bytes"] == 5000
    assert (run["statistics"]["cold_load_ms"], run["statistics"]["cold_run_ms"]) == (7.0, 8.0)
    unknown = ("first_load_ms", "first_run_ms", "sustained_ratio")
    assert {run["statistics"][name] for name in unknown} == {None}
    assert {run[name] for name in ("first", "sustained", "placement", "parity")} == {None}
    (one,) = run["rounds"]
    assert one["waited"] is one["sensors"]["before"]["battery"] is None
    assert one["samples_ms"] == [2.0, 2.5]


def test_a_failed_row_of_version_2_is_read(document: dict[str, Any]) -> None:
    document["runs"][0].update(error="it died", statistics=None, rounds=[], size=None, runtime=None)
    (run,) = check_document(in_version_2(document), BENCH)["runs"]
    assert (run["error"], run["statistics"], run["memory_bytes"]) == ("it died", None, None)


def test_a_version_s_quality_is_not_the_other_s(document: dict[str, Any]) -> None:
    document["runs"][0]["quality"] = {**_QUALITY, "max_abs_diff": 0.0}
    with pytest.raises(DocumentError, match="quality"):
        check_document(document, BENCH)


@pytest.mark.parametrize("largest", [5e-2, 6e-2])
@pytest.mark.parametrize("worst_db", [55.0, 54.9, None])
def test_a_trade_off_of_version_1_is_judged_by_its_worst_picture(
    tradeoff_document: dict[str, Any], largest: float, worst_db: float | None
) -> None:
    tradeoff_document["schema_version"] = 1
    del tradeoff_document["format"]
    closeness = tradeoff_document["precisions"][1]["closeness"]
    closeness.update(max_abs_diff=largest, tolerance=5e-2, passed=True)
    closeness["worst_psnr"]["psnr_db"] = worst_db
    document = check_document(tradeoff_document, TRADEOFF)
    assert check_document(document, TRADEOFF) is document
    found = document["precisions"][1]["closeness"]
    assert found["passed"] == (largest <= 5e-2 and worst_db != 54.9)


WRITTEN = {
    RESULTS / "xeon-2-cores.json": 1,
    DATA / "written-by-0.1.0" / "bench.json": 1,
    DATA / "bench-2" / "python.json": 2,
    DATA / "bench-2" / "worker.json": 2,
}


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_older_releases_wrote_is_read_shown_and_compared(path: Path, tmp_path: Path) -> None:
    raw = json.loads(path.read_text())
    assert raw["schema_version"] == WRITTEN[path]
    old = load_bench(path)
    assert old["protocol"] == 1
    for run, was in zip(old["runs"], raw["runs"], strict=True):
        assert run["memory_bytes"] == was["statistics"]["peak_memory_bytes"]
        assert run["statistics"]["cold_load_ms"] == was["statistics"]["load_ms"]
        assert run["statistics"]["median_ms"] == was["statistics"]["median_ms"]
    assert "In results of protocol 1" in bench_page([old])
    save_document(old, tmp_path / "new.json")
    new = load_bench(tmp_path / "new.json")
    assert (
        new["schema_version"] == json.loads((tmp_path / "new.json").read_text())["schema_version"]
    )
    comparison = compare(old, new)
    assert {row.verdict for row in comparison.rows} == {"same"}
    assert {row.peak_memory_ratio for row in comparison.rows} == {1.0}
    again = compare(old, {**new, "protocol": 2})
    assert {row.verdict for row in again.rows} == {"same"}
    assert {row.peak_memory_ratio for row in again.rows} == {None}


def test_rows_of_python_and_of_the_worker_in_version_2_are_compared() -> None:
    python, worker = (
        load_bench(DATA / "bench-2" / name) for name in ("python.json", "worker.json")
    )
    comparison = compare(python, worker)
    assert [row.base for row in comparison.rows] == ["float.onnx at 64x64 on cpu"]
    assert any("run by python in the base and by lama-edge-worker" in n for n in comparison.notes)
