"""ONNX Runtime's CUDA and TensorRT providers and torch on a real GPU: parity, and the harness."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lama_edge.benchmarks.documents.store import load_bench
from lama_edge.benchmarks.gpu import main
from lama_edge.exporters.formats.record import Export
from lama_edge.manifest import ParityFigures
from lama_edge.pipeline import export_model
from lama_edge.runtimes.base import open_runner
from lama_edge.runtimes.onnxruntime.providers import available_providers
from lama_edge.spec import Size

pytestmark = pytest.mark.gpu

SMALL = Size(64, 72)
SIZES = (Size(16, 16), Size(64, 64), Size(72, 104), Size(136, 88))
# Float32 on a GPU with TF32 off sums in another order.
TORCH_MAX_DIFF = 1e-4
Judged = Callable[..., ParityFigures]


def _need(provider: str) -> None:
    if provider not in available_providers():
        pytest.skip(f"this ONNX Runtime has no provider {provider!r}: install onnxruntime-gpu")


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize("size", [SMALL, None], ids=["fixed", "any"])
@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_a_provider_computes_what_the_generator_does(
    golden_folder: Path,
    tmp_path: Path,
    own_cache: Path,
    judged: Judged,
    provider: str,
    size: Size | None,
    precision: Any,
) -> None:
    _need(provider)
    if provider == "tensorrt" and precision == "fp32":
        pytest.skip("the provider cannot turn TF32 off, so fp32's tolerance is not for it")
    if provider == "tensorrt" and precision == "int8":
        pytest.skip("the int8 graph of ONNX files is ONNX Runtime's; engines have their own")
    path = tmp_path / "m.onnx"
    export_model(
        Export("onnx", golden_folder, path, sizes=(size,), precision=precision, check_parity=False)
    )
    with open_runner(path, provider=provider) as runner:
        assert runner.provider == provider
        figures = judged(runner, *((SMALL,) if size is not None else SIZES))
    print(f"\n{runner.title} {precision} {size or 'any size'}: {figures}")
    assert figures.passed
    if provider == "tensorrt":
        assert list((own_cache / "onnxruntime-tensorrt").glob("*/*.engine"))


def test_torch_on_the_gpu_is_the_reference_too(golden_folder: Path, judged: Judged) -> None:
    torch: Any = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("this torch finds no GPU: install its CUDA build")
    with open_runner(golden_folder, provider="cuda") as runner:
        figures = judged(runner, *SIZES)
    print(f"\n{runner.title}: {figures}")
    assert figures.max_abs_diff <= TORCH_MAX_DIFF


def test_the_comparison_runs_to_its_end(
    golden_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--size", "64", "--rounds", "1", "--min-runs", "2", "--min-seconds", "0"]
    code = main([str(golden_folder), *arguments, "--json-out", str(tmp_path / "r.json")])
    printed = capsys.readouterr()
    if code == 3:
        pytest.skip(printed.err.strip().splitlines()[-1])
    print(printed.out)
    assert code == 0
    assert all(run["error"] is None for run in load_bench(tmp_path / "r.json")["runs"])
