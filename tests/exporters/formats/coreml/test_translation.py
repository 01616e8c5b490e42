"""The program that is written: what the graph computes, op by op and number format by format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("coremltools")

import onnx_ir as ir
from coremltools.converters.mil.frontend.milproto.load import load as load_milproto

from lama_edge.errors import ModelError
from lama_edge.exporters.formats.coreml.options import PACKAGE_PRECISIONS
from lama_edge.exporters.formats.coreml.package import build_package
from lama_edge.exporters.formats.coreml.shuffles import to_pixel_shuffle
from lama_edge.exporters.formats.coreml.translation import mil_name
from lama_edge.spec import IoForm, Size

FAMILIES = {"fourier": Size(64, 88), "regular": Size(64, 88), "dilated": Size(72, 104)}

# MIL.proto's DataType by number.
MIL_DTYPES = {1: ir.DataType.BOOL, 10: ir.DataType.FLOAT16, 11: ir.DataType.FLOAT, 23: "int32"}
# Each precision in each form, at one size and at any, for each target and family somewhere.
EVERY_PACKAGE: list[tuple[str, Size | None, IoForm, str, str]] = [
    *(
        (family, size, form, precision, target)
        for precision, family in zip(
            PACKAGE_PRECISIONS, ("fourier", "fourier", "dilated", "fourier", "regular"), strict=True
        )
        for form in ("float", "image")
        for size, target in ((Size(80, 80), "iOS16"), (None, "iOS17"))
    ),
    ("regular", Size(64, 64), "float", "fp16", "iOS18"),
    ("fourier", Size(64, 104), "float", "fp32", "iOS16"),
]


@pytest.mark.parametrize("form", ["float", "image"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_every_op_has_the_graphs_name_and_number_format(
    packaged: Any, family: str, form: IoForm, precision: str
) -> None:
    """No cast, fusion or optimisation of coremltools' own stands between graph and package."""
    package = packaged(family, FAMILIES[family], form, precision)
    graph = package.graph.graph
    written = {
        operation.outputs[0].name: operation.outputs[0].type.tensorType.dataType
        for operation in package.operations()
    }
    half = precision == "fp16"
    expected = {
        mil_name(node.outputs[0].name): _declared(node, half)
        for node in graph
        if not _is_absorbed(node, form)
    }
    if form == "image":
        last = next(iter(graph.outputs)).producer()
        assert last is not None
        expected["inpainted"] = expected.pop("output_composite")
    assert {name: MIL_DTYPES[dtype] for name, dtype in written.items()} == expected


def _declared(node: ir.Node, half: bool) -> ir.DataType:
    """The number format of a node's output by where it stands; shapes need no inference."""
    name = str(node.outputs[0].name)
    if node.op_type == "Greater":
        return ir.DataType.BOOL
    if node.op_type == "Cast":
        return ir.DataType(node.attributes["to"].as_int())
    outside = name.startswith(("input.", "output.")) or name in ("inpainted", "predicted")
    return ir.DataType.FLOAT if outside or not half else ir.DataType.FLOAT16


def _is_absorbed(node: ir.Node, form: IoForm) -> bool:
    """Transpositions become part of a product; the image form has no bytes to turn around."""
    if node.op_type == "Transpose":
        return True
    ends = {"input.image_float", "input.mask_float", "inpainted"}
    return form == "image" and str(node.outputs[0].name) in ends


@pytest.mark.parametrize("package", EVERY_PACKAGE)
def test_coremltools_own_loader_accepts_every_package(packaged: Any, package: Any) -> None:
    assert list(_loaded(packaged(*package)).functions) == ["main"]


@pytest.mark.parametrize(
    ("form", "precision"),
    [("image", "fp32"), ("float", "fp16"), ("image", "w8"), ("float", "pal6"), ("image", "pal4")],
)
def test_coremltools_own_loader_accepts_packages_of_several_sizes(
    packaged_sizes: Any, form: IoForm, precision: str
) -> None:
    found = packaged_sizes("fourier", (Size(64, 72), Size(96, 96)), form, precision)
    assert set(_loaded(found).functions) == {"size_64x72", "size_96x96"}


def _loaded(package: Any) -> Any:
    spec = package.spec
    weights = package.path / "Data/com.apple.CoreML/weights"
    return load_milproto(spec, spec.specificationVersion, str(weights))


@pytest.mark.parametrize("package", EVERY_PACKAGE)
def test_no_op_is_one_that_devices_are_known_to_get_wrong(packaged: Any, package: Any) -> None:
    """Transposed convolutions with output padding (coremltools#2281), FFTs, undocumented orders."""
    counts = packaged(*package).counts()
    assert not {"conv_transpose", "crop", "depth_to_space", "resize_bilinear"} & set(counts)
    assert not [name for name in counts if "fft" in name]


