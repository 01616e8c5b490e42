"""WebAssembly beside native ONNX Runtime: the tables, and what is measured for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bench_page import options
from chromium import find_browser
from places import ROOT

from lama_edge.benchmarks.documents.store import DocumentError
from lama_edge.benchmarks.studies.web_speed import GROUPS, ROWS, THREADS, load, main, measure
from lama_edge.benchmarks.studies.web_speed import PAGE as GENERATED
from lama_edge.errors import MissingBackendError, UsageError
from lama_edge.models.config import BIG_LAMA, FfcResnetConfig
from lama_edge.spec import Size

RESULT, PAGE = ROOT / GENERATED.result, ROOT / GENERATED.page
SAMPLES = [[1000.0, 1100.0], [1200.0, 1100.0]]


def test_the_page_holds_the_committed_figures() -> None:
    document = load(RESULT)
    assert document["config"] == BIG_LAMA.to_dict()
    check(document, rounds=3)
    assert main(["--check", "--json-out", str(RESULT), "--page", str(PAGE)]) == 0


def run_of(name: str, target: str, scale: float, warnings: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return what the tables take of a run."""
    medians = {"median_ms": 1100.0, "cold_load_ms": 500.0, "cold_run_ms": 2000.0}
    return {
        "model": {"name": f"{name}.onnx", "size_bytes": 4_500_000},
        "target": target,
        "runtime": "onnxruntime-web 1.30.0" if target == "browser" else "onnxruntime 1.31.1",
        "memory_bytes": (1 << 30) * scale,
        "warnings": list(warnings),
        "rounds": [{"samples_ms": [scale * one for one in some]} for some in SAMPLES],
        "statistics": {"spread": 0.05, **{key: scale * one for key, one in medians.items()}},
    }


def document() -> dict[str, Any]:
    """Return a result in which a page takes four times as long as Python, of big-web eight."""
    environment = {"chip": "a chip", "cores": 2, "browser": {"name": "Chromium", "version": "156"}}
    benches = {}
    for key, group in GROUPS.items():
        runs = []
        for row in group.rows:
            warnings = ("drifts",) if row.name == "tiny-web" else ()
            scale = 8 if row.name == "big-web" else 4
            runs.append(run_of(row.name, "browser", scale, warnings))
            runs.append(run_of(row.name, "local", 1))
        benches[key] = {"environment": environment, "settings": {"rounds": 2}, "runs": runs}
    tabs = {row.name: {"page_bytes": 100 << 20, "peak_bytes": 3 << 30} for _, row in ROWS}
    return {"config": BIG_LAMA.to_dict(), "benches": benches, "tabs": tabs}


def test_the_tables_set_a_page_beside_python() -> None:
    text = GENERATED.text(document()).replace("\u00a0", " ")
    rows = [
        line for line in text.splitlines() if line.startswith("| big-lama's shape, `--for web`")
    ]
    speed, memory = rows
    assert "| 8.80 s | 5.0 % | 1.10 s | 5.0 % | 8.00× (" in speed
    assert (
        "| 4.50 MB | 4.00 s | 16.0 s | 500 ms | 2.00 s | 3.00 GiB | 8.00 GiB | 1.00 GiB |" in memory
    )
    assert "takes 8.00× (" in text
    assert "4.00× (" in text
    # A warning of `bench` stays with its figure, and with no other.
    assert text.count("4.40 s (⚠)") == text.count("(⚠) |") == 1
    assert "Medians over 2 rounds" in text
    assert "Chromium 156, headless, onnxruntime-web 1.30.0; native is onnxruntime 1.31.1" in text
    assert "100 MiB before the model" in text


def test_the_interval_is_of_the_ratio() -> None:
    (speed, _) = [
        line for line in GENERATED.text(document()).splitlines() if "`--for cpu` |" in line
    ]
    low, high = speed.split("× (")[1].rstrip(" |)").split(" to ")
    assert 3.3 < float(low) < 4 < float(high) < 4.9


def test_a_bench_that_does_not_fit_its_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "web.json"
    path.write_text(json.dumps(document()))
    with pytest.raises(DocumentError):
        load(path)
    assert main(["--json-out", str(path), "--page", str(PAGE)]) == DocumentError.exit_code


@pytest.mark.browser
@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--rounds", "0"], UsageError.exit_code, "--rounds is 0; give 1 or more"),
        (
            ["--chromium", "no-such-program"],
            MissingBackendError.exit_code,
            "there is no Chromium 'no-such-program': name its program",
        ),
        (
            ["--ort-web", "no-such-folder"],
            UsageError.exit_code,
            "no-such-folder",
        ),
    ],
)
def test_what_is_missing_is_said_before_anything_is_made(
    words: list[str], code: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options()
    if find_browser() is None:
        pytest.skip("there is no Chromium on the PATH")
    result = tmp_path / "result.json"
    words = ["--measure", "--page", str(PAGE), "--json-out", str(result), *words]
    assert main(words) == code
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def check(document: dict[str, Any], rounds: int) -> None:
    """Every file was measured by both, computed what it has to, and its page's memory is told."""
    for key, group in GROUPS.items():
        runs = document["benches"][key]["runs"]
        seen = {(run["model"]["name"], run["target"]) for run in runs}
        assert seen == {(f"{r.name}.onnx", t) for r in group.rows for t in ("browser", "local")}
        for run in runs:
            assert (run["error"], run["threads"]) == (None, THREADS)
            assert run["parity"]["passed"]
            if run["model"]["precision"] == "fp32":
                assert run["parity"]["max_abs_diff"] <= 1e-4
            assert len(run["rounds"]) == rounds
            assert run["memory_bytes"] > 1 << 20
    assert set(document["tabs"]) == {row.name for _, row in ROWS}
    for tab in document["tabs"].values():
        assert 1 << 20 < tab["page_bytes"] < tab["peak_bytes"]


@pytest.mark.slow
@pytest.mark.browser
def test_each_file_is_measured_in_a_page_and_in_python(tmp_path: Path) -> None:
    ort_web = options().ort_web
    if find_browser() is None:
        pytest.skip("there is no Chromium on the PATH")
    config, size = FfcResnetConfig(ngf=8, n_blocks=1), Size(64, 64)
    path = tmp_path / "web.json"
    path.write_text(json.dumps(measure(1, config=config, size=size, quick=True, ort_web=ort_web)))
    found = load(path)
    check(found, rounds=1)
    assert "has 1 blocks and ngf 8" in GENERATED.text(found)
