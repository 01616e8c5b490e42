"""The pages about Android: their Kotlin compiles, their commands are ones that there are."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from android_library import ANDROID, compiler_says
from places import ROOT

import lama_edge
from lama_edge.cli import _parser

GUIDE = ROOT / "docs/android.md"
PAGES = (GUIDE, ANDROID / "README.md", ANDROID / "sample/README.md")
IMPORTS = (
    *("android.app.Application", "android.content.Context", "android.graphics.Bitmap"),
    *("android.net.Uri", "android.system.Os", "android.util.Log", "java.io.File"),
    "io.github.lamaedge.*",
)
GIVEN = "context: Context, photo: Bitmap, mask: Bitmap, uri: Uri, bytes: ByteArray"


def blocks(page: Path, language: str) -> list[str]:
    pattern = rf"^```{language}\n(.*?)^```$"
    return re.findall(pattern, page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def program(page: Path) -> str:
    """Return a page's Kotlin as a file: classes as they are, the rest as bodies of functions."""
    lines = [f"import {name}" for name in IMPORTS]
    for index, block in enumerate(blocks(page, "kotlin")):
        if re.search(r"^(dependencies|dependencyResolutionManagement) \{", block, re.MULTILINE):
            continue
        if block.startswith("class "):
            lines.append(block)
        else:
            lines += [f"suspend fun example{index}({GIVEN}) {{", block, "}"]
    return "\n".join(lines) + "\n"


@pytest.mark.kotlin
def test_the_pages_kotlin_compiles(kotlin: Path, tmp_path: Path) -> None:
    files = []
    for page in PAGES[:2]:
        file = tmp_path / f"{page.parent.name}.kt"
        file.write_text(f"package {page.parent.name}\n" + program(page))
        assert "Inpainter" in file.read_text()
        files.append(file)
    assert compiler_says(("lama-edge", "stand-ins-sample"), files, "-Werror") == ""


@pytest.mark.kotlin
def test_a_wrong_call_in_them_would_be_caught(kotlin: Path, tmp_path: Path) -> None:
    right = program(GUIDE)
    wrong = tmp_path / "guide.kt"
    wrong.write_text(right.replace("MaskRules(grow = 3)", "MaskRules(growth = 3)"))
    assert wrong.read_text() != right
    assert "growth" in compiler_says(("lama-edge", "stand-ins-sample"), [wrong])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_the_pages_commands_are_ones_that_lama_edge_knows(page: Path) -> None:
    lines = [line for block in blocks(page, "") for line in block.splitlines()]
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("lama-edge ")]
    assert commands or page != GUIDE
    for command in commands:
        _parser().parse_args(command)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    made = [word for line in lines if line.startswith("make ") for word in line.split()[1:2]]
    assert set(made) <= targets


def test_the_guide_names_the_version_that_is_packed() -> None:
    versions = set(re.findall(r"lama-edge-android:([\w.]+)", GUIDE.read_text(encoding="utf-8")))
    assert versions == {lama_edge.__version__}
    catalog = (ANDROID / "gradle/libs.versions.toml").read_text(encoding="utf-8")
    runtime = re.search(r'^onnxruntime = "(.+)"$', catalog, re.MULTILINE)
    assert runtime is not None
    assert f"onnxruntime-android-qnn:{runtime[1]}" in GUIDE.read_text(encoding="utf-8")