@pytest.mark.parametrize("target", ["iOS16", "iOS17", "iOS18"])
def test_a_package_asks_for_no_newer_system_than_its_target(packaged: Any, target: str) -> None:
    versions = {"iOS16": 7, "iOS17": 8, "iOS18": 9}
    package = packaged("fourier", Size(64, 64), precision="fp16", target=target)
    assert package.spec.specificationVersion == versions[target]


def test_the_matrices_of_a_dynamic_package_are_computed_from_its_inputs_size(packaged: Any) -> None:
    """Constant ones convert silently and fail at any size but one."""
    package = packaged("fourier", None)
    constants = {
        operation.outputs[0].name
        for function in package.spec.mlProgram.functions.values()
        for operation in function.block_specializations[function.opset].operations
        if operation.type == "const"
    }
    assert not [name for name in constants if name in ("dft_row", "dft_column_re")]
    made = {operation.outputs[0].name: operation.type for operation in package.operations()}
    assert made["dft_row"] == "reshape"
    assert made["dft_row_cos_raw"] == "cos"


@pytest.mark.parametrize("form", ["float", "image"])
def test_a_dynamic_package_says_which_sizes_it_takes(packaged: Any, form: IoForm) -> None:
    package = packaged("fourier", None, form, "fp32" if form == "float" else "fp16",
                       "iOS16" if form == "float" else "iOS18")  # fmt: skip
    for feature in package.spec.description.input:
        if form == "float":
            ranges = feature.type.multiArrayType.shapeRange.sizeRanges[2:]
            assert [(one.lowerBound, one.upperBound) for one in ranges] == [(16, 2048)] * 2
        else:
            one = feature.type.imageType.imageSizeRange
            assert (one.heightRange.lowerBound, one.heightRange.upperBound) == (16, 2048)
            assert (one.widthRange.lowerBound, one.widthRange.upperBound) == (16, 2048)


@pytest.mark.parametrize(("made", "asked"), [(Size(64, 64), None), (None, Size(64, 64))])
def test_a_graph_for_other_sizes_than_the_packages_is_refused(
    described: Callable[..., Any],
    golden_graph: Callable[..., ir.Model],
    packaged: Any,
    made: Size | None,
    asked: Size | None,
) -> None:
    checkpoint = packaged("fourier", Size(64, 64)).checkpoint
    graph = golden_graph(described(checkpoint, made, "float", "fp32", "iOS16"), "fourier")
    manifest = described(checkpoint, asked, "float", "fp32", "iOS16")
    with pytest.raises(ModelError, match=r"the graph's image is \[.*not made for"):
        build_package(graph, manifest.io, manifest.size)


def test_an_operator_without_translation_is_named(
    described: Callable[..., Any], golden_graph: Callable[..., ir.Model], packaged: Any
) -> None:
    checkpoint = packaged("fourier", Size(64, 64)).checkpoint
    manifest = described(checkpoint, Size(64, 64), "float", "fp32", "iOS16")
    graph = golden_graph(manifest, "fourier")
    next(node for node in graph.graph if node.op_type == "Sigmoid").op_type = "Erf"
    with pytest.raises(ModelError, match=r"'head\.sigmoid' is a Erf, which has no translation"):
        build_package(graph, manifest.io, manifest.size)


def test_names_that_would_be_one_in_core_ml_are_refused(
    described: Callable[..., Any], golden_graph: Callable[..., ir.Model], packaged: Any
) -> None:
    checkpoint = packaged("fourier", Size(64, 64)).checkpoint
    manifest = described(checkpoint, Size(64, 64), "float", "fp32", "iOS16")
    graph = golden_graph(manifest, "fourier")
    next(node for node in graph.graph if node.op_type == "Pad").outputs[0].name = "head_sigmoid"
    with pytest.raises(ModelError, match=r"'head\.sigmoid' .* both be 'head_sigmoid' in Core ML"):
        build_package(graph, manifest.io, manifest.size)


def test_a_shuffle_of_something_else_is_refused() -> None:
    x = ir.val("x", ir.DataType.FLOAT, ir.Shape([1, 8, 4, 4]))
    relu = ir.node("Relu", [x])
    shuffle = ir.node("DepthToSpace", [relu.outputs[0]], {"blocksize": 2, "mode": "DCR"}, name="s")
    graph = ir.Graph([x], [shuffle.outputs[0]], nodes=[relu, shuffle], opset_imports={"": 17})
    with pytest.raises(ModelError, match="'s' reads a Relu, not a layer's phases"):
        to_pixel_shuffle(graph)


def test_integers_beyond_32_bits_are_refused() -> None:
    from lama_edge.exporters.formats.coreml.translation import Translation

    value = ir.val("big", const_value=ir.tensor(np.array([2**40]), name="big"))
    with pytest.raises(ModelError, match="'big' does not fit"):
        Translation.constant(value)
