"""The comparison on a GPU, run on the processor here: real rows, no GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from same_process import without_processes

from lama_edge.benchmarks import gpu
from lama_edge.benchmarks.bench.run import Bench, BenchResult
from lama_edge.benchmarks.documents.pictures import Picture
from lama_edge.benchmarks.documents.store import load_bench
from lama_edge.benchmarks.gpu import GpuJob, GpuResult, main, run_gpu
from lama_edge.benchmarks.gpu_entries import ENTRIES, chosen, export
from lama_edge.benchmarks.reports import figures
from lama_edge.engines import load_library
from lama_edge.errors import MissingBackendError, UsageError
from lama_edge.models.config import FfcResnetConfig
from lama_edge.models.seeded import save_seeded
from lama_edge.nvidia import current_gpu
from lama_edge.spec import Size

no_gpu = pytest.mark.skipif(current_gpu() is not None, reason="looks at a machine without a GPU")
QUICK: dict[str, Any] = {"rounds": 1, "min_runs": 2, "min_seconds": 0.0, "min_warmup_ms": 0.0}
SIZE = Size(64, 48)
ON_CPU = ("torch-eager", "onnx-cpu-fp32", "onnx-cpu-fp16")
# 256 channels in the bottleneck: left to itself, an export has loops made for processors.
WIDE = FfcResnetConfig(ngf=32, n_blocks=1)
# Measured with tests/data/fourier at 64 x 48: equal, and 62 dB in whole levels.
LEAST_FP16_PSNR_DB = 50


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    without_processes(monkeypatch)


@pytest.fixture(scope="module")
def stages() -> list[str]:
    return []


@pytest.fixture(scope="module")
def result(golden_folder: Path, stages: list[str]) -> GpuResult:
    job = GpuJob(golden_folder, "cpu", SIZE, ON_CPU, **QUICK)
    with pytest.MonkeyPatch.context() as patch:
        without_processes(patch)
        return run_gpu(job, stages.append)


def test_every_row_is_measured_with_its_own_provider_in_one_run(
    result: GpuResult, stages: list[str]
) -> None:
    runs = result.bench.document["runs"]
    assert result.names == ON_CPU
    assert [run["error"] for run in runs] == [None, None, None]
    assert [run["provider"] for run in runs] == ["cpu", "cpu", "cpu"]
    assert [run["runtime"].split()[0] for run in runs] == ["torch", "onnxruntime", "onnxruntime"]
    assert [run["model"]["precision"] for run in runs] == ["fp32", "fp32", "fp16"]
    assert [stage.split(",")[0] for stage in stages if "round" in stage] == [
        f"{name} at 64x48 on cpu" for name in ("fourier", "fp32-64x48.onnx", "fp16-64x48.onnx")
    ]


def test_rows_are_compared_with_the_first_one(result: GpuResult) -> None:
    first, second, third = result.psnr_db
    assert first is None
    assert second is None or second > LEAST_FP16_PSNR_DB
    assert third is not None
    assert third > LEAST_FP16_PSNR_DB


def test_the_table_gives_times_over_the_first_row(result: GpuResult) -> None:
    head, *rows = list(gpu.lines(result))
    assert "over the first" in head
    medians = [run["statistics"]["median_ms"] for run in result.bench.document["runs"]]
    for name, median, row in zip(ON_CPU, medians, rows, strict=False):
        assert row.startswith(name)
        assert figures.ratio(median / medians[0]) in row


def test_an_entry_that_cannot_run_here_is_left_out_with_its_reason(
    golden_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(entry: Any) -> None:
        if entry.name != "onnx-cpu-fp32":
            raise MissingBackendError(f"no {entry.name}")

    monkeypatch.setattr(gpu, "require_runtime", refuse)
    found = run_gpu(GpuJob(golden_folder, "cpu", SIZE, ON_CPU, **QUICK))
    assert found.names == ("onnx-cpu-fp32",)
    assert found.left_out == (
        ("torch-eager", "no torch-eager"),
        ("onnx-cpu-fp16", "no onnx-cpu-fp16"),
    )
    assert "left out: torch-eager: no torch-eager" in list(gpu.lines(found))


def test_the_result_is_a_document_of_bench(golden_folder: Path, tmp_path: Path) -> None:
    arguments = [
        golden_folder, "--device", "cpu", "--size", "64x48", "--entries", "onnx-cpu-fp32",
        "--rounds", "1", "--min-runs", "2", "--min-seconds", "0", "--json-out", tmp_path / "r.json",
        "--work", tmp_path,
    ]  # fmt: skip
    assert main([str(argument) for argument in arguments]) == 0
    (run,) = load_bench(tmp_path / "r.json")["runs"]
    assert (run["model"]["name"], run["size"]) == ("fp32-64x48.onnx", "64x48")
    assert (tmp_path / "fp32-64x48.onnx").is_file()


def test_what_is_compared_on_a_gpu_has_no_loops_made_for_processors(tmp_path: Path) -> None:
    checkpoint, path = tmp_path / "wide.safetensors", tmp_path / "wide.onnx"
    save_seeded(WIDE, checkpoint)
    (entry,) = chosen("cuda", ("onnx-cuda-fp32",))
    export(entry, checkpoint, Size(32, 32), path)
    assert "Scan" not in {node.op_type for node in onnx.load(path).graph.node}


@no_gpu
def test_without_a_gpu_it_says_what_is_missing_with_exit_code_3(
    golden_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        load_library()
        missing = "there is no NVIDIA GPU, or no driver for it"
    except MissingBackendError as error:
        missing = str(error)
    assert main([str(golden_folder), "--size", "64"]) == 3
    printed = capsys.readouterr().err
    for entry in ENTRIES["cuda"]:
        assert f"left out: {entry.name}: " in printed
    assert f"left out: engine-fp16: {missing}" in printed
    assert "this torch finds no GPU" in printed
    assert printed.strip().splitlines()[-1].startswith("lama-edge: error: nothing can be measured")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--entries", "nonsense"], "unknown entry 'nonsense'; known: torch-eager"),
        (["--size", "dynamic"], "needs a size"),
        (["lama-tiny", "--seeded"], "--seeded is a checkpoint of its own"),
        (["--work", "/nowhere/at/all"], "does not exist"),
        (["--json-out", "/nowhere/r.json"], "does not exist"),
    ],
)
def test_wrong_usage_is_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_closeness_is_judged_inside_the_hole() -> None:
    hole = np.zeros((4, 4), dtype=np.bool_)
    hole[1:3, 1:3] = True
    image = np.zeros((4, 4, 3), dtype=np.uint8)
    outside, inside = image.copy(), image.copy()
    outside[~hole] = 200
    inside[hole] = 1
    pictures = tuple(
        Picture(run, image, hole, output) for run, output in ((0, image), (1, outside), (3, inside))
    )
    found = gpu._closeness(BenchResult({"runs": [{}, {}, {}, {}]}, pictures))
    assert found[:3] == (None, None, None)
    assert found[3] == pytest.approx(20 * np.log10(255))


def test_one_provider_is_given_for_each_model() -> None:
    with pytest.raises(UsageError, match="2 providers for 1 models"):
        Bench(("a.onnx",), providers=("cpu", "cuda"))


@pytest.mark.slow
def test_the_compiled_generator_is_measured(golden_folder: Path) -> None:
    found = run_gpu(GpuJob(golden_folder, "cpu", SIZE, ("torch-eager", "torch-compiled"), **QUICK))
    assert [run["provider"] for run in found.bench.document["runs"]] == ["cpu", "cpu+compile"]
    assert [run["error"] for run in found.bench.document["runs"]] == [None, None]
