"""`lama-edge inspect` of a Core ML package: functions, operations, and where they run."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lama_edge import cli
from lama_edge.spec import Size

pytest.importorskip("coremltools")

from lama_edge.benchmarks.reports.figures import table
from lama_edge.runtimes.coreml import facts as coreml_facts
from lama_edge.runtimes.coreml.description import describe_package
from lama_edge.runtimes.coreml.facts import placement_lines
from lama_edge.runtimes.coreml.placement import OperationPlan, Placement

SMALL, OTHER = Size(64, 72), Size(96, 64)
ANYWHERE = ("CPU", "GPU", "Neural Engine")
PLACEMENT = Placement(
    "main",
    "all",
    (
        OperationPlan("stem_conv", "conv", "Neural Engine", ANYWHERE, 0.75),
        OperationPlan("stem_pad", "pad", "CPU", ("CPU",), 0.05),
        OperationPlan("block00_add", "add", "GPU", ("CPU", "GPU"), 0.2),
        OperationPlan("known_cast", "cast", "unknown", (), None),
    ),
)

MakePackage = Callable[..., Path]
off_macos = pytest.mark.skipif(platform.system() == "Darwin", reason="Core ML runs here")


def _run(*arguments: object) -> int:
    return cli.main([str(argument) for argument in arguments])


def _laid_out(placement: Placement) -> list[str]:
    pieces = placement_lines(placement)
    return [line for one in pieces for line in ([one] if isinstance(one, str) else table(one))]


def _lines(printed: str) -> list[str]:
    return [" ".join(line.split()) for line in printed.splitlines()]


@off_macos
def test_a_package_is_described_with_its_functions_and_operations(
    coreml_package: MakePackage, capsys: pytest.CaptureFixture[str]
) -> None:
    path = coreml_package(SMALL, OTHER)
    capsys.readouterr()
    assert _run("inspect", f"{path}#size_96x64") == 0
    captured = capsys.readouterr()
    lines = _lines(captured.out)
    assert lines[0] == "format coreml, functions 64x72 96x64, target iOS18"
    assert "sizes 96x64 (height x width) only" in lines
    assert "function size_96x64; others: size_64x72" in lines
    counts = describe_package(path).operations
    (told,) = (line for line in lines if line.startswith("operations"))
    assert told.startswith(f"operations {sum(counts.values())}: conv {counts['conv']}, ")
    assert lines[-1].startswith("parity: ")
    assert captured.err == ""
    assert _run("support", path) == 0
    assert capsys.readouterr().out == (
        "placement: Core ML plans it on the device: ask on macOS 14.4 or newer\n"
    )


@off_macos
def test_a_package_of_pictures_of_any_size_says_both(
    coreml_package: MakePackage, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("inspect", coreml_package(None, io="image")) == 0
    lines = _lines(capsys.readouterr().out)
    assert "sizes any multiples of 8 from 16 to 2048" in lines
    assert any(line.startswith("apps pass pictures as they are") for line in lines)
    assert not any(line.startswith("function ") for line in lines)


@off_macos
def test_json_holds_the_manifest_and_no_placement_that_is_not_known(
    coreml_package: MakePackage, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("support", coreml_package(SMALL, OTHER), "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"placement": None}
    assert _run("inspect", coreml_package(SMALL, OTHER), "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["size"]["fixed"] == [64, 72]
    assert document["function"] == "size_64x72"
    assert document["functions"] == ["size_64x72", "size_96x64"]
    assert "placement" not in document


def test_the_placement_is_a_table_of_devices_and_one_of_what_is_elsewhere() -> None:
    assert _lines("\n".join(_laid_out(PLACEMENT))) == [
        "placement with all, as Core ML plans it on this machine:",
        "operations share of the estimated cost",
        "CPU 1 5.0%",
        "GPU 1 20.0%",
        "Neural Engine 1 75.0%",
        "unknown 1 0.0%",
        "not on the Neural Engine, the costliest of 3 first:",
        "name op on cost can run on",
        "block00_add add GPU 20.00% CPU, GPU",
        "stem_pad pad CPU 5.00% CPU",
        "known_cast cast unknown - -",
    ]


def test_a_long_list_is_cut_and_a_placement_all_on_the_neural_engine_says_so() -> None:
    many = Placement("main", "all", PLACEMENT.operations[1:2] * 50)
    lines = _laid_out(many)
    assert lines[-1] == "and 30 more: lama-edge support --json has all"
    assert sum("stem_pad" in line for line in lines) == 20
    alone = Placement("main", "all", PLACEMENT.operations[:1])
    assert _laid_out(alone)[-1] == "every operation is on the Neural Engine"


def test_a_placement_stands_in_the_json(
    coreml_package: MakePackage,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(coreml_facts, "read_placement", lambda *_, **__: PLACEMENT)
    assert _run("support", coreml_package(SMALL), "--provider", "all", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["placement"]["devices"]["GPU"] == {"operations": 1, "cost": 0.2}
    assert document["placement"]["operations"][1]["name"] == "stem_pad"


@off_macos
def test_a_macos_that_has_no_plans_does_not_keep_a_package_from_being_described(
    coreml_package: MakePackage,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    path = coreml_package(SMALL)
    assert _run("inspect", path) == 0
    lines = _lines(capsys.readouterr().out)
    assert "sizes 64x72 (height x width) only" in lines
    assert _run("support", path) == 0
    assert capsys.readouterr().out.startswith("placement: Core ML cannot open")
    assert _run("support", path, "--provider", "cpu_ne") == 2
    assert "Core ML cannot open" in capsys.readouterr().err


def test_the_provider_reaches_core_mls_plan(
    coreml_package: MakePackage,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = []

    def read(path: Path, provider: str, function: str, *, several: bool) -> Placement:
        asked.append((provider, function, several))
        return PLACEMENT

    monkeypatch.setattr(coreml_facts, "read_placement", read)
    assert _run("support", coreml_package(SMALL), "--provider", "cpu_ne") == 0
    assert "block00_add" in capsys.readouterr().out
    of_two = f"{coreml_package(SMALL, OTHER)}#size_96x64"
    assert _run("support", of_two, "--provider", "all") == 0
    assert asked == [("cpu_ne", "main", False), ("all", "size_96x64", True)]


@off_macos
@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["{package}", "--provider", "all"], 3, "'all' is Core ML's own and needs macOS"),
        (["{package}", "--provider", "cuda"], 2, "'cuda'; choose one of: auto, all, cpu"),
        (["{package}#size_8x8"], 2, "it has: 'size_64x72', 'size_96x64'"),
        (["lama-tiny#main"], 2, "has no generator 'main'; it has: '.'"),
        (["{package}/none.mlpackage"], 2, "does not exist; give an exported model"),
        (["{empty}"], 2, "is it the folder of a .mlpackage?"),
    ],
)
def test_what_cannot_be_inspected_is_refused_in_one_line(
    coreml_package: MakePackage,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    message: str,
) -> None:
    empty = tmp_path / "empty.mlpackage"
    empty.mkdir()
    places = {"package": coreml_package(SMALL, OTHER), "empty": empty}
    capsys.readouterr()
    assert _run("inspect", *(word.format(**places) for word in words)) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert message in line


def test_the_old_way_to_ask_for_the_placement_gives_both_and_a_warning(
    coreml_package: MakePackage,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(coreml_facts, "read_placement", lambda *_, **__: PLACEMENT)
    path = coreml_package(SMALL)
    capsys.readouterr()
    assert _run("inspect", path, "--provider", "all") == 0
    captured = capsys.readouterr()
    lines = _lines(captured.out)
    assert "sizes 64x72 (height x width) only" in lines
    assert lines[-1] == "known_cast cast unknown - -"
    (line,) = captured.err.splitlines()
    assert f"inspect --provider is now lama-edge support {path} --provider all; it" in line


@off_macos
def test_a_package_is_described_without_its_weights(
    coreml_package: MakePackage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(coreml_package(SMALL), tmp_path / "bare.mlpackage")
    shutil.rmtree(copy / "Data/com.apple.CoreML/weights")
    assert _run("inspect", copy) == 0
    assert "64x72" in capsys.readouterr().out


@off_macos
def test_the_old_option_for_a_part_works_and_says_how_it_is_written_now(
    coreml_package: MakePackage, capsys: pytest.CaptureFixture[str]
) -> None:
    path = coreml_package(SMALL, OTHER)
    capsys.readouterr()
    assert _run("inspect", path, "--function", "size_96x64") == 0
    captured = capsys.readouterr()
    assert "function size_96x64; others: size_64x72" in _lines(captured.out)
    (line,) = captured.err.splitlines()
    assert line == "lama-edge: warning: --function is now MODEL#NAME; it works until release 1.0"
