"""The pages about Android: their Kotlin compiles, their commands are ones that there are."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from android_library import ANDROID, compiler_says
from places import ROOT

import lama_edge
from lama_edge.cli import _parser
from lama_edge.files import check_output

GUIDE = ROOT / "docs/how-to/android.md"
SAMPLE = ANDROID / "sample/README.md"
PAGES = (GUIDE, ROOT / "docs/for/android.md", ANDROID / "README.md", SAMPLE)
# What an IDE adds by itself. The library's own are the pages': without them a call of one of its
# extensions can find a member that wants something else.
IMPORTS = (
    *("android.app.ActivityManager", "android.app.Application", "android.content.Context"),
    *("android.graphics.Bitmap", "android.net.Uri", "android.system.Os", "android.util.Log"),
    "java.io.File",
)
GIVEN = "context: Context, photo: Bitmap, mask: Bitmap, uri: Uri, bytes: ByteArray"


def blocks(page: Path, language: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block for named, block in found if named == language]


def commands(page: Path) -> list[list[str]]:
    """Return the words of what a page has a reader type; of programs in .venv the name alone."""
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    words = [shlex.split(line, comments=True) for line in lines]
    return [[line[0].removeprefix(".venv/bin/"), *line[1:]] for line in words if line]


def program(page: Path) -> str:
    """Return a page's Kotlin as a file: classes as they are, the rest as bodies of functions.

    Its own imports come first, for all of it.
    """
    imports = [f"import {name}" for name in IMPORTS]
    lines = []
    for index, block in enumerate(blocks(page, "kotlin")):
        if re.search(r"^(dependencies|dependencyResolutionManagement) \{", block, re.MULTILINE):
            continue
        imports += re.findall(r"^import .+$", block, re.MULTILINE)
        block = re.sub(r"^import .+\n+", "", block, flags=re.MULTILINE)
        if block.startswith("class "):
            lines.append(block)
        else:
            lines += [f"suspend fun example{index}({GIVEN}) {{", block, "}"]
    return "\n".join([*imports, *lines]) + "\n"


@pytest.mark.kotlin
def test_the_pages_kotlin_compiles(kotlin: Path, tmp_path: Path) -> None:
    files = []
    for index, page in enumerate(PAGES[:3]):
        file = tmp_path / f"page{index}.kt"
        file.write_text(f"package page{index}\n" + program(page))
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
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for program, *words in commands(page):
        if program == "lama-edge":
            _parser().parse_args(words)
        elif program == "make":
            assert words[0] in targets
        elif program.startswith("python"):
            assert (ROOT / words[0]).is_file()
        elif "/" in program:
            assert (ROOT / program).is_file()


@pytest.mark.parametrize("page", [GUIDE, SAMPLE], ids=lambda page: page.parent.name)
def test_an_export_in_them_has_a_folder_to_write_into(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written = []
    for program, *words in commands(page):
        if program == "mkdir":
            subprocess.run([program, *words], check=True)
        elif program == "lama-edge" and words[0] == "export":
            written.append(_parser().parse_args(words).output)
            check_output(written[-1])
    assert written


def test_git_has_no_model_of_the_samples(tmp_path: Path) -> None:
    (output,) = (
        _parser().parse_args(words).output
        for program, *words in commands(SAMPLE)
        if program == "lama-edge"
    )
    inside = tmp_path / ANDROID.relative_to(ROOT)
    inside.mkdir(parents=True)
    shutil.copy(ANDROID / ".gitignore", inside)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    asked = subprocess.run(["git", "-C", tmp_path, "check-ignore", "--quiet", output])
    assert asked.returncode == 0


def test_the_guide_names_the_version_that_is_packed() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    versions = set(re.findall(r"lama-edge-android[:-](\d[\w.]+)", text))
    assert versions == {lama_edge.__version__}
    catalog = (ANDROID / "gradle/libs.versions.toml").read_text(encoding="utf-8")
    runtime = re.search(r'^onnxruntime = "(.+)"$', catalog, re.MULTILINE)
    assert runtime is not None
    assert f"onnxruntime-android-qnn:{runtime[1]}" in text
