"""What packages say of their functions, read from packages that coremltools wrote."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lama_edge.errors import ModelError
from lama_edge.manifest import METADATA_KEY
from lama_edge.spec import Size

pytest.importorskip("coremltools")
from coremltools.proto import Model_pb2

from lama_edge.runtimes.coreml.description import describe_package, is_work, value_seen
from lama_edge.runtimes.coreml.interpreter.model import MilModel

SMALL, OTHER = Size(64, 72), Size(96, 64)
SPEC = Path("Data/com.apple.CoreML/model.mlmodel")

MakePackage = Callable[..., Path]


def _changed(package: Path, folder: Path, change: Callable[[Any], None]) -> Path:
    copy = shutil.copytree(package, folder / "changed.mlpackage")
    spec = Model_pb2.Model()
    spec.ParseFromString((copy / SPEC).read_bytes())
    change(spec)
    (copy / SPEC).write_bytes(spec.SerializeToString())
    return copy


@pytest.mark.parametrize(
    ("sizes", "io"),
    [((SMALL,), "float"), ((SMALL,), "image"), ((SMALL, OTHER), "float"), ((None,), "image")],
    ids=["arrays", "pictures", "several sizes", "any size"],
)
def test_the_description_is_what_the_interpreter_finds_in_the_program(
    coreml_package: MakePackage, sizes: tuple[Size | None, ...], io: str
) -> None:
    path = coreml_package(*sizes, io=io)
    for function in MilModel(path).functions:
        model = MilModel(path, function)
        described = describe_package(path, function)
        assert described.function == function
        assert set(described.functions) == set(model.functions)
        assert sum(described.operations.values()) == model.operations
        assert described.manifest.io.form == io
        assert {one.name for one in model.inputs} == {"image", "mask"}


def test_each_function_has_the_manifest_of_its_own_size(coreml_package: MakePackage) -> None:
    path = coreml_package(SMALL, OTHER)
    default = describe_package(path)
    assert default.functions == ("size_64x72", "size_96x64")
    assert (default.function, default.manifest.size.fixed) == ("size_64x72", SMALL)
    assert describe_package(path, "size_96x64").manifest.size.fixed == OTHER


def test_weights_are_not_read(coreml_package: MakePackage, tmp_path: Path) -> None:
    copy = shutil.copytree(coreml_package(SMALL), tmp_path / "bare.mlpackage")
    (copy / "Data/com.apple.CoreML/weights/weight.bin").unlink()
    assert describe_package(copy).manifest.size.fixed == SMALL


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.description.metadata.userDefined.clear(), "carries no lama-edge manifest"),
        (lambda s: s.description.input.pop(), "other inputs than its manifest"),
        (
            lambda s: s.description.output[0].type.multiArrayType.__setattr__("dataType", 65552),
            "other outputs than its manifest",
        ),
        (
            lambda s: s.description.input[0].type.multiArrayType.__setattr__("dataType", 5),
            "other inputs than its manifest",
        ),
        (
            lambda s: s.description.input[1].type.imageType.__setattr__("colorSpace", 77),
            "'mask' is an image in number 77",
        ),
        (
            lambda s: s.description.input[1].type.imageType.__setattr__("colorSpace", 40),
            "'mask' is an image in GRAYSCALE_FLOAT16; known: GRAYSCALE, RGB, BGR",
        ),
        (
            lambda s: s.description.input[1].type.int64Type.SetInParent(),
            "'mask' is int64Type; known are arrays and images",
        ),
        (lambda s: s.mlProgram.functions.clear(), "has no function 'main'"),
    ],
)
def test_a_package_that_is_not_what_its_manifest_says_is_refused(
    coreml_package: MakePackage,
    tmp_path: Path,
    change: Callable[[Any], None],
    message: str,
) -> None:
    path = _changed(coreml_package(SMALL), tmp_path, change)
    with pytest.raises(ModelError, match=message) as caught:
        describe_package(path)
    assert "\n" not in str(caught.value)


def test_a_function_or_a_default_that_is_not_there_is_refused_with_those_that_are(
    coreml_package: MakePackage, tmp_path: Path
) -> None:
    path = coreml_package(SMALL, OTHER)
    with pytest.raises(ModelError, match="no function 'main'; it has: 'size_64x72', 'size_96x64'"):
        describe_package(path, "main")

    def rename(spec: Any) -> None:
        spec.description.defaultFunctionName = "size_8x8"

    copy = _changed(path, tmp_path, rename)
    with pytest.raises(ModelError, match=r"default function is 'size_8x8', which is none of its"):
        describe_package(copy)


def test_a_manifest_of_another_size_than_the_package_is_refused(
    coreml_package: MakePackage, tmp_path: Path
) -> None:
    def swap(spec: Any) -> None:
        entries = spec.description.metadata.userDefined
        first, second = (f"{METADATA_KEY}.size_{size}" for size in (SMALL, OTHER))
        entries[first], entries[second] = entries[second], entries[first]

    copy = _changed(coreml_package(SMALL, OTHER), tmp_path, swap)
    with pytest.raises(ModelError, match="other inputs than its manifest"):
        describe_package(copy)


def test_an_open_size_leaves_the_shape_open(coreml_package: MakePackage) -> None:
    spec = Model_pb2.Model()
    spec.ParseFromString((coreml_package(None, io="image") / SPEC).read_bytes())
    assert [value_seen(one).shape for one in spec.description.input] == [None, None]


@pytest.mark.parametrize(
    ("op", "works"), [("conv", True), ("const", False), ("constexpr_lut_to_dense", False)]
)
def test_constants_are_no_work(op: str, works: bool) -> None:
    assert is_work(op) == works
