"""Conversion in a process of its own: what comes back when it works, fails or dies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("coremltools")

import onnx_ir as ir

from lama_edge.errors import ModelError
from lama_edge.exporters.formats.coreml.conversion import convert_in_fresh_process
from lama_edge.runtimes.coreml.emulated_runner import CoremlEmulatedRunner
from lama_edge.spec import Size

SIZE = Size(64, 64)


@pytest.fixture
def job(
    packaged: Any, golden_graph: Callable[..., ir.Model], tmp_path: Path
) -> tuple[ir.Model, Any, Path]:
    manifest = packaged("fourier", SIZE).manifest
    return golden_graph(manifest, "fourier"), manifest, tmp_path / "graph.onnx"


def test_a_failed_conversion_is_told_and_leaves_the_next_one_alone(
    job: tuple[ir.Model, Any, Path], packaged: Any, tmp_path: Path
) -> None:
    """What coremltools registers while it fails ends with the process."""
    graph, manifest, path = job
    output = tmp_path / "out.mlpackage"
    last = next(node for node in graph.graph if node.op_type == "Sigmoid")
    last.op_type = "Erf"
    ir.save(graph, path)
    with pytest.raises(ModelError, match=r"'head\.sigmoid' is a Erf"):
        convert_in_fresh_process([path], [manifest], output)
    assert not output.exists()
    last.op_type = "Sigmoid"
    ir.save(graph, path)
    steps: list[str] = []
    convert_in_fresh_process([path], [manifest], output, steps.append)
    assert steps == ["64x64"]
    with CoremlEmulatedRunner(output) as runner:
        assert runner.manifest == manifest
    one = packaged("fourier", SIZE)
    weights = "Data/com.apple.CoreML/weights/weight.bin"
    assert (output / weights).read_bytes() == (one.path / weights).read_bytes()
