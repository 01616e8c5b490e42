"""Exported packages in the interpreter: what opens them, how near they are, what is refused."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import lama_edge
from lama_edge.errors import LamaEdgeError, ModelError, ParityError
from lama_edge.judging.cases import ParityCase, seeded_cases
from lama_edge.judging.judge import judge, raw_outputs, require_parity
from lama_edge.models.checkpoint import Checkpoint
from lama_edge.runtimes.base import Runner, open_runner
from lama_edge.runtimes.registry import tolerance_of
from lama_edge.runtimes.torch.runner import TorchRunner
from lama_edge.spec import Size

pytest.importorskip("coremltools")
from coremltools.proto import Model_pb2

from lama_edge.exporters.formats.record import Export
from lama_edge.pipeline import export_model
from lama_edge.runtimes.coreml.emulated_runner import CoremlEmulatedRunner

# An odd bottleneck, oblong; the holes touch every border.
SIZE = Size(72, 104)
SPEC = Path("Data/com.apple.CoreML/model.mlmodel")
WEIGHTS = Path("Data/com.apple.CoreML/weights/weight.bin")


@pytest.fixture(scope="module")
def package(golden_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packages") / "golden.mlpackage"
    job = Export("coreml", golden_folder, path, sizes=(SIZE,), precision="fp32", check_parity=False)
    export_model(job)
    return path


@pytest.fixture(scope="module")
def cases(package: Path) -> list[ParityCase]:
    with CoremlEmulatedRunner(package) as runner:
        return seeded_cases(runner.manifest.size)


@pytest.fixture(scope="module")
def references(golden_checkpoint: Checkpoint, cases: list[ParityCase]) -> list[NDArray[np.float32]]:
    with TorchRunner(golden_checkpoint, composite=False) as reference:
        return raw_outputs(reference, cases)


def _require(
    runner: Runner, cases: list[ParityCase], references: list[NDArray[np.float32]]
) -> None:
    tolerance = tolerance_of(runner.runtime.name, runner.manifest.precision)
    figures = judge(runner, cases, references, reference_name="torch", tolerance=tolerance)
    require_parity(figures)


def test_a_package_opens_emulated_and_agrees_with_torch(
    package: Path,
    cases: list[ParityCase],
    references: list[NDArray[np.float32]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with open_runner(package, provider="emulated") as runner:
        assert isinstance(runner, CoremlEmulatedRunner)
        assert runner.provider == "emulated"
        assert runner.title == f"coreml-emulator {lama_edge.__version__}"
        assert runner.manifest.size.fixed == SIZE
        _require(runner, cases, references)
    assert not caplog.records
    with caplog.at_level(logging.WARNING), open_runner(package) as runner:
        assert runner.provider == "emulated"
    assert [record.message for record in caplog.records] == [
        "golden.mlpackage runs emulated, op by op: its results count, its times say nothing of a "
        "device"
    ]


def test_tiles_are_refused(package: Path) -> None:
    with (
        open_runner(package, provider="emulated") as runner,
        pytest.raises(ModelError, match="cannot run in tiles"),
    ):
        runner.tiled()


def test_threads_are_handed_on_once_the_package_is_open(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the `coreml` extra it cannot be opened, and no smaller one is advised."""
    seen: list[int] = []
    monkeypatch.setattr("lama_edge.runtimes.coreml.emulated_runner.set_threads", seen.append)
    for threads in (3, None):
        CoremlEmulatedRunner(package, threads=threads).close()
    with pytest.raises(ModelError):
        CoremlEmulatedRunner(tmp_path, threads=4)
    assert seen == [3]


def test_the_inpainter_takes_any_picture_to_a_package(package: Path) -> None:
    from lama_edge.runtimes.inpainting.inpainter import Inpainter

    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (90, 120, 3), np.uint8)
    mask = np.zeros((90, 120), np.uint8)
    mask[30:60, 40:80] = 255
    with Inpainter.open(package, provider="emulated") as inpainter:
        result = inpainter(picture, mask)
    assert np.array_equal(result[mask == 0], picture[mask == 0])
    assert not np.array_equal(result[mask > 0], picture[mask > 0])


def _spoil(package: Path, change: Callable[[Any], Any]) -> None:
    spec = Model_pb2.Model()
    spec.ParseFromString((package / SPEC).read_bytes())
    change(spec)
    (package / SPEC).write_bytes(spec.SerializeToString())


