"""big-lama's shape (51 M parameters) as engines for RTX: every precision, fixed and a range."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("tensorrt_rtx")

from lama_edge.engines import ProfileSizes, load_library
from lama_edge.exporters.formats.onnx.file import build_onnx, finish, write_onnx
from lama_edge.exporters.formats.tensorrt.build import build_engine
from lama_edge.exporters.formats.tensorrt.capability import inspect_capability
from lama_edge.exporters.formats.tensorrt.graphs import source_graph
from lama_edge.exporters.formats.tensorrt.options import BuildOptions, parse_profile
from lama_edge.exporters.graph.deploy_graph import GraphOptions
from lama_edge.judging.ranges import Ranges
from lama_edge.manifest import Manifest, Source
from lama_edge.models.checkpoint import Checkpoint
from lama_edge.models.config import BIG_LAMA
from lama_edge.pictures.calibration import calibration_cases
from lama_edge.runtimes.emulator.ranges import measure_ranges
from lama_edge.spec import Precision, Size, SizePolicy, io_spec

pytestmark = pytest.mark.slow

GPUS = ("8.6", "8.9")
SIZES = {"fixed": parse_profile("512"), "range": parse_profile("256:512:1024")}
# Engines that are built and not judged need ranges of no more than this.
CALIBRATION_SIZE = Size(72, 72)
CALIBRATION_PICTURES = 2
# Measured for 512 x 512 and the range: 208.5 and 212.0, 106.1 and 109.8, 90.3 and 96.1 MB, in 6 to
# 14 s a build on two quiet cores.
MOST_BYTES = {"fp32": 216e6, "fp16": 113e6, "int8": 100e6}


@dataclass(frozen=True)
class Big:
    """A seeded checkpoint of big-lama's shape, and the ranges of its fp32 graph."""

    checkpoint: Checkpoint
    ranges: Ranges


@pytest.fixture(scope="module")
def big(make_checkpoint: Callable[..., Checkpoint]) -> Big:
    checkpoint = make_checkpoint(BIG_LAMA)
    size = SizePolicy(None, BIG_LAMA.size_multiple, BIG_LAMA.min_size)
    plain = GraphOptions(io_spec("float", composite=False), size)
    model = build_onnx(BIG_LAMA, checkpoint.tensors, plain)
    cases = calibration_cases(size, sizes=[CALIBRATION_SIZE])[:CALIBRATION_PICTURES]
    return Big(checkpoint, measure_ranges(model, plain.io, cases))


def _write(big: Big, precision: Precision, sizes: ProfileSizes, path: Path) -> GraphOptions:
    size = SizePolicy(sizes.fixed, BIG_LAMA.size_multiple, BIG_LAMA.min_size)
    options = GraphOptions(io_spec("uint8"), size)
    graph = source_graph(precision, BIG_LAMA, big.checkpoint.tensors, options, big.ranges)
    manifest = Manifest(
        format={"name": "onnx", "opset": options.opset},
        io=options.io,
        size=size,
        precision=precision,
        dft=options.dft,
        source=Source("0" * 64, BIG_LAMA.to_dict(), 0),
        tools={},
    )
    write_onnx(finish(graph.model), manifest, path)
    return options


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("precision", MOST_BYTES)
def test_big_lama_becomes_an_engine(
    big: Big, tmp_path: Path, precision: Precision, name: str
) -> None:
    source, sizes = tmp_path / "big.onnx", SIZES[name]
    options = _write(big, precision, sizes, source)
    assert inspect_capability(source, "rtx").refused == ()
    began = time.monotonic()
    record = build_engine(
        load_library("rtx"),
        source,
        tmp_path / "big.engine",
        io=options.io,
        precision=precision,
        profiles=(sizes,),
        gpus=GPUS,
        options=BuildOptions(),
    )
    print(f"\nbig-lama {sizes} {precision}: built in {time.monotonic() - began:.1f} s, "
          f"{record.engine_bytes / 1e6:.1f} MB from {source.stat().st_size / 1e6:.1f}")  # fmt: skip
    assert record.profiles == (sizes,)
    assert record.compute_capabilities == GPUS
    assert record.engine_bytes <= MOST_BYTES[precision]
