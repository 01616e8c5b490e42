"""Packages of the golden checkpoints, built in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("coremltools")

import onnx_ir as ir

from lama_edge.export.coreml.options import PackagePrecision, Target
from lama_edge.export.coreml.package import build_package, write_package
from lama_edge.export.coreml.sizes import deploy_graphs
from lama_edge.export.coreml.toolkit import Model_pb2
from lama_edge.export.deploy_graph import GraphOptions
from lama_edge.export.onnx_format import build_onnx
from lama_edge.manifest import Manifest, Source
from lama_edge.models.checkpoint import Checkpoint, load_checkpoint
from lama_edge.ranges import Ranges
from lama_edge.runtimes.calibration import calibration_cases
from lama_edge.runtimes.ranges import measure_ranges
from lama_edge.spec import IoForm, Size, SizePolicy, io_spec

DATA = Path(__file__).parents[2] / "data"


@dataclass(frozen=True)
class Packaged:
    """A package on disk, and the graph that it was made from."""

    path: Path
    checkpoint: Checkpoint
    manifest: Manifest
    graph: ir.Model

    @property
    def spec(self) -> Any:
        spec = Model_pb2.Model()
        spec.ParseFromString((self.path / "Data/com.apple.CoreML/model.mlmodel").read_bytes())
        return spec

    def operations(self, function: str = "main") -> Iterator[Any]:
        """The program's operations, constants left out."""
        program = self.spec.mlProgram.functions[function]
        for operation in program.block_specializations[program.opset].operations:
            if operation.type != "const":
                yield operation

    def counts(self) -> Counter[str]:
        return Counter(operation.type for operation in self.operations())


@cache
def checkpoint_of(family: str) -> Checkpoint:
    return load_checkpoint(DATA / family)


@cache
def ranges_of(family: str) -> Ranges:
    checkpoint = checkpoint_of(family)
    config = checkpoint.config
    policy = SizePolicy(None, config.size_multiple, config.min_size)
    plain = GraphOptions(io=io_spec("float", composite=False), size=policy)
    model = build_onnx(config, checkpoint.tensors, plain)
    cases = calibration_cases(policy, sizes=[Size(128, 128)])
    return measure_ranges(model, plain.io, cases[-3:])


def describe(
    checkpoint: Checkpoint, size: Size | None, form: IoForm, precision: str, target: str
) -> Manifest:
    config = checkpoint.config
    return Manifest(
        format={"name": "coreml", "target": target},
        io=io_spec(form),
        size=SizePolicy(size, config.size_multiple, config.min_size),
        precision=precision,
        dft="matmul" if config.has_fourier_units else None,
        source=Source("0" * 64, config.to_dict(), 1),
        tools={},
    )


def graph_of(manifest: Manifest, family: str) -> ir.Model:
    """The deploy graph of a package before it is converted, which changes it."""
    checkpoint = checkpoint_of(family)
    precision: Any = manifest.precision
    ranges = None if precision == "fp32" else ranges_of(family)
    (graph,) = deploy_graphs(
        checkpoint.config, checkpoint.tensors, manifest.io, [manifest.size], precision, ranges
    )
    return graph.model


@pytest.fixture(scope="session")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Packaged]:
    """Converts a golden checkpoint; the same one once."""

    @cache
    def convert(
        family: str,
        size: Size | None,
        form: IoForm = "float",
        precision: PackagePrecision = "fp32",
        target: Target = "iOS16",
    ) -> Packaged:
        manifest = describe(checkpoint_of(family), size, form, precision, target)
        model = build_package(
            graph_of(manifest, family),
            manifest.io,
            manifest.size,
            precision=precision,
            target=target,
        )
        path = tmp_path_factory.mktemp("package") / "golden.mlpackage"
        write_package(model, manifest, path)
        return Packaged(path, checkpoint_of(family), manifest, graph_of(manifest, family))

    return convert


@pytest.fixture(scope="session")
def described() -> Callable[..., Manifest]:
    """Makes a package's manifest."""
    return describe


@pytest.fixture(scope="session")
def golden_graph() -> Callable[[Manifest, str], ir.Model]:
    """Builds the graph that a package of a golden checkpoint is made from."""
    return graph_of


@pytest.fixture(scope="session")
def golden_ranges() -> Callable[[str], Ranges]:
    """Measures the ranges of a golden checkpoint, once."""
    return ranges_of