def _operations(spec: Any, op: str) -> list[Any]:
    (function,) = spec.mlProgram.functions.values()
    (block,) = function.block_specializations.values()
    return [operation for operation in block.operations if operation.type == op]


def _constant(spec: Any, operation: Any, name: str) -> Any:
    bound = operation.inputs[name].arguments[0].name
    (found,) = (each for each in _operations(spec, "const") if each.outputs[0].name == bound)
    return found.attributes["val"].immediateValue.tensor


def _last_pad_replicates(spec: Any) -> None:
    last = _operations(spec, "pad")[-1]
    _constant(spec, last, "mode").strings.values[0] = "replicate"


def _last_pad_is_shifted(spec: Any) -> None:
    """What a crop on the wrong side does: everything lies a pixel lower, and as large."""
    amounts = _constant(spec, _operations(spec, "pad")[-1], "pad").ints.values
    top, bottom = amounts[-4], amounts[-3]
    amounts[-4], amounts[-3] = top + 1, bottom - 1


def _flip_weights(package: Path) -> None:
    content = bytearray((package / WEIGHTS).read_bytes())
    # The sign of every number in the middle tenth; records of blobs have none set there.
    middle = len(content) // 2
    for place in range(middle - middle % 4 + 3, middle + len(content) // 10, 4):
        content[place] ^= 0x80
    (package / WEIGHTS).write_bytes(content)


def _rename_function(spec: Any) -> None:
    functions = spec.mlProgram.functions
    functions["other"].CopyFrom(functions["main"])
    del functions["main"]


def _as_half(spec: Any) -> None:
    _operations(spec, "relu")[0].outputs[0].type.tensorType.dataType = 10


SPOILT: dict[str, tuple[Callable[[Path], Any], str]] = {
    "weights flipped": (_flip_weights, r"differs from torch|blob|NaN"),
    "pad mode": (lambda p: _spoil(p, _last_pad_replicates), "there is no mode 'replicate'"),
    "crop side": (lambda p: _spoil(p, _last_pad_is_shifted), "differs from torch inside the hole"),
    "missing blob": (lambda p: (p / WEIGHTS).unlink(), r"weight\.bin.*cannot be opened"),
    "truncated spec": (
        lambda p: (p / SPEC).write_bytes((p / SPEC).read_bytes()[:5000]),
        "cannot be read as a Core ML specification",
    ),
    "wrong function name": (lambda p: _spoil(p, _rename_function), "no function 'main'"),
    "other op": (
        lambda p: _spoil(p, lambda s: setattr(_operations(s, "relu")[-1], "type", "sigmoid")),
        "differs from torch inside the hole",
    ),
    "unknown op": (
        lambda p: _spoil(p, lambda s: setattr(_operations(s, "relu")[0], "type", "hard_swish")),
        r"\(hard_swish\) is of a type that the interpreter does not have",
    ),
    "other dtype": (lambda p: _spoil(p, _as_half), "the program declares fp16"),
    "blob out of range": (
        lambda p: (p / WEIGHTS).write_bytes((p / WEIGHTS).read_bytes()[:-4]),
        "beyond their end",
    ),
    "no manifest": (
        lambda p: _spoil(p, lambda s: s.description.metadata.userDefined.clear()),
        "carries no lama-edge manifest",
    ),
    "other inputs": (
        lambda p: _spoil(p, lambda s: s.description.input.pop()),
        "the description has the inputs",
    ),
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_spoilt_package_is_refused_or_fails_parity(
    package: Path,
    cases: list[ParityCase],
    references: list[NDArray[np.float32]],
    tmp_path: Path,
    how: str,
) -> None:
    copy = shutil.copytree(package, tmp_path / "spoilt.mlpackage")
    spoil, message = SPOILT[how]
    spoil(copy)
    with (
        pytest.raises(LamaEdgeError, match=message) as caught,
        CoremlEmulatedRunner(copy) as runner,
    ):
        _require(runner, cases, references)
    assert isinstance(caught.value, ModelError | ParityError)
    assert "\n" not in str(caught.value)


def test_a_function_of_several_has_its_own_manifest(package: Path, tmp_path: Path) -> None:
    from lama_edge.manifest import METADATA_KEY

    copy = shutil.copytree(package, tmp_path / "own.mlpackage")

    def change(spec: Any) -> None:
        entries = spec.description.metadata.userDefined
        entries[f"{METADATA_KEY}.main"] = entries[METADATA_KEY]
        entries[METADATA_KEY] = "{}"

    _spoil(copy, change)
    with CoremlEmulatedRunner(copy, part="main") as runner:
        assert runner.manifest.size.fixed == SIZE
    with pytest.raises(ModelError, match="no function 'size_8x8'; it has: 'main'"):
        CoremlEmulatedRunner(copy, part="size_8x8")


def test_a_picture_package_is_within_a_level(
    golden_folder: Path,
    cases: list[ParityCase],
    references: list[NDArray[np.float32]],
    tmp_path: Path,
) -> None:
    path = tmp_path / "pictures.mlpackage"
    export_model(
        Export(
            "coreml",
            golden_folder,
            path,
            sizes=(SIZE,),
            io="image",
            precision="fp32",
            check_parity=False,
        )
    )
    with CoremlEmulatedRunner(path) as runner:
        assert runner.manifest.io.form == "image"
        for case, reference in zip(cases, references, strict=True):
            mask = case.hole[np.newaxis, :, :, np.newaxis].astype(np.uint8)
            ours = runner.run(case.image[np.newaxis], mask)[0]
            assert ours.dtype == np.uint8
            assert np.array_equal(ours[~case.hole], case.image[~case.hole])
            apart = np.abs(ours.astype(float) - np.clip(reference, 0, 255))[case.hole]
            assert apart.max() <= 0.5 + 1e-2
        _require(runner, cases, references)


def test_measuring_and_judging_processes_take_a_package(package: Path) -> None:
    from lama_edge.benchmarks.documents.model_files import model_record
    from lama_edge.benchmarks.targets.base import Opening
    from lama_edge.benchmarks.targets.registry import open_target
    from lama_edge.runtimes.model_files import model_sha256

    with open_target("local") as target:
        described = target.describe(target.push(package), Opening())
    assert (described.runtime, described.provider) == ("coreml-emulator", "emulated")
    assert described.title == f"coreml-emulator {lama_edge.__version__}"
    record = model_record(package, described.manifest)
    assert (record["format"], record["name"]) == ("coreml", "golden.mlpackage")
    assert record["sha256"] == model_sha256(package)
    files = [file for file in package.rglob("*") if file.is_file()]
    assert record["size_bytes"] == sum(file.stat().st_size for file in files)
    assert record["size_bytes"] > (package / WEIGHTS).stat().st_size
    assert model_record(package, None)["format"] == "coreml"


def test_ranges_and_values_that_are_not_finite_are_found_in_a_package(
    package: Path, cases: list[ParityCase], tmp_path: Path
) -> None:
    from lama_edge.benchmarks.documents.arrays import save_arrays
    from lama_edge.benchmarks.inspect_ranges import RangesInspection, inspect_ranges
    from lama_edge.benchmarks.parity.first_not_finite import first_value_not_finite

    values = inspect_ranges(RangesInspection(str(package)))["values"]
    assert {"conv", "matmul", "relu", "sigmoid"} <= {value["op"] for value in values}
    save_arrays(tmp_path / "picture.npz", [cases[0].image, cases[0].hole])
    payload = {"model": str(package), "picture": str(tmp_path / "picture.npz")}
    assert "every value is finite" in first_value_not_finite(payload)["reason"]
    copy = shutil.copytree(package, tmp_path / "infinite.mlpackage")
    names = []

    def change(spec: Any) -> None:
        conv = _operations(spec, "conv")[2]
        names.append(conv.outputs[0].name)
        bound = conv.inputs["bias"].arguments[0].name
        (bias,) = (each for each in _operations(spec, "const") if each.outputs[0].name == bound)
        value = bias.attributes["val"]
        count = value.type.tensorType.dimensions[0].constant.size
        value.immediateValue.tensor.floats.values[:] = [float("inf")] * count

    _spoil(copy, change)
    found = first_value_not_finite({**payload, "model": str(copy)})["first_difference"]
    assert (found["tensor"], found["op"]) == (names[0], "conv")


@pytest.mark.slow
def test_parity_judges_packages_from_end_to_end(
    package: Path, golden_folder: Path, tmp_path: Path
) -> None:
    from lama_edge.benchmarks.parity.check import ParityCheck, check_parity

    spoilt = shutil.copytree(package, tmp_path / "spoilt.mlpackage")
    _spoil(spoilt, _last_pad_is_shifted)
    job = ParityCheck((str(package), str(spoilt)), reference=str(golden_folder))
    sound, other = check_parity(job).document["models"]
    assert sound["passed"]
    assert sound["runtime"].startswith("coreml-emulator ")
    assert not other["passed"]
    assert other["tolerance_needed"] > 1e-4
