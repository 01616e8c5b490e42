"""`parity`, `bench` and `compare` at the command line: exit codes, tables, files, pages."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from same_process import without_processes

from lama_edge import cli
from lama_edge.benchmarks.documents.store import BENCH, PARITY, check_document
from lama_edge.cli.bench import bench_lines, seconds
from lama_edge.spec import Size

QUICK = ("--rounds", "1", "--min-runs", "3", "--min-seconds", "0.05")


@pytest.fixture(scope="module")
def model(exported: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "golden.onnx"
    return shutil.copy(exported("fourier", Size(64, 64)), path)


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    without_processes(monkeypatch)


@pytest.fixture(scope="module")
def altered(model: Path) -> Path:
    """The same model with one weight of the last convolution moved."""
    graph = onnx.load(model)
    weight = next(w for w in graph.graph.initializer if w.name == "head.conv.weight")
    values = numpy_helper.to_array(weight).copy()
    values.flat[0] += 0.5
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    path = model.with_name("altered.onnx")
    onnx.save(graph, path)
    return path


@pytest.fixture(scope="module")
def measured(model: Path) -> Path:
    path = model.with_name("r.json")
    assert _run("bench", model, *QUICK, "--json-out", path) == 0
    return path


def _run(*arguments: object) -> int:
    return cli.main([str(argument) for argument in arguments])


def _slower(measured: Path, factor: float) -> Path:
    document: dict[str, Any] = json.loads(measured.read_text())
    (run,) = document["runs"]
    (round_,) = run["rounds"]
    rng = np.random.default_rng(0)
    round_["samples_ms"] = list(factor * 20 * (1 + 0.03 * rng.standard_normal(40)))
    run["statistics"]["median_ms"] = float(np.median(round_["samples_ms"]))
    path = measured.with_name(f"r-{factor}.json")
    path.write_text(json.dumps(document))
    return path


def test_parity_passes_a_sound_model_and_writes_a_document_and_a_page(
    model: Path, golden_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, page = tmp_path / "p.json", tmp_path / "p.html"
    words = ("parity", model, "--reference", golden_folder, "--json-out", out, "--report", page)
    assert _run(*words) == 0
    assert re.search(r"golden\.onnx .* passed ", capsys.readouterr().out)
    assert check_document(json.loads(out.read_text()), PARITY)["models"][0]["passed"]
    assert "<html" in page.read_text()


@pytest.mark.usefixtures("in_this_process")
def test_parity_fails_an_altered_model_and_names_the_tensor(
    model: Path, altered: Path, golden_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("parity", model, altered, "--reference", golden_folder) == 1
    printed = capsys.readouterr().out
    assert re.search(r"golden\.onnx .* passed ", printed)
    assert re.search(r"altered\.onnx .* FAILED ", printed)
    assert "altered.onnx: the first tensor that differs is head.conv (Conv), by" in printed
    assert "altered.onnx: a tolerance of" in printed


def test_parity_without_a_known_source_asks_for_a_reference(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("parity", model) == 2
    assert "--reference" in capsys.readouterr().err


def test_bench_says_that_a_run_is_of_several_pictures(
    golden_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "three.onnx"
    words = ("onnx", golden_folder, "-o", path, "--size", "16", "--batch", "3", "--no-parity")
    assert _run("export", *words) == 0
    assert _run("bench", path, *QUICK) == 0
    assert "three.onnx (for any, batch 3) " in capsys.readouterr().out


def test_bench_prints_a_table_and_writes_what_compare_reads(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, page = tmp_path / "r.json", tmp_path / "r.html"
    assert _run("bench", model, *QUICK, "--json-out", out, "--report", page) == 0
    row = r"golden\.onnx \(for any\) +onnxruntime \S+ cpu +64x64 "
    assert re.search(row, capsys.readouterr().out)
    (run,) = check_document(json.loads(out.read_text()), BENCH)["runs"]
    assert run["statistics"]["count"] >= 3
    assert "<html" in page.read_text()
    assert _run("compare", out, out) == 0


@pytest.mark.usefixtures("in_this_process")
def test_the_page_shows_other_results_beside(model: Path, measured: Path, tmp_path: Path) -> None:
    document: dict[str, Any] = json.loads(measured.read_text())
    document["environment"]["chip"] = "Another Chip 9000"
    other, page = tmp_path / "other.json", tmp_path / "r.html"
    other.write_text(json.dumps(document))
    assert _run("bench", model, *QUICK, "--report", page, "--beside", other) == 0
    assert "Another Chip 9000" in page.read_text()


def test_one_model_that_fails_is_told_and_the_others_are_still_measured(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    garbage, out = tmp_path / "garbage.onnx", tmp_path / "r.json"
    garbage.write_bytes(b"no model")
    assert _run("bench", garbage, model, *QUICK, "--json-out", out) == 2
    captured = capsys.readouterr()
    assert "1 of 2 measurements failed" in captured.err
    assert re.search(r"golden\.onnx .* ms ", captured.out)
    assert [run["error"] is None for run in json.loads(out.read_text())["runs"]] == [False, True]


def test_a_missing_backend_ends_bench_with_its_exit_code_and_everything_written(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "r.json"
    assert _run("bench", model, *QUICK, "--provider", "tensorrt", "--out", out) == 3
    assert "1 of 1 measurements failed: the provider 'tensorrt'" in capsys.readouterr().err
    assert json.loads(out.read_text())["runs"][0]["provider"] == "tensorrt"


@pytest.mark.usefixtures("in_this_process")
def test_a_row_whose_parity_failed_shows_no_times_and_ends_bench_with_1(
    model: Path,
    altered: Path,
    golden_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, page = tmp_path / "r.json", tmp_path / "r.html"
    words = ("bench", altered, model, *QUICK, "--reference", golden_folder)
    assert _run(*words, "--json-out", out, "--report", page) == 1
    captured = capsys.readouterr()
    assert re.search(r"altered\.onnx .* 64x64 +FAILED +- +- +- .* MiB", captured.out)
    assert re.search(r"golden\.onnx .* 64x64 +passed +[\d.]+ [mµ]s ", captured.out)
    assert "1 of 2 rows failed parity, their times mean nothing: altered.onnx" in captured.err
    assert json.loads(out.read_text())["runs"][0]["statistics"]["count"] >= 3
    assert "<s>" not in page.read_text()
    assert _run(*words, "--show-failed", "--report", page) == 1
    assert re.search(r"altered\.onnx .* FAILED +~~[\d.]+ [mµ]?s~~ ", capsys.readouterr().out)
    assert "<s>" in page.read_text()


@pytest.mark.usefixtures("in_this_process")
def test_a_sustained_run_is_a_column(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("bench", model, *QUICK, "--sustained", "0.1s") == 0
    head, row = capsys.readouterr().out.splitlines()
    assert re.search(r"cold run +sustained +peak memory$", head)
    assert re.search(r"\d\.\d\dx +\d+ MiB$", row)


@pytest.mark.parametrize(
    ("text", "expected"), [("90", 90), ("90s", 90), ("1.5m", 90), ("10m", 600), ("1h", 3600)]
)
def test_a_time_is_spelled_with_its_unit(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "m", "10 m", "-5", "1d", "ten"])
def test_what_is_no_time_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        _run("bench", "m.onnx", f"--sustained={text}")
    assert "give one such as 90s, 10m or 1h" in capsys.readouterr().err


def test_a_time_to_cool_without_a_temperature_is_refused(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["bench", str(model), "--cool-timeout", "5m"]) == 2
    assert "add that too" in capsys.readouterr().err


def test_a_regression_ends_compare_with_exit_code_1(
    measured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = _slower(measured, 1.0)
    assert _run("compare", base, _slower(measured, 1.1)) == 1
    assert "slower" in capsys.readouterr().out
    assert _run("compare", base, _slower(measured, 1.1), "--threshold", "20") == 0
    assert _run("compare", base, _slower(measured, 0.9)) == 0


def test_a_runtime_without_devices_is_named_once(measured: Path) -> None:
    document = json.loads(measured.read_text())
    document["runs"][0] |= {"runtime": "numpy 2.3.5", "provider": "numpy"}
    assert " numpy 2.3.5  64x64 " in list(bench_lines(document))[1]


@pytest.mark.usefixtures("in_this_process")
def test_json_is_the_document(
    model: Path, golden_folder: Path, measured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert _run("parity", model, "--reference", golden_folder, "--json") == 0
    check_document(json.loads(capsys.readouterr().out), PARITY)
    assert _run("bench", model, *QUICK, "--json") == 0
    check_document(json.loads(capsys.readouterr().out), BENCH)
    assert _run("compare", measured, measured, "--json") == 0
    assert json.loads(capsys.readouterr().out)["regressed"] is False


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("bench", "missing.onnx"), "missing.onnx"),
        (("bench", "MODEL", "--size", "dynamic"), "--size 512"),
        (("bench", "MODEL", "--target", "carrier-pigeon"), "carrier-pigeon"),
        (("bench", "MODEL", "--rounds", "0"), "rounds"),
        (("bench", "MODEL", "--with-python"), "--worker"),
        (("bench", "MODEL", "--remote-python", "python3"), "--remote-python"),
        (("bench", "MODEL", "--reference", "missing.ckpt"), "missing.ckpt"),
        (("bench", "MODEL", "--json-out", "no/such/folder/r.json"), "folder"),
        (("bench", "MODEL", "--beside", "r.json"), "--report"),
        (("bench", "MODEL", "--report", "r.html", "--beside", "missing.json"), "missing.json"),
        (("compare", "missing.json", "missing.json"), "missing.json"),
        (("parity", "missing.onnx"), "missing.onnx"),
        (("parity", "MODEL", "--report", "no/such/folder/p.html"), "folder"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    model: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], expected: str
) -> None:
    assert _run(*(model if word == "MODEL" else word for word in words)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert expected in captured.err


def test_bench_and_compare_load_no_torch(model: Path, measured: Path) -> None:
    code = (
        "import sys\nfrom lama_edge import cli\n"
        f"assert cli.main(['bench', {str(model)!r}, *{QUICK!r}]) == 0\n"
        f"assert cli.main(['compare', {str(measured)!r}, {str(measured)!r}]) == 0\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
