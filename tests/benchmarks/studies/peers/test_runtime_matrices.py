"""The re-creation of public exports: what it computes, and that it computes matrices each time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from lama_edge.benchmarks.studies.peers.prepare import write_runtime_matrices
from lama_edge.benchmarks.studies.peers.runtime_matrices import RuntimeMatrixFourierUnit
from lama_edge.models.config import FfcResnetConfig
from lama_edge.models.seeded import save_seeded
from lama_edge.models.torch_modules.ffc_resnet import FourierUnit

# Seen: 1e-6, at 12x10.
MAX_DIFFERENCE = 1e-5


@pytest.mark.parametrize(("height", "width"), [(8, 8), (12, 10), (5, 6), (3, 2)])
def test_it_computes_what_the_fourier_unit_computes(height: int, width: int) -> None:
    torch.manual_seed(0)
    unit = FourierUnit(3).eval()
    x = torch.randn(2, 3, height, width)
    with torch.no_grad():
        difference = (RuntimeMatrixFourierUnit(unit)(x) - unit(x)).abs().max()
    assert difference < MAX_DIFFERENCE


def test_the_matrices_are_computed_in_every_run(tmp_path: Path) -> None:
    """Neither the exporter nor ONNX Runtime may have made constants of them ahead of the run."""
    checkpoint, output = tmp_path / "c.safetensors", tmp_path / "m.onnx"
    save_seeded(FfcResnetConfig(ngf=8, n_blocks=1), checkpoint)
    write_runtime_matrices(
        {"checkpoint": str(checkpoint), "output": str(output), "size": [64, 64], "threads": 1}
    )
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(output), options, providers=["CPUExecutionProvider"])
    kinds = [node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node]
    # Two Fourier units; each makes a matrix for the width forward, one for the width back and,
    # since ONNX Runtime finds that both ways need the same, one for the height.
    assert kinds.count("Cos") == kinds.count("Sin") == 2 * 3
    assert "Range" in kinds
    for shape in ([1, 4, 64, 64], [1, 4, 48, 80]):
        (result,) = session.run(None, {"input": np.zeros(shape, np.float32)})
        assert result.shape == (1, 3, *shape[2:])
