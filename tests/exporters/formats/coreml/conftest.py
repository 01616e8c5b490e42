"""Packages of the golden checkpoints, lama-tiny and a hot one, built in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

pytest.importorskip("coremltools")

import onnx_ir as ir
from torch_answers import Answer, answer_of, checkpoint_of

from lama_edge.exporters.formats.coreml.options import function_name
from lama_edge.exporters.formats.coreml.package import (
    build_package,
    write_package,
)
from lama_edge.exporters.formats.coreml.sizes import deploy_graphs
from lama_edge.exporters.formats.coreml.toolkit import Model_pb2
from lama_edge.exporters.formats.onnx.file import build_onnx
from lama_edge.exporters.graph.deploy_graph import GraphOptions
from lama_edge.judging.ranges import Ranges
from lama_edge.manifest import Manifest, Source
from lama_edge.models.checkpoint import Checkpoint
from lama_edge.pictures.calibration import calibration_cases
from lama_edge.runtimes.emulator.ranges import measure_ranges
from lama_edge.spec import IoForm, Size, SizePolicy, io_spec


def read_spec(path: Path) -> Any:
    spec = Model_pb2.Model()
    spec.ParseFromString((path / "Data/com.apple.CoreML/model.mlmodel").read_bytes())
    return spec


@dataclass(frozen=True)
class Packaged:
    """A package on disk, and what it was made from."""

    path: Path
    family: str
    manifest: Manifest

    @property
    def checkpoint(self) -> Checkpoint:
        return checkpoint_of(self.family)

    @property
    def graph(self) -> ir.Model:
        return graph_of(self.manifest, self.family)

    @property
    def spec(self) -> Any:
        return read_spec(self.path)

    def operations(self, function: str = "main") -> Iterator[Any]:
        """The program's operations, constants left out."""
        program = self.spec.mlProgram.functions[function]
        for operation in program.block_specializations[program.opset].operations:
            if operation.type != "const":
                yield operation

    def counts(self) -> Counter[str]:
        return Counter(operation.type for operation in self.operations())


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


def built(graph: ir.Model, manifest: Manifest) -> Any:
    precision: Any = manifest.precision
    target: Any = manifest.format["target"]
    # A whole collection for each conversion takes most of its time.
    with mock.patch("gc.collect"):
        return build_package(graph, manifest.io, manifest.size, precision=precision, target=target)


def graph_of(manifest: Manifest, family: str) -> ir.Model:
    """The deploy graph of a package before it is converted, which changes it."""
    (graph,) = graphs_of([manifest], family)
    return graph


def graphs_of(manifests: Sequence[Manifest], family: str) -> list[ir.Model]:
    checkpoint, io = checkpoint_of(family), manifests[0].io
    precision: Any = manifests[0].precision
    ranges = None if precision == "fp32" else ranges_of(family)
    sizes = [manifest.size for manifest in manifests]
    graphs = deploy_graphs(checkpoint.config, checkpoint.tensors, io, sizes, precision, ranges)
    return [graph.model for graph in graphs]


@dataclass(frozen=True)
class PackagedSizes:
    """A package of several sizes on disk, and its functions' manifests by name."""

    path: Path
    checkpoint: Checkpoint
    manifests: dict[str, Manifest]

    @property
    def spec(self) -> Any:
        return read_spec(self.path)


@pytest.fixture(scope="session")
def packaged_sizes(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., PackagedSizes]:
    """Converts a golden checkpoint at several sizes to one package; the same one once."""

    @cache
    def convert(
        family: str,
        sizes: tuple[Size, ...],
        form: IoForm = "float",
        precision: str = "fp16",
    ) -> PackagedSizes:
        one = describe(checkpoint_of(family), None, form, precision, "iOS18")
        about = {**one.format, "functions": " ".join(map(str, sizes))}
        manifests = {
            function_name(size): replace(one, format=about, size=replace(one.size, fixed=size))
            for size in sizes
        }
        models = {
            name: built(graph, manifest)
            for (name, manifest), graph in zip(
                manifests.items(), graphs_of([*manifests.values()], family), strict=True
            )
        }
        path = tmp_path_factory.mktemp("sizes") / "sizes.mlpackage"
        write_package(models, manifests, path)
        return PackagedSizes(path, checkpoint_of(family), manifests)

    return convert


@pytest.fixture(scope="session")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Packaged]:
    """Converts a golden checkpoint; the same one once."""

    @cache
    def convert(
        family: str,
        size: Size | None,
        form: IoForm = "float",
        precision: str = "fp32",
        target: str = "iOS16",
    ) -> Packaged:
        manifest = describe(checkpoint_of(family), size, form, precision, target)
        model = built(graph_of(manifest, family), manifest)
        path = tmp_path_factory.mktemp("package") / "golden.mlpackage"
        write_package({"main": model}, {"main": manifest}, path)
        return Packaged(path, family, manifest)

    return convert


@pytest.fixture(scope="session")
def torch_answer() -> Callable[[str, Size | None], Answer]:
    """Gives the pictures that a size is judged on, and torch's raw output on each, once."""
    return answer_of


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
