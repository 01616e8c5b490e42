"""`lama-edge parity` on Core ML packages: sound ones pass, every function of them; spoilt ones not.

Nine ways to spoil one, each caught by the figures or refused by name. The command's processes run
in this one here, but for the slow test, which lets it start them.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("coremltools")

from coremltools.proto import Model_pb2
from same_process import without_processes

from lama_edge import cli
from lama_edge.benchmarks.documents.store import PARITY, check_document
from lama_edge.runtimes.coreml.emulated_runner import CoremlEmulatedRunner
from lama_edge.spec import Size

# Oblong, its bottleneck 9 x 13; the holes that are judged touch all four borders.
SIZE = Size(72, 104)
SIZES = (Size(64, 72), Size(96, 64), Size(72, 88))
SPEC = Path("Data/com.apple.CoreML/model.mlmodel")
WEIGHTS = Path("Data/com.apple.CoreML/weights/weight.bin")
FP16 = 10
OLD_FUNCTION = "lama-edge: warning: --function is now MODEL#NAME; it works until release 1.0"


def _run(*words: object) -> int:
    return cli.main([str(word) for word in words])


@pytest.fixture(scope="module")
def sound(coreml_package: Callable[..., Path]) -> Path:
    """A package in fp16: the default, whose tolerance is the one that a fault could hide in."""
    return coreml_package(SIZE, precision="fp16")


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    without_processes(monkeypatch)


def _spec(package: Path) -> Any:
    spec = Model_pb2.Model()
    spec.ParseFromString((package / SPEC).read_bytes())
    return spec


def _change(change: Callable[[Any], Any]) -> Callable[[Path], None]:
    """Return what changes a package's program and writes it back."""

    def spoil(package: Path) -> None:
        spec = _spec(package)
        change(spec)
        (package / SPEC).write_bytes(spec.SerializeToString())

    return spoil


def _operations(spec: Any, op: str) -> list[Any]:
    (function,) = spec.mlProgram.functions.values()
    (block,) = function.block_specializations.values()
    return [operation for operation in block.operations if operation.type == op]


def _argument(spec: Any, operation: Any, name: str) -> Any:
    bound = operation.inputs[name].arguments[0].name
    (found,) = (each for each in _operations(spec, "const") if each.outputs[0].name == bound)
    return found.attributes["val"]


def _flip_weights(package: Path) -> None:
    """Turn the signs of one layer's weights around."""
    spec = _spec(package)
    layer = _operations(spec, "conv")[-1]
    value = _argument(spec, layer, "weight")
    tensor, offset = value.type.tensorType, value.blobFileValue.offset
    width = 2 if tensor.dataType == FP16 else 4
    content = bytearray((package / WEIGHTS).read_bytes())
    size_bytes, start = (int.from_bytes(content[offset + at :][:8], "little") for at in (8, 16))
    for sign in range(start + width - 1, start + size_bytes, width):
        content[sign] ^= 0x80
    (package / WEIGHTS).write_bytes(content)


def _pad_mode(spec: Any) -> None:
    """Repeat the border where the last pad mirrors, which no package of ours does."""
    last = _operations(spec, "pad")[-1]
    mode = _argument(spec, last, "mode").immediateValue.tensor.strings.values
    assert mode[0] == "reflect"
    mode[0] = "replicate"


def _crop_side(spec: Any) -> None:
    """Cut a row off the other side: everything lies a pixel lower, and as large."""
    amounts = _argument(spec, _operations(spec, "pad")[-1], "pad").immediateValue.tensor.ints
    amounts.values[-4] += 1
    amounts.values[-3] -= 1


def _function_name(spec: Any) -> None:
    functions = spec.mlProgram.functions
    functions["other"].CopyFrom(functions["main"])
    del functions["main"]


def _other_op(spec: Any) -> None:
    _operations(spec, "relu")[-1].type = "sigmoid"


def _unknown_op(spec: Any) -> None:
    """Use an operator that Core ML has and no package of ours."""
    _operations(spec, "relu")[-1].type = "tanh"


def _other_dtype(spec: Any) -> None:
    """Declare the other of the two floating-point types."""
    output = _operations(spec, "relu")[0].outputs[0].type.tensorType
    output.dataType = 11 if output.dataType == FP16 else FP16


