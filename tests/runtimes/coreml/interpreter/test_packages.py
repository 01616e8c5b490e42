"""Packages as files: what is read from them, and what damaged or hostile ones are refused with."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lama_edge.errors import ModelError

pytest.importorskip("coremltools")
from coremltools.converters.mil import Builder as mb  # noqa: N813
from coremltools.proto import Model_pb2

from lama_edge.runtimes.coreml.interpreter.model import MilModel

Array = NDArray[Any]
Save = Callable[..., Path]

SPEC = Path("Data/com.apple.CoreML/model.mlmodel")
WEIGHTS = Path("Data/com.apple.CoreML/weights/weight.bin")
X = np.random.default_rng(0).normal(size=(1, 4, 6, 6)).astype(np.float32)
WEIGHT = np.random.default_rng(1).normal(size=(4, 4, 3, 3)).astype(np.float32)


def _build(x: Any) -> dict[str, Any]:
    padded = mb.pad(x=x, pad=[1, 1, 1, 1], mode="reflect", name="padded")
    found = mb.conv(x=padded, weight=WEIGHT, pad_type="valid", name="found")
    return {"y": mb.relu(x=found)}


@pytest.fixture(scope="module")
def sound(save_program: Save) -> Path:
    return save_program(_build, {"x": X})


@pytest.fixture
def package(sound: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return shutil.copytree(sound, tmp_path / "spoilt.mlpackage")


def _change(package: Path, change: Callable[[Any], Any]) -> None:
    spec = Model_pb2.Model()
    spec.ParseFromString((package / SPEC).read_bytes())
    change(spec)
    (package / SPEC).write_bytes(spec.SerializeToString())


def _operations(spec: Any) -> Any:
    (block,) = spec.mlProgram.functions["main"].block_specializations.values()
    return block.operations


def _operation(spec: Any, name: str) -> Any:
    (found,) = (each for each in _operations(spec) if each.outputs[0].name == name)
    return found


def _refused(package: Path, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        MilModel(package).run({"x": X})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_sound_package_runs_and_says_what_it_takes(sound: Path) -> None:
    model = MilModel(sound)
    assert model.functions == (model.function,) == ("main",)
    assert [feature.shape for feature in model.inputs] == [(1, 4, 6, 6)]
    assert model.outputs[0].dtype == "float32"
    assert model.operations == 3
    assert model.run({"x": X})["y"].shape == (1, 4, 6, 6)


def test_feeds_that_do_not_fit_are_refused(sound: Path) -> None:
    model = MilModel(sound)
    with pytest.raises(ModelError, match="takes x, not z"):
        model.run({"z": X})
    with pytest.raises(ModelError, match="float64"):
        model.run({"x": X.astype(np.float64)})
    with pytest.raises(ModelError, match=r"\(1, 4, 6, 5\).*\[1,4,6,6\]"):
        model.run({"x": X[..., :5]})


def test_any_cut_of_the_specification_is_refused(package: Path) -> None:
    content = (package / SPEC).read_bytes()
    for kept in range(0, len(content), 97):
        (package / SPEC).write_bytes(content[:kept])
        with pytest.raises(ModelError):
            MilModel(package)


def test_any_cut_of_the_weights_is_refused(package: Path) -> None:
    content = (package / WEIGHTS).read_bytes()
    for kept in range(0, len(content), 61):
        (package / WEIGHTS).write_bytes(content[:kept])
        _refused(package, "the weights 'weight.bin'|blob")


def test_missing_parts_are_named(package: Path) -> None:
    (package / WEIGHTS).unlink()
    _refused(package, r"weight\.bin.*cannot be opened: No such file")
    (package / SPEC).unlink()
    _refused(package, r"model\.mlmodel.*cannot be read: No such file")
    (package / "Manifest.json").unlink()
    _refused(package, r"Manifest\.json.*cannot be read: No such file")
    _refused(package / "Data", "Manifest.json")
    _refused(package / "nothing", "is no folder")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "JSONDecodeError"),
        ("[]", "TypeError"),
        ("[" * 5000, "Recursion"),
        ('{"itemInfoEntries": {}, "rootModelIdentifier": "a"}', "KeyError"),
    ],
)
def test_a_table_of_contents_that_is_none_is_refused(
    package: Path, content: str, message: str
) -> None:
    (package / "Manifest.json").write_text(content)
    _refused(package, f"Manifest.json.*{message}")


def test_nothing_outside_the_package_is_read(package: Path, sound: Path) -> None:
    contents = json.loads((package / "Manifest.json").read_text())
    entry = contents["itemInfoEntries"][contents["rootModelIdentifier"]]
    for path in ("../../elsewhere.mlmodel", "/etc/hostname"):
        entry["path"] = path
        (package / "Manifest.json").write_text(json.dumps(contents))
        _refused(package, "outside of it")
    for path in ("a\0b", "\ud800"):
        entry["path"] = path
        (package / "Manifest.json").write_text(json.dumps(contents))
        _refused(package, "which is no text")
    shutil.copy(sound / "Manifest.json", package / "Manifest.json")
    names = ("@model_path/../../../w.bin", "/etc/hostname", "weights/weight.bin", "@model_path")
    names += ("@model_path/weights/\0",)
    for name in names:
        _change(
            package,
            lambda spec, name=name: setattr(_blob(spec), "fileName", name),
        )
        _refused(package, "outside the package")
    _change(package, lambda spec: setattr(_blob(spec), "fileName", "@model_path/weights/link"))
    (package / WEIGHTS).with_name("link").symlink_to("/etc/hostname")
    _refused(package, "a link out of the package")


def _blob(spec: Any) -> Any:
    return _operation(spec, "found_weight_0").attributes["val"].blobFileValue


@pytest.mark.parametrize(
    ("offset", "message"),
    [
        (2**63, "beyond their end"),
        (10**6, "beyond their end"),
        (0, "is none"),
        (128, "is none"),
    ],
)
def test_offsets_out_of_range_are_refused(package: Path, offset: int, message: str) -> None:
    _change(package, lambda spec: setattr(_blob(spec), "offset", offset))
    _refused(package, message)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ((0xDEADBEEF, 1, 576, 128, 0), "holds fp16, the program declares fp32"),
        ((0xDEADBEEF, 99, 576, 128, 0), "holds type 99"),
        ((0xDEADBEEF, 2, 575, 128, 0), "has 575 bytes, the program wants 576"),
        ((0xDEADBEEF, 2, 580, 128, 0), "has 580 bytes, the program wants 576"),
        ((0xDEADBEEF, 2, 576, 2**63, 0), "reaches beyond"),
        ((0xDEADBEEE, 2, 576, 128, 0), "is none"),
    ],
)
def test_records_that_lie_are_refused(package: Path, record: tuple[int, ...], message: str) -> None:
    content = bytearray((package / WEIGHTS).read_bytes())
    content[64:96] = struct.pack("<IIQQQ", *record)
    (package / WEIGHTS).write_bytes(content)
    _refused(package, message)


def test_another_version_of_the_blob_format_is_refused(package: Path) -> None:
    content = (package / WEIGHTS).read_bytes()
    (package / WEIGHTS).write_bytes(content[:4] + b"\x01" + content[5:])
    _refused(package, "are of version 1")


def _dimension(name: str, axis: int, side: int) -> Callable[[Any], None]:
    def change(spec: Any) -> None:
        tensor = _operation(spec, name).outputs[0].type.tensorType
        tensor.dimensions[axis].constant.size = side

    return change


def _renamed(spec: Any) -> None:
    functions = spec.mlProgram.functions
    functions["other"].CopyFrom(functions["main"])
    del functions["main"]


def _in_a_loop(spec: Any) -> None:
    _operation(spec, "y").blocks.add()


def _twice(spec: Any) -> None:
    operation = _operation(spec, "y")
    _operations(spec).add().CopyFrom(operation)


def _without_weight(spec: Any) -> None:
    del _operation(spec, "found").inputs["weight"]


def _shape_value(name: str, values: list[int]) -> Callable[[Any], None]:
    def change(spec: Any) -> None:
        ints = _operation(spec, name).attributes["val"].immediateValue.tensor.ints
        ints.values[:] = values

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: setattr(_operation(s, "y"), "type", "gelu"), r"'y' \(gelu\) is of a type that"),
        (lambda s: setattr(_operation(s, "y"), "type", "a\nb"), r"'y' \('a\\nb'\) is of a type"),
        (lambda s: setattr(_operation(s, "y"), "type", "conv"), "lacks its input 'weight'"),
        (lambda s: setattr(_operation(s, "found"), "type", "relu"), "'found' .relu. has the input"),
        (_in_a_loop, "is of a type that the interpreter does not have"),
        (_without_weight, "'found' .conv. lacks its input 'weight'"),
        (
            lambda s: setattr(_operation(s, "y").outputs[0].type.tensorType, "dataType", 10),
            "'y' .relu. gives fp32, the program declares fp16",
        ),
        (
            lambda s: setattr(_operation(s, "y").outputs[0].type.tensorType, "dataType", 12),
            "element type 12",
        ),
        (
            lambda s: setattr(_operation(s, "y").inputs["x"].arguments[0], "name", "nobody"),
            "reads 'nobody', which nothing before it gives",
        ),
        (_twice, "two values of the name 'y'"),
        (_dimension("padded", 1, 5), r"is \[1, 4, 8, 8\], the program declares \[1, 5, 8, 8\]"),
        (_dimension("padded", 3, 10**9), r"padded.*too large"),
        (_dimension("padded", 3, 2**64 - 1), r"padded.*too large"),
        (_dimension("found_weight_0", 0, 5), "declares another type"),
        (_shape_value("padded_pad_0", [1, 1, 1, 6]), "'padded' .pad. failed"),
        (_shape_value("padded_pad_0", [1, 1, 1, -6]), "'padded' .pad. failed: the result is"),
        (_shape_value("padded_pad_0", [1, 1, 1]), "holds 3 elements; its type wants 4"),
        (_renamed, "no function 'main'; it has: 'other'"),
        (
            lambda s: setattr(s.mlProgram.functions["main"], "opset", "CoreML99"),
            "written in 'CoreML99'",
        ),
        (lambda s: s.mlProgram.Clear(), "no function 'main'; it has: none"),
        (lambda s: s.ClearField("mlProgram"), "holds no model"),
        (lambda s: s.neuralNetwork.SetInParent(), "holds neuralNetwork"),
        (
            lambda s: setattr(s.description.input[0], "name", "z"),
            "the description has the inputs 'z', the program 'x'",
        ),
        (
            lambda s: setattr(s.description.input[0].type.multiArrayType, "dataType", 65552),
            "the input 'x' is described as float16",
        ),
        (
            lambda s: s.description.output[0].type.stringType.SetInParent(),
            "the output 'y' is stringType",
        ),
    ],
)
def test_programs_that_contradict_themselves_are_refused(
    package: Path, change: Callable[[Any], Any], message: str
) -> None:
    _change(package, change)
    _refused(package, message)


def test_results_that_would_fill_the_memory_are_refused_before_they_are_computed(
    save_program: Save,
) -> None:
    def build(x: Any) -> dict[str, Any]:
        sides = mb.slice_by_index(x=mb.shape(x=x), begin=[3], end=[4])
        many = mb.range_1d(start=0, end=mb.squeeze(x=sides), step=1, name="many")
        return {"y": mb.add(x=x, y=mb.cast(x=many, dtype="fp32"))}

    path = save_program(build, {"x": X})
    for declared in (None, 6):

        def change(spec: Any, declared: int | None = declared) -> None:
            _shape_value("many_step_0", [1])(spec)
            _shape_value("many_start_0", [-(2**30)])(spec)
            dimension = _operation(spec, "many").outputs[0].type.tensorType.dimensions[0]
            if declared is None:
                dimension.unknown.variadic = False
            else:
                dimension.constant.size = declared

        _change(path, change)
        _refused(path, r"'many' \(range_1d\) failed: .*(too large|declares \[6\])")


def test_a_function_that_is_not_there_is_named(sound: Path) -> None:
    with pytest.raises(ModelError, match=r"no function 'size_1x1'; it has: 'main'"):
        MilModel(sound, "size_1x1")


def test_functions_of_several_sizes_share_their_weights(save_program: Save, tmp_path: Path) -> None:
    import coremltools as ct

    small = X[..., :4, :4]
    descriptor = ct.utils.MultiFunctionDescriptor()
    for name, array in (("six", X), ("four", small)):
        part = save_program(_build, {"x": array}, target="iOS18")
        descriptor.add_function(str(part), "main", name)
    descriptor.default_function_name = "six"
    path = tmp_path / "sizes.mlpackage"
    ct.utils.save_multifunction(descriptor, str(path))
    assert (path / WEIGHTS).stat().st_size < 2 * WEIGHT.nbytes
    model = MilModel(path)
    assert (model.function, set(model.functions)) == ("six", {"six", "four"})
    other = MilModel(path, "four")
    assert other.inputs[0].shape == (1, 4, 4, 4)
    inner = model.run({"x": X})["y"][..., 1:3, 1:3]
    np.testing.assert_allclose(other.run({"x": small})["y"][..., 1:3, 1:3], inner, atol=1e-6)
    with pytest.raises(ModelError, match="it has: 'six', 'four'"):
        MilModel(path, "five")


@pytest.mark.parametrize("layout", ["RGB", "GRAYSCALE"])
def test_pictures_go_in_and_come_out_as_levels(save_program: Save, layout: str) -> None:
    import coremltools as ct

    channels = 1 if layout == "GRAYSCALE" else 3
    shape = (1, channels, 4, 6)
    colours = getattr(ct.colorlayout, layout)
    offsets = [0, 9, -90][:channels]
    shift = np.float32(offsets).reshape(1, channels, 1, 1)
    path = save_program(
        lambda x: {"y": mb.add(x=mb.mul(x=x, y=np.float32(2)), y=shift)},
        {"x": np.zeros(shape, np.float32)},
        convert={"inputs": [ct.ImageType("x", shape, color_layout=colours, scale=0.5)]},
    )

    def as_image(spec: Any) -> None:
        described = spec.description.output[0].type.imageType
        described.height, described.width = 4, 6
        described.colorSpace = spec.description.input[0].type.imageType.colorSpace

    _change(path, as_image)
    picture = np.random.default_rng(0).integers(0, 256, (1, 4, 6, channels), np.uint8)
    model = MilModel(path)
    ours = model.run({"x": picture})["y"]
    wanted = picture.astype(int) + np.array(offsets)
    assert ours.dtype == np.uint8
    assert np.array_equal(ours, np.clip(wanted, 0, 255))
    with pytest.raises(ModelError, match=r"x is float32 .*takes a picture, uint8 \[1,4,6,"):
        model.run({"x": picture.astype(np.float32)})
    with pytest.raises(ModelError, match="takes a picture"):
        model.run({"x": picture[:, :2]})


def test_an_image_that_the_program_does_not_take_is_refused(package: Path) -> None:
    def change(spec: Any) -> None:
        spec.description.input[0].type.imageType.height = 6
        spec.description.input[0].type.imageType.width = 6
        spec.description.input[0].type.imageType.colorSpace = 20

    _change(package, change)
    _refused(package, "described as an image of 6x6 with 3 channels, the program has float32")


def test_what_grows_is_seen_and_the_first_that_is_not_finite_named(save_program: Save) -> None:
    from lama_edge.runtimes.emulator.survey import first_not_finite

    def build(x: Any) -> dict[str, Any]:
        grown = mb.mul(x=x, y=np.float16(200), name="grown")
        over = mb.mul(x=grown, y=grown, name="over")
        return {"y": mb.real_div(x=over, y=over)}

    x = np.array([[1, 200, -1]], np.float16)
    model = MilModel(save_program(build, {"x": x}))
    found = []
    model.run({"x": x}, observe=lambda *seen: found.append((*seen[:2], str(seen[2].tolist()))))
    assert found == [
        ("grown", "mul", "[[200.0, 40000.0, -200.0]]"),
        ("over", "mul", "[[40000.0, inf, 40000.0]]"),
        ("y", "real_div", "[[1.0, nan, 1.0]]"),
    ]
    first = first_not_finite(model, {"x": x})
    assert first is not None
    assert (first.name, first.op, first.checked) == ("over", "mul", 2)
