"""Which graphs TensorRT's parser takes: ours all, and what it refuses by name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lama_edge.engines import Library
from lama_edge.errors import ModelError
from lama_edge.exporters.formats.tensorrt.capability import inspect_capability
from lama_edge.spec import Size

from .conftest import Graph

pytestmark = pytest.mark.usefixtures("rtx")

SIZE = Size(72, 104)
# Two blocks of two transforms, each of which has four DFT nodes.
DFT_NODES = 16


@pytest.mark.parametrize("size", [SIZE, None], ids=["fixed", "any"])
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize("name", [None, "regular", "dilated"])
def test_every_graph_with_matrix_products_is_taken_whole(
    write_graph: Callable[..., Graph], name: str | None, precision: str, size: Size | None
) -> None:
    capability = inspect_capability(write_graph(name, precision, size).path, "rtx")
    assert capability.refused == ()
    assert capability.nodes > 20


@pytest.mark.parametrize("size", [SIZE, None], ids=["fixed", "any"])
def test_the_dft_operator_is_refused_with_every_node_named(
    write_graph: Callable[..., Graph], size: Size | None
) -> None:
    refused = inspect_capability(write_graph("fourier", "fp32", size, dft="op").path).refused
    assert len(refused) == DFT_NODES
    assert {node.operator for node in refused} == {"DFT"}
    assert {node.reason for node in refused} == {"this version has no operator DFT"}
    assert refused[0].name == "block00.conv1.spectral.rows"
    assert [node.index for node in refused] == sorted({node.index for node in refused})


def test_a_file_without_a_graph_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(b"no graph at all")
    with pytest.raises(ModelError, match="finds no graph in"):
        inspect_capability(path)
    with pytest.raises(ModelError, match=r"cannot be read \(Is a directory\)"):
        inspect_capability(tmp_path)


def _polygraphy(graph: Graph, folder: Path) -> str:
    command = shutil.which("polygraphy", path=str(Path(sys.executable).parent))
    if command is None:
        pytest.skip("needs polygraphy")
    result = subprocess.run(
        [command, "inspect", "capability", str(graph.path)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "POLYGRAPHY_USE_TENSORRT_RTX": "1"},
    )
    return result.stdout + result.stderr


@pytest.mark.parametrize("size", [SIZE, None], ids=["fixed", "any"])
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_polygraphy_finds_lama_tiny_fully_supported(
    write_graph: Callable[..., Graph], tmp_path: Path, precision: str, size: Size | None
) -> None:
    said = _polygraphy(write_graph(None, precision, size), tmp_path)
    assert "Graph is fully supported by TensorRT" in said


def test_polygraphy_names_the_same_nodes(
    rtx: Library, write_graph: Callable[..., Graph], tmp_path: Path
) -> None:
    graph = write_graph("fourier", "fp32", SIZE, dft="op")
    said = _polygraphy(graph, tmp_path)
    assert "fully supported" not in said
    for node in inspect_capability(graph.path).refused:
        assert node.name in said
