"""`bench` with the worker and Python taking turns in one run, both judged by the checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from places import DATA

from lama_edge.benchmarks.bench.compare import compare
from lama_edge.benchmarks.bench.run import Bench, run_bench
from lama_edge.benchmarks.targets.base import TargetOptions
from lama_edge.files import sha256_of
from lama_edge.spec import Size


@pytest.mark.cpp
def test_the_worker_and_python_take_turns_and_both_are_proven(
    worker: Path, exported: Callable[..., Path]
) -> None:
    stages: list[str] = []
    job = Bench(
        (exported("fourier", Size(64, 64)),), options=TargetOptions(worker=worker),
        with_python=True, reference=str(DATA / "fourier"), provider="cpu", threads=1, rounds=2,
        min_runs=2, min_seconds=0.0, min_warmup_ms=0.0, sustained_s=0.2,
    )  # fmt: skip
    result = run_bench(job, stages.append)
    assert result.exit_code == 0
    by_worker, by_python = result.document["runs"]
    assert by_worker["program"] == {
        "name": "lama-edge-worker", "version": by_worker["program"]["version"],
        "sha256": sha256_of(worker),
    }  # fmt: skip
    assert by_python["program"]["name"] == "python"
    assert by_worker["runtime"].endswith("(C++ worker)")
    rounds = [stage for stage in stages if "round" in stage]
    assert ["lama-edge-worker" in stage for stage in rounds] == [True, False, True, False]
    for run in (by_worker, by_python):
        assert run["error"] is None
        assert run["parity"]["passed"]
        assert run["first"]["load_ms"] > 0
        assert run["statistics"]["sustained_ratio"] > 0
        assert list(run["placement"]["providers"]) == ["CPUExecutionProvider"]
    # Python and NumPy are in one process and not in the other.
    assert by_worker["memory_bytes"] < by_python["memory_bytes"]
    assert "python" in result.document["environment"]
    assert [row.verdict for row in compare(result.document, result.document).rows] == ["same"] * 2
