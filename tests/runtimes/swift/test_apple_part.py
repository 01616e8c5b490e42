"""The Apple part of the Swift package and its sample, against stand-ins for the frameworks."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from places import ROOT

from lama_edge.cli import _parser

GUIDES = (
    ROOT / "docs" / "how-to" / "ios.md",
    ROOT / "docs" / "for" / "ios.md",
    ROOT / "runtimes" / "swift" / "README.md",
)
SAMPLE_GUIDE = ROOT / "runtimes" / "swift" / "Examples" / "Eraser" / "README.md"
# A first build and all tests took 38 s on two cores that others used as well.
TIMEOUT_S = 570


def run(
    command: list[str | Path], *, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env={**os.environ, **(environment or {})},
    )


@pytest.fixture(scope="session")
def stand_ins(swift: Path, swift_package: Path) -> Path:
    """The package of stand-ins, built with the Apple part, the sample and their tests."""
    package = swift_package / "Stubs"
    if not (package / "Sources" / "LamaEdge" / "Pixels.swift").is_file():
        pytest.skip("the links to the sources are not links here: clone with core.symlinks")
    strict = ("-Xswiftc", "-warnings-as-errors")
    built = run([swift, "build", "--build-tests", "--package-path", package, *strict])
    assert built.returncode == 0, built.stdout + built.stderr
    return package


def type_check(swift: Path, stand_ins: Path, *sources: Path) -> subprocess.CompletedProcess[str]:
    modules = stand_ins / ".build" / "debug" / "Modules"
    return run([swift.with_name("swiftc"), "-typecheck", "-I", modules, *sources])


@pytest.mark.swift
def test_every_source_of_apples_side_is_well_formed(swift: Path, swift_package: Path) -> None:
    folders = ("Sources/LamaEdge/Apple", "Examples/Eraser")
    sources = [path for folder in folders for path in (swift_package / folder).rglob("*.swift")]
    assert len(sources) > 10
    parsed = run([swift.with_name("swiftc"), "-parse", *sources])
    assert (parsed.returncode, parsed.stderr) == (0, "")


@pytest.mark.swift
def test_the_apple_part_and_the_sample_compile_and_its_tests_pass(
    swift: Path, stand_ins: Path
) -> None:
    assert (stand_ins / ".build" / "debug" / "Eraser").is_file()
    strict = ("-Xswiftc", "-warnings-as-errors")
    tested = run([swift, "test", "--skip-build", "--package-path", stand_ins, *strict])
    output = tested.stdout + tested.stderr
    assert tested.returncode == 0, output
    sources = (path.read_text() for path in (stand_ins / "Tests").rglob("*.swift"))
    written = sum(len(re.findall(r"^ +func test", text, re.MULTILINE)) for text in sources)
    executed = re.findall(r"Executed (\d+) tests?, with (?:1 test skipped and )?0 fail", output)
    assert max(map(int, executed)) == written > 20, output


@pytest.mark.swift
@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ("inpainter.inpaint(picture,", "inpainter.inpant(picture,", "no member 'inpant'"),
        ("options.maxSide = 1536", 'options.maxSide = "1536"', "cannot assign value"),
    ],
)
def test_a_wrong_call_would_be_caught(
    swift: Path, stand_ins: Path, tmp_path: Path, right: str, wrong: str, complaint: str
) -> None:
    source = guide_source(GUIDES[0])
    assert right in source
    file = tmp_path / "guide.swift"
    file.write_text(source.replace(right, wrong))
    checked = type_check(swift, stand_ins, file)
    assert checked.returncode != 0
    assert complaint in checked.stderr


@pytest.mark.swift
@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_the_guides_swift_compiles(
    swift: Path, stand_ins: Path, tmp_path: Path, guide: Path
) -> None:
    file = tmp_path / "guide.swift"
    file.write_text(guide_source(guide))
    checked = type_check(swift, stand_ins, file)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("guide", [*GUIDES, SAMPLE_GUIDE], ids=lambda path: path.parent.name)
def test_the_guides_commands_are_ones_that_lama_edge_knows(guide: Path) -> None:
    lines = [line for block in blocks(guide, "sh") for line in block.splitlines()]
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("lama-edge ")]
    assert commands or guide != GUIDES[0]
    for command in commands:
        _parser().parse_args(command)


@pytest.mark.slow
@pytest.mark.swift
def test_an_exported_package_of_two_sizes_opens_function_by_function(
    swift: Path, stand_ins: Path, tmp_path: Path
) -> None:
    pytest.importorskip("coremltools")
    from coremltools.proto import Model_pb2

    package = tmp_path / "Lama.mlpackage"
    checkpoint = ROOT / "tests" / "data" / "fourier"
    sizes = ("--size", "64x96", "--size", "48")
    form = ("--io", "image", "--no-parity")
    export = (sys.executable, "-m", "lama_edge.cli", "export", "coreml")
    exported = run([*export, checkpoint, "-o", package, *sizes, *form])
    assert exported.returncode == 0, exported.stderr
    spec = Model_pb2.Model()
    spec.ParseFromString((package / "Data/com.apple.CoreML/model.mlmodel").read_bytes())
    functions = spec.description.functions
    content = {
        "metadata": dict(spec.description.metadata.userDefined),
        "images": functions[0].input[0].type.HasField("imageType"),
        "inputs": [one.name for one in functions[0].input],
        "outputs": [one.name for one in functions[0].output],
        "functions": [one.name for one in functions],
    }
    compiled = tmp_path / "Lama.mlmodelc"
    compiled.mkdir()
    (compiled / "model.json").write_text(json.dumps(content))
    tested = run(
        [swift, "test", "--skip-build", "--package-path", stand_ins, "--filter", "ExportedTests"],
        environment={"LAMA_EDGE_EXPORTED": str(compiled)},
    )
    output = tested.stdout + tested.stderr
    assert tested.returncode == 0, output
    assert "Executed 1 test, with 0 failures" in output


def guide_source(guide: Path) -> str:
    """Return a page's Swift as a program: each block a function's body, with what it is given."""
    given = "url: URL, data: Data, picture given: CGImage, mask: CGImage, file: URL"
    lines = ["import CoreGraphics", "import Foundation", "import LamaEdge"]
    for index, block in enumerate(blocks(guide, "swift")):
        body = [line for line in block.splitlines() if not line.startswith("import ")]
        lines.append(f"func example{index}({given}) async throws {{")
        if "let picture" not in block:
            lines.append("let picture = given")
        lines += [*body, "_ = (url, picture, inpainter)", "}"]
    return "\n".join(lines) + "\n"


def blocks(guide: Path, language: str) -> list[str]:
    pattern = rf"^```{language}\n(.*?)^```$"
    return re.findall(pattern, guide.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
