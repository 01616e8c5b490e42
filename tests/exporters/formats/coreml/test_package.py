"""What a package says of itself, and that the same input gives the same bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("coremltools")

from lama_edge.exporters.formats.coreml.package import build_package, write_manifest, write_package
from lama_edge.exporters.formats.coreml.sizes import deploy_graphs
from lama_edge.judging.cases import seeded_cases
from lama_edge.judging.judge import judge, raw_outputs
from lama_edge.judging.tolerances import Tolerance
from lama_edge.manifest import METADATA_KEY, ParityFigures
from lama_edge.runtimes.coreml.emulated_runner import CoremlEmulatedRunner
from lama_edge.runtimes.torch.runner import TorchRunner
from lama_edge.spec import Size

SIZE = Size(64, 64)
SIZES = (Size(64, 72), Size(96, 96), Size(72, 88))
FP16_LEAST_PSNR_DB = 60
# Each further size adds its program's text and its own DFT matrices.
MOST_GROWTH = 1.15
# Small ones stand in the program's text, where there is nothing to share.
MOST_LAYERS_IN_TEXT = 10


def _files(path: Path) -> dict[str, bytes]:
    return {
        str(one.relative_to(path)): one.read_bytes() for one in path.rglob("*") if one.is_file()
    }


@pytest.mark.parametrize("precision", ["fp16", "pal4"])
def test_two_conversions_are_the_same_bytes(
    packaged: Any, golden_graph: Callable[..., Any], tmp_path: Path, precision: Any
) -> None:
    first = packaged("fourier", SIZE, precision=precision)
    manifest = first.manifest
    graph = golden_graph(manifest, "fourier")
    model = build_package(graph, manifest.io, manifest.size, precision=precision)
    again = tmp_path / "again.mlpackage"
    write_package({"main": model}, {"main": manifest}, again)
    assert _files(again) == _files(first.path)


def test_a_package_names_no_date_machine_or_path(packaged: Any, tmp_path: Path) -> None:
    package = packaged("fourier", SIZE)
    metadata = package.spec.description.metadata
    assert dict(metadata.userDefined) == {METADATA_KEY: package.manifest.to_json()}
    assert not package.spec.mlProgram.attributes
    today = datetime.now(tz=timezone.utc).strftime("%Y-%m-%d")
    for name, content in _files(package.path).items():
        if not name.endswith("weight.bin"):
            for secret in (today, str(Path.home()), str(tmp_path.parent)):
                assert secret.encode() not in content


def test_xcode_is_told_what_the_model_does(packaged: Any) -> None:
    spec = packaged("fourier", SIZE, "image").spec
    metadata = spec.description.metadata
    assert "hole" in metadata.shortDescription
    assert "64x64 (height x width)" in metadata.shortDescription
    assert "Suvorov" in metadata.author
    assert metadata.license.startswith("Apache-2.0")
    assert metadata.versionString
    described = {
        one.name: one.shortDescription
        for one in (*spec.description.input, *spec.description.output)
    }
    assert set(described) == {"image", "mask", "inpainted"}
    assert "above 0 is hole" in described["mask"]
    assert all(text.endswith((".",)) for text in described.values())


def test_an_any_size_package_describes_its_range(packaged: Any) -> None:
    summary = packaged("fourier", None).spec.description.metadata.shortDescription
    assert "multiples of 8 from 16 to" in summary


def test_the_manifest_is_replaced_and_nothing_else(packaged: Any, tmp_path: Path) -> None:
    package = packaged("fourier", SIZE)
    path = tmp_path / "copy.mlpackage"
    for name, content in _files(package.path).items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    figures = ParityFigures("torch-fp32", "some", ("64x64",), 1e-6, 1e-4, None, None)
    judged = replace(package.manifest, parity=figures)
    write_manifest({"main": judged}, path)
    with CoremlEmulatedRunner(path) as runner:
        assert runner.manifest == judged
    write_manifest({"main": package.manifest}, path)
    assert _files(path) == _files(package.path)


@pytest.fixture(scope="module")
def of_three_sizes(packaged_sizes: Callable[..., Any]) -> Any:
    return packaged_sizes("fourier", SIZES)


def test_several_sizes_store_their_weights_once(of_three_sizes: Any, packaged: Any) -> None:
    one = packaged("fourier", SIZE, precision="fp16", target="iOS18")
    weights = "Data/com.apple.CoreML/weights/weight.bin"
    sizes = [(folder / weights).stat().st_size for folder in (of_three_sizes.path, one.path)]
    assert sizes[0] <= MOST_GROWTH * sizes[1]
    functions = of_three_sizes.spec.mlProgram.functions
    places = [_weight_places(functions[name]) for name in of_three_sizes.manifests]
    assert places[0] == places[1] == places[2]
    assert len(places[0]) > MOST_LAYERS_IN_TEXT


def _weight_places(function: Any) -> dict[str, int]:
    """Where each layer's weights lie in the blob file, by the layer's name."""
    return {
        operation.outputs[0].name: operation.attributes["val"].blobFileValue.offset
        for operation in function.block_specializations[function.opset].operations
        if operation.type == "const"
        and operation.outputs[0].name.endswith(("_weight", "_bias"))
        and operation.attributes["val"].WhichOneof("value") == "blobFileValue"
    }


def test_each_size_is_a_function_that_passes_parity(of_three_sizes: Any) -> None:
    for name, manifest in of_three_sizes.manifests.items():
        with (
            CoremlEmulatedRunner(of_three_sizes.path, part=name) as model,
            TorchRunner(of_three_sizes.checkpoint, composite=False) as reference,
        ):
            assert model.manifest == manifest
            cases = seeded_cases(manifest.size)
            wanted = raw_outputs(reference, cases)
            figures = judge(model, cases, wanted, reference_name="t", tolerance=Tolerance(1))
        assert figures.psnr_db is not None
        assert figures.psnr_db >= FP16_LEAST_PSNR_DB


def test_the_first_size_is_the_default_function(of_three_sizes: Any) -> None:
    with CoremlEmulatedRunner(of_three_sizes.path) as model:
        assert model.manifest == next(iter(of_three_sizes.manifests.values()))


def test_every_functions_inputs_are_described(of_three_sizes: Any) -> None:
    spec = of_three_sizes.spec
    assert spec.specificationVersion == 9
    assert spec.description.defaultFunctionName == "size_64x72"
    for function in spec.description.functions:
        assert all(one.shortDescription for one in (*function.input, *function.output))
    contents = json.loads((of_three_sizes.path / "Manifest.json").read_text())
    assert contents["rootModelIdentifier"] in contents["itemInfoEntries"]


def test_sizes_far_apart_have_the_same_weights(
    packaged: Any, golden_ranges: Callable[[str], Any]
) -> None:
    """A size of its own would choose other powers of two: what was measured grows with it."""
    one = packaged("fourier", SIZE)
    policies = [replace(one.manifest.size, fixed=Size(side, side)) for side in (64, 512)]
    config, tensors = one.checkpoint.config, one.checkpoint.tensors
    ranges, io = golden_ranges("fourier"), one.manifest.io
    small, large = (
        _weights(graph.model)
        for graph in deploy_graphs(config, tensors, io, policies, "fp16", ranges)
    )
    assert small == large
    (alone,) = deploy_graphs(config, tensors, io, policies[:1], "fp16", ranges)
    assert _weights(alone.model) != large


def _weights(model: Any) -> dict[str, bytes]:
    return {
        name: value.const_value.numpy().tobytes()
        for name, value in model.graph.initializers.items()
        if name.endswith((".weight", ".bias"))
    }
