"""Graphs of lama-tiny and of small checkpoints, written once for each choice of options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from places import DATA

from lama_edge.engines import Library, ProfileSizes, load_library
from lama_edge.exporters.formats.onnx.file import build_onnx, finish, write_onnx
from lama_edge.exporters.formats.tensorrt.graphs import source_graph
from lama_edge.exporters.graph.deploy_graph import Dft, GraphOptions
from lama_edge.judging.ranges import Ranges
from lama_edge.manifest import Manifest, Source
from lama_edge.models.checkpoint import load_checkpoint
from lama_edge.pictures.calibration import calibration_cases
from lama_edge.runtimes.emulator.ranges import measure_ranges
from lama_edge.spec import IoForm, IoSpec, Precision, Size, SizePolicy, io_spec

# Ranges of pictures this small and few are enough for graphs that are built and not judged.
CALIBRATION_SIZE = Size(72, 72)
CALIBRATION_PICTURES = 2


@dataclass(frozen=True)
class Graph:
    """An ONNX file, its contract and the sizes it takes."""

    path: Path
    io: IoSpec
    size: SizePolicy


WriteGraph = Callable[..., Graph]


@pytest.fixture(scope="session")
def rtx() -> Library:
    pytest.importorskip("tensorrt_rtx")
    return load_library("rtx")


@pytest.fixture(scope="session")
def write_graph(tmp_path_factory: pytest.TempPathFactory) -> WriteGraph:
    """Write a generator's graph at a precision: of a name in tests/data, or lama-tiny (None)."""
    folder = tmp_path_factory.mktemp("graphs")
    checkpoints = {
        name: load_checkpoint(None if name is None else DATA / name)
        for name in (None, "fourier", "regular", "dilated")
    }
    measured: dict[str | None, Ranges] = {}
    written: dict[tuple[object, ...], Graph] = {}

    def ranges(name: str | None) -> Ranges:
        if name not in measured:
            checkpoint = checkpoints[name]
            config = checkpoint.config
            size = SizePolicy(None, config.size_multiple, config.min_size)
            plain = GraphOptions(io_spec("float", composite=False), size)
            model = build_onnx(config, checkpoint.tensors, plain)
            cases = calibration_cases(size, sizes=[CALIBRATION_SIZE])[:CALIBRATION_PICTURES]
            measured[name] = measure_ranges(model, plain.io, cases)
        return measured[name]

    def write(
        name: str | None,
        precision: Precision = "fp32",
        size: Size | None = None,
        *,
        io: IoForm = "float",
        dft: Dft = "matmul",
    ) -> Graph:
        key = (name, precision, size, io, dft)
        if key not in written:
            config, tensors = checkpoints[name].config, checkpoints[name].tensors
            policy = SizePolicy(size, config.size_multiple, config.min_size)
            options = GraphOptions(io_spec(io), policy, dft=dft)
            needed = None if precision == "fp32" else ranges(name)
            graph = source_graph(precision, config, tensors, options, needed)
            manifest = Manifest(
                format={"name": "onnx", "opset": options.opset},
                io=options.io,
                size=policy,
                precision=precision,
                dft=dft,
                source=Source("0" * 64, config.to_dict(), 0),
                tools={},
            )
            path = folder / f"{len(written)}.onnx"
            write_onnx(finish(graph.model), manifest, path)
            written[key] = Graph(path, options.io, policy)
        return written[key]

    return write


@pytest.fixture(scope="session")
def profile() -> ProfileSizes:
    """A range that no side of a picture is fixed in, its best size odd at the bottleneck."""
    return ProfileSizes(Size(72, 72), Size(104, 136), Size(192, 256))