def _truncate(package: Path) -> None:
    content = (package / SPEC).read_bytes()
    (package / SPEC).write_bytes(content[: len(content) // 2])


FIGURES = "a tolerance of .* would have been needed"
SPOILT: dict[str, tuple[Callable[[Path], None], str]] = {
    "weights-flipped": (_flip_weights, FIGURES),
    "pad-mode": (_change(_pad_mode), "there is no mode 'replicate', only 'reflect'"),
    "crop-side": (_change(_crop_side), FIGURES),
    "missing-blob": (
        lambda package: (package / WEIGHTS).unlink(),
        "the weights 'weight.bin' cannot be opened: No such file or directory; copy the package",
    ),
    "truncated-spec": (_truncate, "cannot be read as a Core ML specification: .*; copy the pack"),
    "function-name": (_change(_function_name), "the program has no function 'main'; it has: 'oth"),
    "other-op": (_change(_other_op), FIGURES),
    "unknown-op": (
        _change(_unknown_op),
        r"\(tanh\) is of a type that the interpreter does not have",
    ),
    "other-dtype": (_change(_other_dtype), r"\(relu\) gives fp(16|32), the program declares fp"),
}


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("how", SPOILT)
def test_a_spoilt_package_fails(
    sound: Path,
    golden_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    how: str,
) -> None:
    copy = shutil.copytree(sound, tmp_path / "spoilt.mlpackage")
    spoil, message = SPOILT[how]
    spoil(copy)
    out = tmp_path / "parity.json"
    assert _run("parity", copy, "--reference", golden_folder, "--json-out", out) == 1
    (row,) = check_document(json.loads(out.read_text()), PARITY)["models"]
    assert not row["passed"]
    said = capsys.readouterr().out
    assert re.search(r"^spoilt\.mlpackage .* FAILED ", said, re.MULTILINE)
    assert re.search(rf"^spoilt\.mlpackage: .*{message}", said, re.MULTILINE)


@pytest.mark.slow
def test_all_nine_fail_beside_a_sound_package_in_processes_of_their_own(
    sound: Path,
    golden_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    copies = []
    for how, (spoil, _) in SPOILT.items():
        copies.append(shutil.copytree(sound, tmp_path / f"{how}.mlpackage"))
        spoil(copies[-1])
    words = ("parity", sound, *copies, "--reference", golden_folder)
    assert _run(*words) == 1
    said = capsys.readouterr().out
    assert re.search(rf"^{re.escape(sound.name)} .* passed ", said, re.MULTILINE)
    for how, (_, message) in SPOILT.items():
        assert re.search(rf"^{how}\.mlpackage .* FAILED ", said, re.MULTILINE), how
        assert re.search(rf"^{how}\.mlpackage: .*{message}", said, re.MULTILINE), how


@pytest.fixture(scope="module")
def of_three(coreml_package: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package of three sizes with pictures in and out."""
    path = tmp_path_factory.mktemp("three") / "three.mlpackage"
    return shutil.copytree(coreml_package(*SIZES, io="image"), path)


@pytest.mark.usefixtures("in_this_process")
def test_every_function_of_a_package_is_judged_in_a_row_of_its_own(
    of_three: Path, golden_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, page = tmp_path / "parity.json", tmp_path / "parity.html"
    words = ("parity", of_three, "--reference", golden_folder, "--json-out", out, "--report", page)
    assert _run(*words) == 0
    rows = check_document(json.loads(out.read_text()), PARITY)["models"]
    assert [row["model"]["name"] for row in rows] == [f"three.mlpackage size_{s}" for s in SIZES]
    assert [[case["size"] for case in row["cases"]] for row in rows] == [[str(s)] for s in SIZES]
    assert all(row["passed"] and row["model"]["io"] == "image" for row in rows)
    assert "three.mlpackage size_96x64" in page.read_text()
    assert len(re.findall(r" passed ", capsys.readouterr().out)) == len(SIZES)


@pytest.mark.usefixtures("in_this_process")
def test_one_bad_function_fails_the_package(
    of_three: Path, golden_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The default one is sound: it alone would say nothing of the others."""
    copy = shutil.copytree(of_three, tmp_path / "three.mlpackage")

    def spoil(spec: Any) -> None:
        function = spec.mlProgram.functions["size_96x64"]
        operations = function.block_specializations[function.opset].operations
        [each for each in operations if each.type == "relu"][-1].type = "tanh"

    _change(spoil)(copy)
    assert _run("parity", copy, "--reference", golden_folder) == 1
    said = capsys.readouterr().out
    verdicts = re.findall(r"^three\.mlpackage (size_\S+) .*? (passed|FAILED) ", said, re.MULTILINE)
    assert dict(verdicts) == {
        "size_64x72": "passed",
        "size_96x64": "FAILED",
        "size_72x88": "passed",
    }


@pytest.mark.usefixtures("in_this_process")
def test_a_function_whose_program_is_missing_is_a_row_that_says_so(
    of_three: Path, golden_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(of_three, tmp_path / "three.mlpackage")
    _change(lambda spec: spec.mlProgram.functions.pop("size_96x64"))(copy)
    assert _run("parity", copy, "--reference", golden_folder) == 1
    said = capsys.readouterr().out
    assert "three.mlpackage size_96x64: the program has no function 'size_96x64'; it has: " in said
    assert said.count(" passed ") == len(SIZES) - 1


@pytest.mark.parametrize("old", [False, True], ids=["part", "--function"])
def test_inpaint_runs_the_part_that_is_named(
    of_three: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], old: bool
) -> None:
    """The default one is of another size, and would shrink or enlarge the picture."""
    size = SIZES[1]
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (size.height, size.width, 3), np.uint8)
    mask = np.zeros((size.height, size.width), np.uint8)
    mask[:40, 20:50] = 255
    Image.fromarray(picture).save(tmp_path / "in.png")
    Image.fromarray(mask).save(tmp_path / "mask.png")

    def inpaint(out: str, part: str) -> int:
        words = [of_three, "--function", part] if old else [f"{of_three}#{part}"]
        more = ("--strategy", "full", "--provider", "emulated", "-o", tmp_path / out)
        return _run("inpaint", *words, tmp_path / "in.png", tmp_path / "mask.png", *more)

    capsys.readouterr()
    assert inpaint("out.png", f"size_{size}") == 0
    assert capsys.readouterr().err.splitlines() == [OLD_FUNCTION] * old
    with CoremlEmulatedRunner(of_three, part=f"size_{size}") as runner:
        wanted = runner.run(picture[np.newaxis], mask[np.newaxis, :, :, np.newaxis])[0]
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out.png")), wanted)
    assert inpaint("no.png", "size_8x8") == 2
    assert not (tmp_path / "no.png").exists()


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("old", [False, True], ids=["part", "--function"])
def test_bench_measures_the_part_that_is_named(
    of_three: Path, capsys: pytest.CaptureFixture[str], old: bool
) -> None:
    words = [of_three, "--function", "size_96x64"] if old else [f"{of_three}#size_96x64"]
    more = ("--rounds", "1", "--json", "--min-runs", "1", "--min-seconds", "0")
    capsys.readouterr()
    assert _run("bench", *words, *more) == 0
    captured = capsys.readouterr()
    (run,) = json.loads(captured.out)["runs"]
    assert run["model"]["name"] == "three.mlpackage size_96x64"
    assert run["size"] == "96x64"
    assert captured.err.splitlines() == [OLD_FUNCTION] * old


@pytest.mark.usefixtures("in_this_process")
def test_of_a_package_whose_part_is_named_that_one_is_judged(
    of_three: Path, golden_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("parity", f"{of_three}#size_96x64", "--reference", golden_folder, "--json")
    assert _run(*words) == 0
    (row,) = json.loads(capsys.readouterr().out)["models"]
    assert row["model"]["name"] == "three.mlpackage size_96x64"
    assert row["model"]["sha256"] is not None
    assert {case["size"] for case in row["cases"]} == {"96x64"}


def test_a_part_of_a_model_that_has_none_is_refused(
    golden_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "in.png")
    words = ("inpaint", f"{golden_folder}#size_64x64", tmp_path / "in.png", tmp_path / "in.png")
    assert _run(*words, "-o", tmp_path / "out.png") == 2
    assert "has no generator 'size_64x64'; it has: 'generator'" in capsys.readouterr().err
